"""What a batch is written into: opened with a few queries, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from intake.record.storable import NAME_LIMIT, clean
from intake.routing.participants import author, copied
from intake.types import AppendArticle, Arrival, Decision, Facts, OpenTicket, Person, RecordBounce
from shared import people
from shared.addresses import address_key
from shared.caps import Caps
from shared.models import Delivery, InboundMessage, Participant, Ticket, User
from shared.tokens import Tokens

Decided = tuple[Arrival, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The session, people by address key, rows by id."""

    session: Session
    tokens: Tokens
    now: datetime
    own: frozenset[str]
    users: dict[str, User]
    tickets: dict[int, Ticket]
    rows: dict[int, InboundMessage]
    known: set[tuple[str, int]]
    members: dict[tuple[int, int], Participant]
    copies: dict[int, Delivery]
    caps: Caps


def open_books(
    session: Session, decided: Sequence[Decided], facts: Facts, tokens: Tokens, now: datetime, caps: Caps
) -> Books:
    """Lock and read what the decisions about a batch touch; people who are new are made."""
    numbers = {d.ticket for _, d in decided if isinstance(d, AppendArticle | RecordBounce) and d.ticket}
    numbers |= {d.follows for _, d in decided if isinstance(d, OpenTicket) and d.follows}
    ids = [arrival.inbound_id for arrival, _ in decided]
    rows = session.scalars(select(InboundMessage).where(InboundMessage.id.in_(ids)))
    found = session.scalars(
        select(Ticket).where(Ticket.id.in_(numbers)).order_by(Ticket.id).with_for_update(key_share=True)
    )
    members = session.scalars(select(Participant).where(Participant.ticket_id.in_(numbers)))
    return Books(
        session=session,
        tokens=tokens,
        now=now,
        own=facts.own,
        users=_people(session, decided, facts, now),
        tickets={ticket.id: ticket for ticket in found},
        rows={row.id: row for row in rows},
        known={(digest, mailbox) for digest, places in facts.seen.items() for mailbox in places},
        copies=_copies(session, decided),
        caps=caps,
        members={(member.ticket_id, member.user_id): member for member in members},
    )


def _copies(session: Session, decided: Sequence[Decided]) -> dict[int, Delivery]:
    """What we sent that came back, by id; locked, so that nobody who sends it writes over it."""
    ids = {d.delivery_id for _, d in decided if isinstance(d, RecordBounce) and d.delivery_id is not None}
    if not ids:
        return {}
    rows = session.scalars(select(Delivery).where(Delivery.id.in_(ids)).order_by(Delivery.id).with_for_update())
    return {row.id: row for row in rows}


def _people(session: Session, decided: Sequence[Decided], facts: Facts, now: datetime) -> dict[str, User]:
    """Everybody whom the batch makes known, by address key; those who are new are made."""
    named: dict[str, Person] = {}
    for arrival, decision in decided:
        if isinstance(decision, OpenTicket | AppendArticle):
            for person in (author(arrival.message), *copied(arrival, facts.own)):
                key = address_key(person.address)
                if key not in named or not named[key].name:
                    named[key] = person
    known = people.users_of_addresses(session, named)
    for key, person in sorted(named.items()):
        name = clean(person.name)
        if key not in known:
            known[key] = people.new_user(person.address, name, now)
            session.add(known[key])
        elif name and not known[key].name:
            known[key].name = " ".join(name.split())[:NAME_LIMIT]
    session.flush()
    return known
