"""The fingerprint by which a mail that arrives twice is known again."""

from __future__ import annotations

import hashlib
from email.message import Message

from intake.parsing.structure import Entity

PARTS = ("message-id", "from", "date", "subject")


def fingerprint(content: bytes, root: Message) -> str:
    """Return a SHA-256 hex digest that is the same however the mail came.

    Over Message-ID, From, Date, Subject and the body with LF line ends, because trace headers differ between
    two ways of delivery; over the whole mail with LF line ends where there is no Message-ID.
    """
    values = [str(root.get(name, "")) for name in PARTS]
    if not values[0].strip():
        return hashlib.sha256(_lf(content)).hexdigest()
    digest = hashlib.sha256()
    for value in values:
        digest.update(" ".join(value.split()).encode("utf-8", "surrogateescape") + b"\0")
    body = root.source if isinstance(root, Entity) else content
    digest.update(_lf(body).rstrip(b"\n"))
    return digest.hexdigest()


def _lf(content: bytes) -> bytes:
    """Return content with LF line ends. A CR that stands alone goes too, which is much faster and as telling."""
    return content.translate(None, b"\r")
