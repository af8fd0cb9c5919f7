"""Everything of a mail that is not its body, named and typed even where the mail does neither.

A part's name is its path in the mail ("2.1"); what was taken out of a container has the container's path and a
number behind it: "2/1" is the first file in the winmail.dat or the uuencoded text at "2".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing import body, naming, structure, tnef, transfer
from intake.parsing.body import Part
from intake.parsing.limits import MAX_OPENED
from intake.types import Attachment

MESSAGES = ("message/rfc822", "message/global", "message/news")
CALENDARS = ("text/calendar", "application/ics")
TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the parts beside the body gave: attachments, bodies that were inside a container, and defects."""

    attachments: tuple[Attachment, ...]
    text: str = ""
    html: str = ""
    defects: tuple[str, ...] = ()


def read(parts: tuple[Part, ...]) -> Opened:
    """Return the attachments of the parts that are not the body. winmail.dat is opened where that is possible."""
    found: list[Attachment] = []
    defects: list[str] = []
    text = html = ""
    for part in parts:
        content, defect = content_of(part)
        if defect:
            defects.append(defect)
        container = tnef.read(content) if is_tnef(part, content) else None
        if container is None:
            found.append(_attachment(part, content))
            continue
        defects.extend(container.defects)
        text, html = text or container.text, html or container.html
        found.extend(_from_container(part.path, container))
    return Opened(attachments=tuple(found), text=text, html=html, defects=tuple(defects))


def uuencoded(part: Part) -> tuple[Attachment, ...]:
    """Return the uuencoded files in a text part; the text itself keeps them."""
    if b"begin" not in part.payload:
        return ()
    files = transfer.uuencoded(part.payload.replace(b"\r\n", b"\n"))[:MAX_OPENED]
    return tuple(
        make(f"{part.path}/{number}", content, name=name, kind="") for number, (name, content) in enumerate(files, 1)
    )


def extract(raw: bytes, part: str) -> bytes:
    """Return the bytes of the attachment that `Attachment.part` names in a raw mail.

    Raises KeyError where the mail has no such part.
    """
    path, _, inner = part.partition("/")
    root, _ = structure.split(raw)
    for leaf in body.leaves(root):
        if leaf.path == path:
            content, _ = content_of(leaf)
            return _inside(leaf, content, inner) if inner else content
    raise KeyError(part)


def _inside(leaf: Part, content: bytes, inner: str) -> bytes:
    if is_tnef(leaf, content):
        container = tnef.read(content)
        found = _from_container(leaf.path, container) if container else ()
    else:
        found = uuencoded(leaf)
    for attachment in found:
        if attachment.part == f"{leaf.path}/{inner}":
            return attachment.content
    raise KeyError(f"{leaf.path}/{inner}")


def content_of(part: Part) -> tuple[bytes, str | None]:
    """Return a leaf's bytes and what was wrong with them. An attached mail is kept byte by byte."""
    return part.decoded


def is_tnef(part: Part, content: bytes) -> bool:
    """Say whether a part is a winmail.dat, by its type or its name, and by its first bytes."""
    named = part.content_type in TNEF_TYPES or part.filename.lower().endswith("winmail.dat")
    return named and content.startswith(tnef.SIGNATURE)


def _from_container(path: str, container: tnef.Container) -> tuple[Attachment, ...]:
    return tuple(
        make(f"{path}/{number}", file.content, name=file.name, kind=file.content_type, content_id=file.content_id)
        for number, file in enumerate(container.files[:MAX_OPENED], 1)
    )


def _attachment(part: Part, content: bytes) -> Attachment:
    content_id = (part.headers.first("content-id") or "").strip().strip("<>").strip()
    disposition = part.headers.disposition()
    shown = disposition == "inline" or (
        not disposition.startswith("attach") and bool(content_id) and part.content_type.startswith("image/")
    )
    name = part.filename or _message_name(part)
    return make(
        part.path,
        content,
        name=name,
        kind=part.content_type,
        content_id=content_id or None,
        inline=shown,
        description=part.headers.first("content-description") or "",
    )


def _message_name(part: Part) -> str:
    """Name an attached mail after its subject."""
    if part.content_type not in MESSAGES or not part.message.is_multipart():
        return ""
    inner = part.message.get_payload(0)
    subject = inner.headers().first("subject") if isinstance(inner, structure.Entity) else None
    return f"{subject[:100]}.eml" if subject else ""


def make(
    path: str,
    content: bytes,
    *,
    name: str,
    kind: str,
    content_id: str | None = None,
    inline: bool = False,
    description: str = "",
) -> Attachment:
    """Return an attachment with a safe name and a type, both made up where the mail gives none."""
    safe = naming.safe(name)
    content_type = naming.type_of(kind, safe, content)
    return Attachment(
        part=path,
        filename=safe or naming.made_up(path, content_type, description),
        content_type=content_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=inline,
        content_id=content_id,
        content=content,
    )


def each_calendar(attachments: tuple[Attachment, ...]) -> Iterator[Attachment]:
    """Yield the calendar files among the attachments."""
    for attachment in attachments:
        if attachment.content_type in CALENDARS or attachment.filename.lower().endswith(".ics"):
            yield attachment
