"""What a decision depends on: the mail that arrived, and the facts about the desk as of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from intake.types.reading import ParsedMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOrder:
    """What a person decided about a mail: `join` the ticket, `open` one, or `refresh` what was read in it.

    `by` is who; None is the clock, or the command line.
    """

    action: str
    ticket: int | None
    by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A stored mail that has been read, on its way to a decision. `mailbox` is the address it came to."""

    inbound_id: int
    mailbox_id: int
    mailbox: str
    message: ParsedMessage
    received_at: datetime
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    quiet: bool = False
    order: PersonOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A ticket as the rules see one. Addresses are keys (`shared.addresses.address_key`).

    `participants` are all addresses of the requester and the cc; `removed` those of people whom an
    agent took off the ticket, whose tokens stopped working.
    """

    number: int
    status: str
    requester: frozenset[str]
    participants: frozenset[str]
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCopy:
    """A delivery of ours that a bounce can be about. `recipient` is an address key."""

    delivery_id: int
    recipient: str
    ticket: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A Message-ID that is known: the ticket it led to, and whether that message itself is here."""

    ticket: int
    arrived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """That somebody blocked an address: since when, and who did, by name."""

    address: str
    since: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decisions about a batch depend on, as of one moment.

    `own`: address keys of our mailboxes. `staff`: those of agents and administrators among the senders.
    `references`: known Message-IDs. `seen`: fingerprint to {mailbox id: inbound id}; `discarded`: those of them that
    were put aside. `copies`: deliveries by id, `copies_of`: by their Message-ID. `last_number` is the last number given
    to a ticket. `same_person`: address key to all address keys of that person, where the batch names somebody with more
    than one. `blocked`: address keys among the senders whose mail is not wanted. `message_ids`: Message-ID
    (`shared.references.reference_key`) to the first arrival that has it and was not discarded.
    """

    own: frozenset[str] = frozenset()
    staff: frozenset[str] = frozenset()
    threads: Mapping[int, Thread] = field(default_factory=dict)
    deleted: frozenset[int] = frozenset()
    references: Mapping[str, Reference] = field(default_factory=dict)
    seen: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    discarded: frozenset[int] = frozenset()
    copies: Mapping[int, SentCopy] = field(default_factory=dict)
    copies_of: Mapping[str, tuple[SentCopy, ...]] = field(default_factory=dict)
    last_number: int = 0
    same_person: Mapping[str, frozenset[str]] = field(default_factory=dict)
    blocked: Mapping[str, Block] = field(default_factory=dict)
    message_ids: Mapping[str, int] = field(default_factory=dict)
