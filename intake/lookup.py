"""Gather the facts for a batch of mail: the only reads for a decision, a few queries whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from intake.routing.participants import author, copied
from intake.routing.threading import claimed_tickets, references, suffixes
from intake.types import Arrival, Block, Facts, Reference, SentCopy, Thread
from shared import people, tickets
from shared.addresses import address_key, is_own
from shared.models import (
    Address,
    Delivery,
    Fingerprint,
    InboundMessage,
    InboundState,
    MessageRef,
    Participant,
    Role,
    Ticket,
    TicketTombstone,
    User,
)
from shared.references import reference_key
from shared.tokens import Tokens

Key = TypeVar("Key", int, str)


def gather(session: Session, batch: Sequence[Arrival], tokens: Tokens, *, lock: bool = True) -> Facts:
    """Read all that the decisions about a batch depend on.

    Locks the ticket counter, then the tickets that the batch names: until the transaction ends nobody else files
    mail or changes them, so that what is read here stays true, and two workers cannot open two tickets for one
    thread. Without `lock` it only looks and holds nobody up.
    """
    last_number = tickets.last_number(session, lock=lock)
    own = people.own_addresses(session)
    known = _references(session, batch)
    numbers = {reference.ticket for reference in known.values()}
    for arrival in batch:
        numbers |= claimed_tickets(arrival, own, tokens)
    threads = _threads(session, numbers, lock=lock)
    copies = _copies(session, batch, own, tokens)
    seen = _seen(session, batch)
    return Facts(
        own=own,
        staff=_staff(session, batch),
        threads=threads,
        deleted=_deleted(session, numbers - threads.keys()),
        references=known,
        seen=seen,
        discarded=_discarded(session, seen),
        copies={copy.delivery_id: copy for _, copy in copies},
        copies_of=_by_message_id(copies),
        last_number=last_number,
        same_person=_same_person(session, batch, own),
        blocked=_blocked(session, batch, own),
        message_ids=_message_ids(session, batch),
    )


def _references(session: Session, batch: Sequence[Arrival]) -> dict[str, Reference]:
    keys: set[str] = set()
    for arrival in batch:
        keys |= {reference_key(known) for known in references(arrival.message)}
        if arrival.message.message_id:
            keys.add(reference_key(arrival.message.message_id))
    found: dict[str, Reference] = {}
    for part in _chunks(sorted(keys)):
        for row in session.execute(
            select(MessageRef.key, MessageRef.ticket_id, MessageRef.arrived).where(MessageRef.key.in_(part))
        ):
            found[row.key] = Reference(ticket=row.ticket_id, arrived=row.arrived)
    return found


def _threads(session: Session, numbers: set[int], *, lock: bool) -> dict[int, Thread]:
    found: dict[int, Thread] = {}
    for part in _chunks(sorted(numbers)):
        named = select(Ticket.id, Ticket.status, Ticket.requester_id).where(Ticket.id.in_(part)).order_by(Ticket.id)
        rows = session.execute(named.with_for_update(key_share=True) if lock else named).all()
        people = _people(session, [row.id for row in rows])
        for row in rows:
            present, gone = people.get(row.id, {}), people.get(-row.id, {})
            found[row.id] = Thread(
                number=row.id,
                status=row.status.value,
                requester=frozenset(present.get(row.requester_id, ())),
                participants=frozenset().union(*present.values()),
                removed=frozenset().union(*gone.values()),
            )
    return found


def _people(session: Session, numbers: Sequence[int]) -> dict[int, dict[int, set[str]]]:
    """Return {ticket: {user: address keys}}; those who were taken off it stand under the negative number."""
    rows = session.execute(
        select(Participant.ticket_id, Participant.user_id, Participant.removed_at, Address.key)
        .join(Address, Address.user_id == Participant.user_id)
        .where(Participant.ticket_id.in_(numbers))
    )
    found: dict[int, dict[int, set[str]]] = {}
    for row in rows:
        number = row.ticket_id if row.removed_at is None else -row.ticket_id
        found.setdefault(number, {}).setdefault(row.user_id, set()).add(row.key)
    return found


def _deleted(session: Session, numbers: set[int]) -> frozenset[int]:
    return frozenset(
        number
        for part in _chunks(sorted(numbers))
        for number in session.scalars(select(TicketTombstone.id).where(TicketTombstone.id.in_(part)))
    )


def _staff(session: Session, batch: Sequence[Arrival]) -> frozenset[str]:
    staff = select(Address.key).join(User).where(Address.key.in_(_senders(batch)), User.role != Role.REQUESTER)
    return frozenset(session.scalars(staff))


def _blocked(session: Session, batch: Sequence[Arrival], own: frozenset[str]) -> dict[str, Block]:
    """The blocked senders; an address that became ours, or that of somebody who works here, is blocked no more."""
    rows = session.scalars(
        select(Address)
        .join(User)
        .where(Address.key.in_(_senders(batch)), Address.blocked_at.is_not(None), User.role == Role.REQUESTER)
    )
    return {
        row.key: Block(address=row.email, since=row.blocked_at, by=row.blocked_by or "somebody")
        for row in rows
        if row.blocked_at is not None and not is_own(row.key, own)
    }


def _senders(batch: Sequence[Arrival]) -> list[str]:
    return sorted({address_key(author(arrival.message).address) for arrival in batch})


def _message_ids(session: Session, batch: Sequence[Arrival]) -> dict[str, int]:
    named = {reference_key(arrival.message.message_id) for arrival in batch if arrival.message.message_id}
    kept = InboundMessage.message_id.in_(sorted(named)), InboundMessage.state != InboundState.DISCARDED
    first = select(InboundMessage.message_id, func.min(InboundMessage.id)).where(*kept)
    return {known: number for known, number in session.execute(first.group_by(InboundMessage.message_id)) if known}


def _same_person(session: Session, batch: Sequence[Arrival], own: frozenset[str]) -> dict[str, frozenset[str]]:
    named = {author(arrival.message) for arrival in batch} | {p for arrival in batch for p in copied(arrival, own)}
    known = select(Address.user_id).where(Address.key.in_(sorted({address_key(person.address) for person in named})))
    persons = people.addresses_of(session, session.scalars(known)).values()
    return {key: keys for keys in persons if len(keys) > 1 for key in keys}


def _seen(session: Session, batch: Sequence[Arrival]) -> dict[str, dict[int, int]]:
    digests = sorted({arrival.message.fingerprint for arrival in batch})
    found: dict[str, dict[int, int]] = {}
    for row in session.scalars(select(Fingerprint).where(Fingerprint.digest.in_(digests))):
        found.setdefault(row.digest, {})[row.mailbox_id] = row.inbound_id
    return found


def _discarded(session: Session, seen: Mapping[str, Mapping[int, int]]) -> frozenset[int]:
    first = sorted({number for arrivals in seen.values() for number in arrivals.values()})
    aside = select(InboundMessage.id).where(InboundMessage.state == InboundState.DISCARDED)
    parts = (session.scalars(aside.where(InboundMessage.id.in_(part))) for part in _chunks(first))
    return frozenset(number for part in parts for number in part)


def _copies(
    session: Session, batch: Sequence[Arrival], own: frozenset[str], tokens: Tokens
) -> list[tuple[str, SentCopy]]:
    """Return what we sent that the bounces of the batch may be about, each with its Message-ID."""
    bounced = [arrival for arrival in batch if arrival.message.bounce is not None]
    ids = {tokens.delivery_of_bounce(suffix) for arrival in bounced for suffix in suffixes(arrival, own)} - {None}
    originals = {a.message.bounce.original_message_id for a in bounced if a.message.bounce is not None} - {None}
    wanted: list[ColumnElement[bool]] = []
    if ids:
        wanted.append(Delivery.id.in_(ids))
    if originals:
        wanted.append(Delivery.message_id.in_(originals))
    if not wanted:
        return []
    rows = session.scalars(select(Delivery).where(or_(*wanted)).order_by(Delivery.id))
    return [
        (row.message_id, SentCopy(delivery_id=row.id, recipient=address_key(row.recipient), ticket=row.ticket_id))
        for row in rows
    ]


def _by_message_id(copies: Iterable[tuple[str, SentCopy]]) -> dict[str, tuple[SentCopy, ...]]:
    found: dict[str, tuple[SentCopy, ...]] = {}
    for message_id, copy in copies:
        found[message_id] = (*found.get(message_id, ()), copy)
    return found


def _chunks(values: Sequence[Key], size: int = 5000) -> Iterable[Sequence[Key]]:
    """Yield parts that fit into one statement (SQLite takes 32,766 parameters)."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
