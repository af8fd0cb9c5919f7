"""Everything of a mail that is not its body, named and typed even where the mail does neither.

A part's name is its path in the mail ("2.1"); what was taken out of a container has the container's path and a
number behind it: "2/1" is the first file in the winmail.dat or the uuencoded text at "2".
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import filetype

from intake.types import Attachment
from intake.parsing import body, structure, tnef, transfer
from intake.parsing.body import Part
from intake.parsing.limits import MAX_FILENAME, MAX_OPENED

MESSAGES = ("message/rfc822", "message/global", "message/news")
TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "application/ics": ".ics",
    "text/x-vcard": ".vcf",
    "text/vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "text/x-amp-html": ".html",
    "message/delivery-status": ".txt",
    "message/global-delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/feedback-report": ".txt",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "message/news": ".eml",
    "application/ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pgp-keys": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "image/jpg": ".jpg",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/tiff": ".tiff",
    "audio/mpeg": ".mp3",
    "application/octet-stream": ".bin",
}
STEMS = {"text/calendar": "invite", "application/ics": "invite", "application/pgp-signature": "signature",
         "application/pkcs7-signature": "smime", "application/pkcs7-mime": "smime",
         "message/delivery-status": "delivery-status", "text/rfc822-headers": "headers"}  # fmt: skip
SVG = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?(?:<!DOCTYPE svg[^>]{0,300}>\s*)?<svg\b", re.S | re.I)
HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html\b|<head\b|<body\b)", re.I)
ABSOLUTE = re.compile(r"^(?:[A-Za-z]:)?[\\/].*[\\/]|^[A-Za-z]:[\\/]|^(?:\.\.?[\\/])+")
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\/\u202a-\u202e\u2066-\u2069]+")
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")


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
        make(path=f"{part.path}/{number}", name=name, kind="", content=content)
        for number, (name, content) in enumerate(files, 1)
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
        make(path=f"{path}/{number}", name=file.name, kind=file.content_type, content=file.content, content_id=file.content_id)
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
        path=part.path,
        name=name,
        kind=part.content_type,
        content=content,
        content_id=content_id or None,
        inline=shown,
        description=part.headers.first("content-description") or "",
    )


def _message_name(part: Part) -> str:
    """Name an attached mail after its subject."""
    if part.content_type not in MESSAGES or not part.message.is_multipart():
        return ""
    inner = part.message.get_payload()
    subject = inner[0].headers().first("subject") if inner and isinstance(inner[0], structure.Entity) else None
    return f"{subject[:100]}.eml" if subject else ""


def make(
    *, path: str, name: str, kind: str, content: bytes, content_id: str | None = None, inline: bool = False, description: str = ""
) -> Attachment:
    """Return an attachment with a safe name and a type, both made up where the mail gives none."""
    safe = safe_name(name)
    content_type = kind if MEDIA_TYPE.fullmatch(kind) else _guessed_type(safe, content)
    return Attachment(
        part=path,
        filename=safe or _made_up_name(path, content_type, safe_name(description)),
        content_type=content_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=inline,
        content_id=content_id,
        content=content,
    )


def safe_name(name: str) -> str:
    """Return a file's name without folders, control characters and direction marks, at most `MAX_FILENAME` long."""
    plain = unicodedata.normalize("NFC", name).strip()
    plain = UNSAFE.sub("_", ABSOLUTE.sub("", plain)).strip()
    if plain in ("", ".", "..", "_"):
        return ""
    if len(plain) > MAX_FILENAME:
        stem, dot, extension = plain.rpartition(".")
        keep = extension[:20] if dot and len(extension) <= 20 else ""
        plain = (stem if keep else plain)[: MAX_FILENAME - len(keep) - 1] + (f".{keep}" if keep else "")
    return plain


def _guessed_type(name: str, content: bytes) -> str:
    return _sniffed(content) or mimetypes.guess_type(name)[0] or ("text/plain" if _is_text(content) else "application/octet-stream")


def _sniffed(content: bytes) -> str | None:
    """Return the type that the first bytes show, or None."""
    head = content[:4096]
    if HTML.match(head):
        return "text/html"
    if SVG.match(head):
        return "image/svg+xml"
    kind = filetype.guess(head) if head else None
    return kind.mime if kind else None


def _is_text(content: bytes) -> bool:
    return b"\0" not in content[:4096] and not re.search(rb"[\x01-\x08\x0e-\x1a\x80-\xff]", content[:4096])


def _made_up_name(path: str, content_type: str, description: str) -> str:
    extension = EXTENSIONS.get(content_type) or mimetypes.guess_extension(content_type) or ".bin"
    if re.fullmatch(r".{1,80}\.[A-Za-z0-9]{2,5}", description):
        return description
    stem = STEMS.get(content_type)
    return f"{stem}{extension}" if stem else f"attachment-{re.sub('[^0-9]', '-', path)}{extension}"


def each_calendar(attachments: tuple[Attachment, ...]) -> Iterator[Attachment]:
    """Yield the calendar files among the attachments."""
    for attachment in attachments:
        if attachment.content_type in ("text/calendar", "application/ics") or attachment.filename.lower().endswith(".ics"):
            yield attachment
