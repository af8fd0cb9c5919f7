"""Bytes of files that did not come by mail, and the raw mails that the others are part of."""

from __future__ import annotations

import hashlib

import zstandard
from sqlalchemy.orm import Session

from shared.models import Blob, InboundRaw


def keep(session: Session, content: bytes) -> str:
    """Store a file once; returns its SHA-256 (lower-case hex)."""
    digest = hashlib.sha256(content).hexdigest()
    if session.get(Blob, digest) is None:
        session.merge(Blob(sha256=digest, content=content))
        session.flush()
    return digest


def read(session: Session, digest: str) -> bytes:
    """The bytes of a stored file; raises sqlalchemy's NoResultFound where there is none."""
    return session.get_one(Blob, digest).content


def raw_mail(session: Session, inbound_id: int) -> bytes:
    """The bytes of a mail as they came; raises sqlalchemy's NoResultFound where there is none."""
    return zstandard.decompress(session.get_one(InboundRaw, inbound_id).content)
