"""A stored mail, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from intake.parsing.message import parse
from intake.types import Arrival, PersonOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A mail out of the ledger that has not been read yet. `own` are our addresses, as keys.

    `unended` counts the tries that have not ended, this one included; `notes` are sentences about what receiving did
    to it.
    """

    inbound_id: int
    mailbox_id: int
    mailbox: str
    received_at: datetime
    unended: int
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    quiet: bool
    notes: tuple[str, ...]
    order: PersonOrder | None
    own: frozenset[str]
    content: bytes = field(repr=False)


Reader = Callable[[Stored], Arrival]


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
