"""What mail clients leave in the HTML around quotes and signatures: ids, classes, borders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum

LINES_OF_SIGNATURE = 15


class Mark(Enum):
    """What an element is."""

    CONTAINER = "a quote with the line that introduces it; before its first <blockquote> only that line"
    SIGNATURE = "a signature"
    HEADERS = "the header lines of the earlier mail, which follows to the end"
    BORDER = "a division with a line above it, in which Outlook writes header lines"


# Ids and classes as the clients write them; others' rewriting puts letters before them ("x_", "ydp1234").
BY_ENDING: tuple[tuple[str, Mark], ...] = (
    ("divRplyFwdMsg", Mark.HEADERS),  # Outlook on the web
    ("OLK_SRC_BODY_SECTION", Mark.CONTAINER),  # Outlook for Mac
    ("mail-editor-reference-message-container", Mark.CONTAINER),  # Outlook for iOS and Android
    ("gmail_quote", Mark.CONTAINER),
    ("gmail_quote_container", Mark.CONTAINER),
    ("gmail_attr", Mark.CONTAINER),
    ("yahoo_quoted", Mark.CONTAINER),
    ("moz-cite-prefix", Mark.CONTAINER),
    ("protonmail_quote", Mark.CONTAINER),
    ("tutanota_quote", Mark.CONTAINER),
    ("zmail_extra", Mark.CONTAINER),  # Zoho
    ("reply-intro", Mark.CONTAINER),  # Roundcube
    ("quote-header", Mark.CONTAINER),
    ("cm_quote", Mark.CONTAINER),
    ("isReplyContent", Mark.CONTAINER),  # NetEase
    ("ntes-mailmaster-quote", Mark.CONTAINER),
    ("gmail_signature", Mark.SIGNATURE),
    ("gmail_signature_prefix", Mark.SIGNATURE),
    ("moz-signature", Mark.SIGNATURE),
    ("protonmail_signature_block", Mark.SIGNATURE),
    ("AppleMailSignature", Mark.SIGNATURE),
    ("lineBreakAtBeginningOfSignature", Mark.SIGNATURE),
    ("ms-outlook-mobile-signature", Mark.SIGNATURE),
    ("ms-outlook-ios-signature", Mark.SIGNATURE),
    ("yahoo-signature", Mark.SIGNATURE),
    ("Signature", Mark.SIGNATURE),  # Outlook on the web
    ("signature_content", Mark.SIGNATURE),
    ("composer_signature", Mark.SIGNATURE),  # Samsung
    ("messageSignatureSection", Mark.SIGNATURE),  # Spark
    ("bloop_sign", Mark.SIGNATURE),  # Airmail
    ("front-signature", Mark.SIGNATURE),
    ("sh-signature", Mark.SIGNATURE),  # Superhuman
    ("edo-signature", Mark.SIGNATURE),  # Edison
    ("acompli_signature", Mark.SIGNATURE),
    ("ymail_android_signature", Mark.SIGNATURE),
    ("ymail_ios_signature", Mark.SIGNATURE),
    ("_rc_sig", Mark.SIGNATURE),  # Roundcube
)
_NAMES = dict(BY_ENDING)
_PREFIX = re.compile(r"^(?:x_|m_-?\d{1,25}|ydp[0-9a-f]{1,12}|yiv\d{1,15}|[0-9a-f]{6,12})+")
_NUMBER = re.compile(r"_\d{1,15}$")
_BORDER = re.compile(
    r"border:none;border-top:solid#[0-9a-f]{3,6}|border-top:1pxsolid#b5c4df|border-top:#b5c4df1ptsolid"
)
_LABELLED = re.compile(r"^\W{0,3}[^\s:][^:]{0,30}:\s*\S")


def mark_of(tag: str, attributes: Mapping[str, str | None]) -> Mark | None:
    """What the attributes of an element say about it."""
    if not attributes:
        return None
    for key in ("id", "class", "data-smartmail", "name"):
        value = attributes.get(key)
        if value:
            mark = _named(value[:300])
            if mark is not None and not (mark is Mark.CONTAINER and tag == "blockquote"):
                return mark
    style = attributes.get("style")
    if tag == "div" and style and _BORDER.search("".join(style[:300].lower().split())):
        return Mark.BORDER
    return None


def _named(value: str) -> Mark | None:
    for name in value.split():
        mark = _NAMES.get(name) or _NAMES.get(_NUMBER.sub("", _PREFIX.sub("", name)))
        if mark is not None:
            return mark
    return None


def looks_like_headers(lines: Sequence[str]) -> bool:
    """Whether lines are "Label: value" for the most part, with an address or at least three of them."""
    shown = [line for line in lines[:12] if line.strip()]
    labelled = sum(1 for line in shown if _LABELLED.match(line[:200]))
    return labelled >= 3 or (labelled >= 2 and any("@" in line[:300] for line in shown))
