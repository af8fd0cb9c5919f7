"""The delivery reports that flufl.bounce knows, read on a small copy of the mail: its time grows with the size.

Never raises; the copy holds at most MAX_COPIED_PARTS parts of MAX_NOTICE characters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from email.message import Message
from email.utils import parseaddr

from flufl.bounce import all_failures

from intake.parsing import transfer
from intake.parsing.bounce_notice import MAX_NOTICE, begins_original, bounded_lines
from intake.parsing.bounce_values import ADDRESS
from intake.parsing.dsn import MAIL_TYPES, is_broken_multipart
from intake.parsing.structure import Entity

MAX_COPIED_PARTS = 20
MAX_COPIED_DEPTH = 5
NOBODY = "nobody@sender.invalid"
KEPT_HEADERS = ("From", "To", "Subject", "X-Mailer", "Content-Description", "X-Failed-Recipients")

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs every detector that it tries

READABLE = {0xFFFD: "?", 0: None}


def known_failures(root: Entity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The delayed and the failed recipients that flufl.bounce finds; both empty where it does not know the form."""
    try:
        copy = small_copy(root, 0)
        if not parseaddr(copy["From"] or "")[1]:
            del copy["From"]
            copy["From"] = NOBODY  # one detector raises without a sender
        delayed, failed = all_failures(copy)
    except (ValueError, TypeError, LookupError, AttributeError):  # its detectors trip over malformed mail
        return (), ()
    return tuple(valid(delayed)), tuple(valid(failed))


def valid(addresses: Iterable[bytes]) -> Iterator[str]:
    """The well-formed ones, sorted."""
    for address in sorted(addresses):
        match = ADDRESS.search(address.decode("ascii", "replace").strip())
        if match:
            yield match[0].rstrip(".")


def small_copy(part: Entity, depth: int) -> Message:
    """A copy that has only notices in it: few headers, short decoded text, attached mails as empty parts."""
    copy = Message()
    for name in KEPT_HEADERS:
        value = part.headers().first(name)
        if value is not None:
            copy[name] = value[:2000]
    copy["Content-Type"] = part.get_content_type()
    payload = part.get_payload()
    if part.get_content_type() in MAIL_TYPES or depth > MAX_COPIED_DEPTH:
        copy.set_payload("")
    elif isinstance(payload, list):
        parts = [child for child in payload[:MAX_COPIED_PARTS] if isinstance(child, Entity)]
        copy.set_payload([small_copy(child, depth + 1) for child in parts])
    else:
        copy.set_payload(small_text(part))
    return copy


def small_text(part: Entity) -> str:
    """The beginning of a text part, to the line with which the returned mail begins, as ASCII."""
    if part.get_content_maintype() != "text" and not is_broken_multipart(part):
        return ""
    content, _ = transfer.decode(part.source, part.headers().first("Content-Transfer-Encoding"))
    lines: list[str] = []
    for line in bounded_lines(content[:MAX_NOTICE].decode("ascii", "replace").translate(READABLE)):
        lines.append(line)
        if begins_original(line):
            break
    return "\n".join(lines) + "\n"
