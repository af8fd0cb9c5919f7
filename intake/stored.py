"""A stored mail: how it is loaded from the ledger, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from intake import lookup
from intake.parsing.message import parse
from intake.types import Arrival, PersonOrder
from shared.blobs import raw_mail
from shared.models import InboundMessage, Mailbox

PART_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A mail out of the ledger that has not been read yet. `own` are our addresses, as keys.

    `notes` are sentences about what receiving did to it.
    """

    inbound_id: int
    mailbox_id: int
    mailbox: str
    received_at: datetime
    attempts: int
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    quiet: bool
    notes: tuple[str, ...]
    order: PersonOrder | None
    own: frozenset[str]
    content: bytes = field(repr=False)


Reader = Callable[[Stored], Arrival]


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
    own = lookup.own_addresses(session)
    rows = session.execute(
        select(InboundMessage, Mailbox.address).join(InboundMessage.mailbox).where(InboundMessage.id.in_(ids))
    )
    found = {row.id: (row, address) for row, address in rows}
    return [_stored(*found[number], own, raw_mail(session, number)) for number in ids if number in found]


def read(mail: Stored, trusted_hosts: frozenset[str] = frozenset()) -> Arrival:
    """Read one stored mail. Pure. What receiving did to it stands first among its defects."""
    message = parse(mail.content, own_addresses=mail.own, envelope_from=mail.envelope_from, trusted_hosts=trusted_hosts)
    return Arrival(
        inbound_id=mail.inbound_id,
        mailbox_id=mail.mailbox_id,
        mailbox=mail.mailbox,
        message=replace(message, defects=(*mail.notes, *message.defects)) if mail.notes else message,
        received_at=mail.received_at,
        envelope_from=mail.envelope_from,
        envelope_to=mail.envelope_to,
        quiet=mail.quiet,
        order=mail.order,
    )


def _stored(row: InboundMessage, mailbox: str, own: frozenset[str], content: bytes) -> Stored:
    return Stored(
        inbound_id=row.id,
        mailbox_id=row.mailbox_id,
        mailbox=mailbox,
        received_at=row.received_at,
        attempts=row.attempts,
        envelope_from=row.envelope_from,
        envelope_to=tuple(row.envelope_to),
        quiet=row.quiet,
        notes=tuple(row.notes),
        order=PersonOrder(**row.person_order) if row.person_order else None,
        own=own,
        content=content,
    )
