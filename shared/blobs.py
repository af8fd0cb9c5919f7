"""Bytes of files that did not come by mail, and the raw mails that the others are part of."""

from __future__ import annotations

from typing import Any

import zstandard
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.models import Blob, InboundRaw


def keep(session: Session, digest: str, content: bytes) -> None:
    """Store a file once under its SHA-256 (lower-case hex), whoever else stores it at the same moment."""
    if session.scalar(select(Blob.sha256).where(Blob.sha256 == digest)) is None:
        insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        session.execute(insert(Blob).values(sha256=digest, content=content).on_conflict_do_nothing())


def read(session: Session, digest: str) -> bytes:
    """The bytes of a stored file; raises sqlalchemy's NoResultFound where there is none."""
    return session.get_one(Blob, digest).content


def raw_mail(session: Session, inbound_id: int) -> bytes:
    """The bytes of a mail as they came; raises sqlalchemy's NoResultFound where there is none."""
    return zstandard.decompress(session.get_one(InboundRaw, inbound_id).content)
