"""How stored mail is loaded from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from intake.reading import Stored
from intake.types import PersonOrder
from shared import people
from shared.blobs import raw_mail
from shared.models import InboundMessage, Mailbox

PART_BYTES = 32 * 1024 * 1024


def sizes_of(session: Session, ids: Sequence[int]) -> dict[int, int]:
    """How many bytes each of these mails has."""
    rows = session.execute(select(InboundMessage.id, InboundMessage.size).where(InboundMessage.id.in_(ids)))
    return {row.id: row.size for row in rows}


def parts(ids: Sequence[int], sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """Yield mails in parts that fit into memory, in their order."""
    part: list[int] = []
    size = 0
    for number in ids:
        if part and size + sizes[number] > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(number)
        size += sizes[number]
    if part:
        yield part


def load(session: Session, ids: Sequence[int]) -> list[Stored]:
    """Load stored mails by id, in the order of `ids`."""
    own = people.own_addresses(session)
    rows = session.execute(
        select(InboundMessage, Mailbox.address).join(InboundMessage.mailbox).where(InboundMessage.id.in_(ids))
    )
    found = {row.id: (row, address) for row, address in rows}
    return [_stored(*found[number], own, raw_mail(session, number)) for number in ids if number in found]


def _stored(row: InboundMessage, mailbox: str, own: frozenset[str], content: bytes) -> Stored:
    return Stored(
        inbound_id=row.id,
        mailbox_id=row.mailbox_id,
        mailbox=mailbox,
        received_at=row.received_at,
        unended=row.attempts - row.failures,
        envelope_from=row.envelope_from,
        envelope_to=tuple(row.envelope_to),
        quiet=row.quiet,
        notes=tuple(row.notes),
        order=PersonOrder(**row.person_order) if row.person_order else None,
        own=own,
        content=content,
    )
