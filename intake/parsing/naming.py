"""Names and types of files: made safe where the mail gives them, made up where it does not."""

from __future__ import annotations

import mimetypes
import re
import unicodedata

import filetype

from intake.parsing.limits import MAX_FILENAME

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
SVG = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,500}?-->\s*)?(?:<!DOCTYPE svg[^>]{0,300}>\s*)?<svg\b",
    re.DOTALL | re.IGNORECASE,
)
HTML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html\b|<head\b|<body\b)", re.IGNORECASE)
ABSOLUTE = re.compile(r"^(?:[A-Za-z]:)?[\\/].*[\\/]|^[A-Za-z]:[\\/]|^(?:\.\.?[\\/])+(?:.*[\\/])?")
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\/\u202a-\u202e\u2066-\u2069]+")
MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,120}")


def safe(name: str) -> str:
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


def type_of(declared: str, name: str, content: bytes) -> str:
    """Return the media type that the mail declares, or, where that is none, what the content or the name show."""
    if MEDIA_TYPE.fullmatch(declared):
        return declared
    found = _sniffed(content) or mimetypes.guess_type(name)[0]
    return found or ("text/plain" if _is_text(content) else "application/octet-stream")


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


def made_up(path: str, content_type: str, description: str) -> str:
    """Return a name for a file that has none: its description where that looks like one, else from its type."""
    described = safe(description)
    extension = EXTENSIONS.get(content_type) or mimetypes.guess_extension(content_type) or ".bin"
    if re.fullmatch(r".{1,80}\.[A-Za-z0-9]{2,5}", described):
        return described
    stem = STEMS.get(content_type)
    return f"{stem}{extension}" if stem else f"attachment-{re.sub('[^0-9]', '-', path)}{extension}"
