"""Carry out the decisions about a batch, and write in the ledger what became of each mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from intake.record.books import Books, Decided, open_books
from intake.record.bounces import record_bounce
from intake.record.filing import append_article, open_ticket
from intake.record.refreshing import refresh_article
from intake.record.storable import ADDRESS_LIMIT, NAME_LIMIT, clean
from intake.routing.outlook import references_of
from intake.types import (
    ACTIONS,
    AppendArticle,
    Arrival,
    Decision,
    Discard,
    Facts,
    Hold,
    OpenTicket,
    Quarantine,
    RecordBounce,
    Refresh,
)
from shared import tickets
from shared.caps import DEFAULT_CAPS, Caps
from shared.models import Article, EventKind, Fingerprint, InboundMessage, InboundState, MessageRef, Ticket
from shared.tokens import Tokens

STATES: dict[type[Decision], InboundState] = {
    OpenTicket: InboundState.PROCESSED,
    AppendArticle: InboundState.PROCESSED,
    RecordBounce: InboundState.PROCESSED,
    Hold: InboundState.HELD,
    Discard: InboundState.DISCARDED,
    Quarantine: InboundState.QUARANTINED,
    Refresh: InboundState.PROCESSED,
}


def apply(
    session: Session,
    decided: Sequence[Decided],
    facts: Facts,
    tokens: Tokens,
    now: datetime,
    caps: Caps = DEFAULT_CAPS,
) -> None:
    """Write the decisions about a batch. `facts` are those that were gathered before the first of them.

    New tickets get the numbers after `facts.last_number`, in the order of the batch.
    """
    books = open_books(session, decided, facts, tokens, now, caps)
    number = facts.last_number
    for arrival, decision in decided:
        match decision:
            case OpenTicket():
                number += 1
                open_ticket(books, arrival, decision, number)
            case AppendArticle():
                append_article(books, arrival, decision)
            case RecordBounce():
                record_bounce(books, arrival, decision)
            case Discard():
                _also_at(books, arrival, decision)
            case Refresh():
                refresh_article(books, arrival)
        _settle(books, arrival, decision, number)
    tickets.take_number(session, number)
    _keep_references(session, decided, facts)
    session.flush()


def _settle(books: Books, arrival: Arrival, decision: Decision, number: int) -> None:
    row = books.rows[arrival.inbound_id]
    _summarise(row, arrival)
    row.state = STATES[type(decision)]
    row.last_error = row.lease_by = row.lease_until = None
    if isinstance(decision, Refresh):
        row.person_order = None
        return
    row.action = ACTIONS[type(decision)]
    row.reason = decision.reason
    row.clues = [_plain(asdict(clue)) for clue in decision.clues]
    row.ticket_number = number if isinstance(decision, OpenTicket) else getattr(decision, "ticket", None)
    row.processed_at = books.now
    place = (arrival.message.fingerprint, arrival.mailbox_id)
    if place not in books.known:
        books.known.add(place)
        books.session.add(Fingerprint(digest=place[0], mailbox_id=place[1], inbound_id=arrival.inbound_id))


def _plain(clue: dict[str, Any]) -> dict[str, Any]:
    return {name: clean(value, 500) if isinstance(value, str) else value for name, value in clue.items()}


def _summarise(row: InboundMessage, arrival: Arrival) -> None:
    """Note in the ledger what the mail says of itself."""
    message = arrival.message
    who = message.sender
    row.message_id = clean(message.message_id, 255) if message.message_id else None
    row.from_address = clean(who.address, ADDRESS_LIMIT) if who else None
    row.from_name = clean(who.name, NAME_LIMIT) if who else None
    row.subject = clean(message.subject, tickets.SUBJECT_LIMIT)
    row.sent_at = message.date
    row.kind = message.kind.value


def _also_at(books: Books, arrival: Arrival, decision: Discard) -> None:
    """Note on the ticket that the same mail came to another mailbox as well."""
    made = select(Ticket).join(Article).join(Article.inbound)
    elsewhere = InboundMessage.id == decision.duplicate_of, InboundMessage.mailbox_id != arrival.mailbox_id
    ticket = books.session.scalar(made.where(*elsewhere)) if decision.duplicate_of is not None else None
    if ticket is not None:
        tickets.add_event(books.session, ticket, EventKind.ALSO_AT, books.now, mailbox=arrival.mailbox)


def _keep_references(session: Session, decided: Sequence[Decided], facts: Facts) -> None:
    new: dict[str, MessageRef] = {}
    arrived: set[str] = set()
    number = facts.last_number
    for arrival, decision in decided:
        if isinstance(decision, OpenTicket):
            number += 1
        if not isinstance(decision, OpenTicket | AppendArticle):
            continue
        ticket = number if isinstance(decision, OpenTicket) else decision.ticket
        for key, reference in references_of(arrival, ticket).items():
            known = facts.references.get(key)
            if known is None:
                row = new.setdefault(key, MessageRef(key=clean(key), ticket_id=ticket, arrived=False))
                row.arrived = row.arrived or reference.arrived
            elif reference.arrived and not known.arrived:
                arrived.add(key)
    session.add_all(new.values())
    session.execute(update(MessageRef).where(MessageRef.key.in_(sorted(arrived))).values(arrived=True))
