"""Write what was decided: the only writes of the pipeline's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from intake.routing.outlook import references_of
from intake.routing.participants import author, copied, is_own
from intake.types import (
    ACTIONS,
    AppendArticle,
    Arrival,
    BounceAction,
    Decision,
    Discard,
    Facts,
    Hold,
    Kind,
    OpenTicket,
    Person,
    Quarantine,
    RecordBounce,
)
from shared import outbox, people, tickets
from shared.addresses import address_key
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Delivery,
    DeliveryState,
    EventKind,
    Fingerprint,
    InboundMessage,
    InboundState,
    Mailbox,
    MessageRef,
    Participant,
    ParticipantRole,
    Ticket,
    User,
)
from shared.tokens import Tokens

STATES = {
    OpenTicket: InboundState.PROCESSED,
    AppendArticle: InboundState.PROCESSED,
    RecordBounce: InboundState.PROCESSED,
    Hold: InboundState.HELD,
    Discard: InboundState.DISCARDED,
    Quarantine: InboundState.QUARANTINED,
}
ADDRESS_LIMIT = 320
NAME_LIMIT = 200
ID_LIMIT = 998

Decided = tuple[Arrival, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a batch is written into: the session, people by address key, rows by id."""

    session: Session
    tokens: Tokens
    now: datetime
    own: frozenset[str]
    users: dict[str, User]
    tickets: dict[int, Ticket]
    rows: dict[int, InboundMessage]
    known: set[tuple[str, int]]
    members: dict[tuple[int, int], Participant]


def apply(session: Session, decided: Sequence[Decided], facts: Facts, tokens: Tokens, now: datetime) -> None:
    """Write the decisions about a batch. `facts` are those that were gathered before the first of them.

    New tickets get the numbers after `facts.last_number`, in the order of the batch.
    """
    books = _open_books(session, decided, facts, tokens, now)
    number = facts.last_number
    for arrival, decision in decided:
        match decision:
            case OpenTicket():
                number += 1
                _open(books, arrival, decision, number)
            case AppendArticle():
                _append(books, arrival, decision)
            case RecordBounce():
                _bounce(books, arrival, decision)
            case Discard():
                _also_at(books, arrival, decision)
        _settle(books, arrival, decision, number)
    tickets.take_number(session, number)
    _keep_references(session, decided, facts)
    session.flush()


def summarise(row: InboundMessage, arrival: Arrival) -> None:
    """Note in the ledger what the mail says of itself."""
    message = arrival.message
    who = message.sender
    row.message_id = clean(message.message_id, 255) if message.message_id else None
    row.from_address = clean(who.address, ADDRESS_LIMIT) if who else None
    row.from_name = clean(who.name, NAME_LIMIT) if who else None
    row.subject = clean(message.subject, tickets.SUBJECT_LIMIT)
    row.sent_at = message.date
    row.kind = message.kind.value


