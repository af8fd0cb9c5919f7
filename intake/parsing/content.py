"""What there is to read in a mail: its text, its HTML, its attachments, put together from the parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from intake.parsing import attachments, body, calendar, charset, html, htmltext, smime, transfer
from intake.parsing.body import Part
from intake.parsing.headers import Headers
from intake.parsing.limits import MAX_HTML, MAX_TEXT
from intake.parsing.structure import Entity
from intake.types import Attachment, Fold, FoldKind

NOT_TEXT = {0: None, 13: None}
WORD = re.compile(r"\w{2}")
ENCRYPTED = {
    "application/pgp-encrypted": "The mail is encrypted with PGP; what it says is in the attachment.",
    "application/pkcs7-mime": "The mail is encrypted with S/MIME; what it says is in the attachment.",
    "application/x-pkcs7-mime": "The mail is encrypted with S/MIME; what it says is in the attachment.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    r"""The readable whole of a mail. Line numbers count in `text.split("\n")`.

    `structure` are folds that the HTML's structure shows, where the text was made from it (`drawn`); `encoded` the
    lines of uuencoded files; `appendix` is what an invitation says, to be put behind the text.
    """

    text: str
    html: str | None
    attachments: tuple[Attachment, ...]
    structure: tuple[Fold, ...] = ()
    drawn: bool = False
    encoded: tuple[Fold, ...] = ()
    appendix: str = ""
    defects: tuple[str, ...] = ()


NOTHING = Content(text="", html=None, attachments=())


def read(root: Entity, *, broken: bool = False) -> Content:
    """Return what there is to read in a mail. Of a `broken` one without a word in its parts it is the raw body."""
    chosen = body.choose(root)
    opened = attachments.read(chosen.others)
    text, structure = _text(chosen.text)
    markup = _markup(chosen.html) or ""
    if not text.strip() and not markup and (opened.text or opened.html):
        text, structure = (opened.text, ()) if opened.text.strip() else _rendered(opened.html)
    markup = markup or opened.html
    safe, html_defect = html.sanitise(markup) if markup.strip() else (None, None)
    files = [file for part in chosen.text if part.content_type != "text/html" for file in attachments.uuencoded(part)]
    found = tuple(sorted((*opened.attachments, *files), key=_order))
    defects = [*_part_defects(chosen), *opened.defects, html_defect, *_encrypted(found)]
    if len(text) > MAX_TEXT:
        text, structure = text[:MAX_TEXT], ()
        defects.append(f"The text is longer than {MAX_TEXT} characters; the rest is not shown.")
    if broken and not (WORD.search(text) or safe or found):
        text = _raw(root)
        defects.append("No part could be read; the body is shown as it came." if text else None)
    return Content(
        text=text,
        html=safe or None,
        attachments=found,
        structure=structure,
        drawn=not opened.text.strip() and all(part.content_type == "text/html" for part in chosen.text),
        encoded=encoded_lines(text) if files else (),
        appendix=_invitation(found),
        defects=tuple(dict.fromkeys(defect for defect in defects if defect)),
    )


def _raw(root: Entity) -> str:
    """Return the body of a multipart as it came, where it holds words outside of its parts; else ""."""
    if not root.get_content_type().startswith("multipart/"):
        return ""
    source = root.source[:MAX_TEXT]
    text = charset.decode(source)[0].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text if WORD.search(text) else ""


def _text(parts: tuple[Part, ...]) -> tuple[str, tuple[Fold, ...]]:
    """Return the texts of the parts below each other, and the folds that HTML among them shows."""
    pieces: list[str] = []
    folds: list[Fold] = []
    lines = 0
    for part in parts:
        text, structure = _rendered(part.text) if part.content_type == "text/html" else (part.text, ())
        if not text.strip():
            continue
        if pieces:
            pieces[-1] = pieces[-1].rstrip("\n")
            lines = sum(piece.count("\n") + 1 for piece in pieces) + len(pieces)
        folds += [replace(fold, start=fold.start + lines, end=fold.end + lines) for fold in structure]
        pieces.append(text)
    return "\n\n".join(pieces), tuple(folds)


def _rendered(markup: str) -> tuple[str, tuple[Fold, ...]]:
    rendered = htmltext.render(markup[:MAX_HTML])
    return rendered.text.translate(NOT_TEXT), rendered.folds


def _markup(parts: tuple[Part, ...]) -> str | None:
    """Return the HTML of the body, with the plain texts beside it put between; None where there is no HTML at all."""
    if not any(part.content_type == "text/html" for part in parts):
        return None
    shown = (part for part in parts if part.text.strip())
    return "\n<hr>\n".join(
        part.text if part.content_type == "text/html" else html.from_text(part.text) for part in shown
    )


def _part_defects(chosen: body.Body) -> list[str | None]:
    return [part.text_and_defect[1] for part in (*chosen.text, *chosen.html)]


def _encrypted(found: tuple[Attachment, ...]) -> list[str]:
    closed = (file for file in found if file.content_type in ENCRYPTED)
    return [ENCRYPTED[file.content_type] for file in closed if smime.signed_content(file.content) is None]


def _order(file: Attachment) -> tuple[int, ...]:
    return tuple(int(step) for step in re.split(r"[./]", file.part) if step.isdigit())


def encoded_lines(text: str) -> tuple[Fold, ...]:
    """Return the lines of the uuencoded files in a text."""
    found: list[Fold] = []
    start: int | None = None
    for number, line in enumerate(text.split("\n")):
        if start is None and transfer.UU_BEGIN_LINE.match(line):
            start = number
        elif start is not None and line.rstrip() == "end":
            found.append(Fold(start=start, end=number + 1, kind=FoldKind.ENCODED))
            start = None
    return tuple(found)


def _invitation(found: tuple[Attachment, ...]) -> str:
    """Return what the first invitation says."""
    described = (calendar.describe(file.content) for file in attachments.each_calendar(found))
    return next((text for text in described if text), "")


def attached_mail(root: Entity) -> tuple[Headers, str] | None:
    """Return the headers and the text of the one mail that is attached; None where there is none or several."""
    mails = [part.message for part in body.leaves(root) if part.content_type in attachments.MESSAGES]
    if len(mails) != 1 or not mails[0].is_multipart():
        return None
    inner = mails[0].get_payload(0)
    if not isinstance(inner, Entity):
        return None
    return inner.headers(), _text(body.choose(inner).text)[0]
