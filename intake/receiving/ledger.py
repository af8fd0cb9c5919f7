"""Write mail into the ledger: the row whose state changes, and the bytes that never do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import zstandard
from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from intake.types import RawMessage
from shared.models import InboundMessage, InboundRaw

ZSTD_LEVEL = 3
POSITION = ("mailbox_id", "folder", "uidvalidity", "uid")
MESSAGES: Table = InboundMessage.metadata.tables["inbound_message"]
RAWS: Table = InboundRaw.metadata.tables["inbound_raw"]

Row = Mapping[str, Any]


def compress(content: bytes) -> bytes:
    """The stored form of a raw mail: one zstd frame that says its own size."""
    return zstandard.compress(content, ZSTD_LEVEL)


def store(session: Session, copies: Sequence[RawMessage], packed: Sequence[bytes], now: datetime) -> list[int]:
    """Insert mails, with their compressed contents in the same order, and return the rows' ids."""
    rows = [_row(raw, now) for raw in copies]
    ids = list(session.scalars(insert(MESSAGES).returning(MESSAGES.c.id, sort_by_parameter_order=True), rows))
    session.execute(insert(RAWS), [{"inbound_id": i, "content": c} for i, c in zip(ids, packed, strict=True)])
    return ids


def store_positioned(
    session: Session, batch: Sequence[RawMessage], packed: Sequence[bytes], now: datetime
) -> list[int | None]:
    """Insert mails that stand on an IMAP server; None for those whose position the ledger has already."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    columns = [MESSAGES.c[name] for name in POSITION]
    statement = dialect.insert(MESSAGES).on_conflict_do_nothing(index_elements=POSITION)
    rows = [_row(raw, now) for raw in batch]
    stored = session.execute(statement.returning(MESSAGES.c.id, *columns), rows)
    new: dict[tuple[Any, ...], int] = {tuple(row[1:]): row[0] for row in stored}
    ids = [new.pop(tuple(row[name] for name in POSITION), None) for row in rows]
    contents = [{"inbound_id": i, "content": c} for i, c in zip(ids, packed, strict=True) if i is not None]
    if contents:
        session.execute(insert(RAWS), contents)
    return ids


def _row(raw: RawMessage, now: datetime) -> Row:
    place = raw.position
    return {
        "source": raw.source.value,
        "mailbox_id": raw.mailbox_id,
        "folder": place.folder if place else None,
        "uidvalidity": place.uidvalidity if place else None,
        "uid": place.uid if place else None,
        "told_size": place.told_size if place else None,
        "internal_date": place.internal_date if place else None,
        "envelope_from": None if raw.envelope_from is None else raw.envelope_from[:320],
        "envelope_to": list(raw.envelope_to),
        "received_at": raw.received_at,
        "due_at": now,
        "size": len(raw.content),
        "quiet": raw.quiet,
        "notes": list(raw.notes),
    }