def clean(text: str, limit: int | None = None) -> str:
    """Text as every database takes it: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:limit]


# ------------------------------------------------------------------ opening the books


def _open_books(session: Session, decided: Sequence[Decided], facts: Facts, tokens: Tokens, now: datetime) -> Books:
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
        members={(member.ticket_id, member.user_id): member for member in members},
    )


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


# ------------------------------------------------------------------ one decision each


def _open(books: Books, arrival: Arrival, decision: OpenTicket, number: int) -> None:
    requester = books.users[address_key(author(arrival.message).address)]
    ticket = Ticket(
        id=number,
        subject=tickets.clean_subject(clean(arrival.message.subject)),
        requester=requester,
        requester_id=requester.id,
        mailbox_id=arrival.mailbox_id,
        created_at=books.now,
        last_activity_at=books.now,
    )
    ticket.mailbox = books.session.get_one(Mailbox, arrival.mailbox_id)
    books.tickets[number] = ticket
    books.session.add(ticket)
    books.session.flush()
    _take_part(books, ticket, requester, ParticipantRole.REQUESTER)
    _copy_in(books, ticket, arrival)
    _write(books, ticket, arrival, stranger=False)
    if decision.follows is not None:
        tickets.link(books.session, ticket, books.tickets[decision.follows], books.now)
    if decision.acknowledge:
        outbox.queue_acknowledgement(books.session, ticket, tokens=books.tokens, now=books.now)


def _append(books: Books, arrival: Arrival, decision: AppendArticle) -> None:
    ticket = books.tickets.get(decision.ticket) or books.session.get_one(Ticket, decision.ticket)
    books.tickets[ticket.id] = ticket
    sender = books.users[address_key(author(arrival.message).address)]
    _write(books, ticket, arrival, stranger=decision.stranger)
    ticket.last_activity_at = max(ticket.last_activity_at, books.now)
    if sender.id == ticket.requester_id:
        _copy_in(books, ticket, arrival)
    if decision.reopen:
        tickets.reopen(books.session, ticket, books.now, actor=sender)
    if arrival.order is not None and arrival.order.by is not None:
        agent = books.session.get(User, arrival.order.by)
        tickets.add_event(books.session, ticket, EventKind.JOINED, books.now, actor=agent, inbound=arrival.inbound_id)


def _bounce(books: Books, arrival: Arrival, decision: RecordBounce) -> None:
    report = arrival.message.bounce
    copy = books.session.get(Delivery, decision.delivery_id) if decision.delivery_id is not None else None
    if report is None or copy is None or not _has_left(copy):
        return
    words = clean(report.diagnostic or report.status or "The other server gave no reason.", 2000)
    if report.action is BounceAction.FAILED:
        copy.state = DeliveryState.FAILED
        copy.bounced_at = books.now
        copy.last_error = words
    ticket = books.tickets.get(copy.ticket_id) if copy.ticket_id is not None else None
    if ticket is not None and report.action is not BounceAction.DELIVERED:
        detail: dict[str, Any] = {"recipient": copy.recipient, "status": report.status, "diagnostic": words}
        tickets.add_event(books.session, ticket, EventKind.BOUNCED, books.now, action=report.action.value, **detail)
        ticket.last_activity_at = max(ticket.last_activity_at, books.now)


def _has_left(copy: Delivery) -> bool:
    """Whether mail of ours can have come back. A report about a copy that still waits is forged, and stops nothing."""
    if copy.state is DeliveryState.SENDING:
        return copy.handed_over_at is not None
    return copy.state not in {DeliveryState.QUEUED, DeliveryState.DEFERRED}


def _also_at(books: Books, arrival: Arrival, decision: Discard) -> None:
    """Note on the ticket that the same mail came to another mailbox as well."""
    first = books.session.get(InboundMessage, decision.duplicate_of) if decision.duplicate_of else None
    if first is None or first.mailbox_id == arrival.mailbox_id or first.state is not InboundState.PROCESSED:
        return
    ticket = books.session.get(Ticket, first.ticket_number) if first.ticket_number is not None else None
    if ticket is not None:
        tickets.add_event(books.session, ticket, EventKind.ALSO_AT, books.now, mailbox=arrival.mailbox)


# ------------------------------------------------------------------ the rows


def _write(books: Books, ticket: Ticket, arrival: Arrival, *, stranger: bool) -> None:
    message = arrival.message
    writer = author(message)
    article = Article(
        ticket_id=ticket.id,
        kind=ArticleKind.MESSAGE,
        author_id=books.users[address_key(writer.address)].id,
        inbound_id=arrival.inbound_id,
        message_id=clean(message.message_id, ID_LIMIT) if message.message_id else None,
        from_address=clean(writer.address, ADDRESS_LIMIT),
        to=_pairs(message.to),
        cc=_pairs(message.cc),
        reply_to=_reply_to(arrival, books.own),
        subject=clean(message.subject, tickets.SUBJECT_LIMIT),
        text=clean(message.text),
        reply_text=clean(message.reply_text),
        folds=[[fold.start, fold.end, fold.kind.value] for fold in message.folds],
        html=clean(message.html) if message.html is not None else None,
        automatic=message.kind is not Kind.NORMAL,
        stranger=stranger,
        defects=[clean(defect, 500) for defect in message.defects],
        created_at=books.now,
    )
    article.attachments = [
        Attachment(
            part=attachment.part,
            filename=clean(attachment.filename, 255),
            content_type=clean(attachment.content_type, 255),
            size=attachment.size,
            sha256=attachment.sha256,
            inline=attachment.inline,
            content_id=clean(attachment.content_id, ID_LIMIT) if attachment.content_id else None,
        )
        for attachment in message.attachments
    ]
    books.session.add(article)


def _pairs(persons: Sequence[Person]) -> list[list[str]]:
    return [[clean(person.address, ADDRESS_LIMIT), clean(person.name, NAME_LIMIT)] for person in persons[:100]]


def _reply_to(arrival: Arrival, own: frozenset[str]) -> str | None:
    """A single Reply-To that differs from the sender; answers go there."""
    message = arrival.message
    if len(message.reply_to) != 1 or message.kind is not Kind.NORMAL:
        return None
    address = message.reply_to[0].address
    same = address_key(address) == address_key(author(message).address)
    return None if same or is_own(address, own) else clean(address, ADDRESS_LIMIT)


def _copy_in(books: Books, ticket: Ticket, arrival: Arrival) -> None:
    for person in copied(arrival, books.own):
        _take_part(books, ticket, books.users[address_key(person.address)], ParticipantRole.CC)


def _take_part(books: Books, ticket: Ticket, user: User, role: ParticipantRole) -> None:
    place = (ticket.id, user.id)
    if place not in books.members:
        books.members[place] = Participant(ticket_id=ticket.id, user_id=user.id, role=role, added_at=books.now)
        books.session.add(books.members[place])


def _settle(books: Books, arrival: Arrival, decision: Decision, number: int) -> None:
    row = books.rows[arrival.inbound_id]
    summarise(row, arrival)
    row.state = STATES[type(decision)]
    row.action = ACTIONS[type(decision)]
    row.reason = decision.reason
    row.clues = [_plain(asdict(clue)) for clue in decision.clues]
    row.ticket_number = number if isinstance(decision, OpenTicket) else getattr(decision, "ticket", None)
    row.processed_at = books.now
    row.last_error = row.lease_by = row.lease_until = None
    place = (arrival.message.fingerprint, arrival.mailbox_id)
    if place not in books.known:
        books.known.add(place)
        books.session.add(Fingerprint(digest=place[0], mailbox_id=place[1], inbound_id=arrival.inbound_id))


def _plain(clue: dict[str, Any]) -> dict[str, Any]:
    return {name: clean(value, 500) if isinstance(value, str) else value for name, value in clue.items()}


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
