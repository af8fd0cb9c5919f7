"""Write a mail into a ticket: a new one, or one that is there."""

from __future__ import annotations

from intake.record.articles import write_article
from intake.record.books import Books
from intake.record.storable import clean
from intake.routing.participants import author, copied
from intake.types import AppendArticle, Arrival, OpenTicket
from shared import outbox, tickets
from shared.addresses import address_key
from shared.models import EventKind, Mailbox, Participant, ParticipantRole, Ticket, User


def open_ticket(books: Books, arrival: Arrival, decision: OpenTicket, number: int) -> None:
    """Make the ticket `number` of a mail, with its people, and what is due to its sender."""
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
    write_article(books, ticket, arrival, stranger=False)
    if decision.follows is not None:
        tickets.link(books.session, ticket, books.tickets[decision.follows], books.now)
    if decision.acknowledge:
        outbox.queue_acknowledgement(books.session, ticket, tokens=books.tokens, now=books.now, caps=books.caps)


def append_article(books: Books, arrival: Arrival, decision: AppendArticle) -> None:
    """Join a mail to its ticket."""
    ticket = books.tickets.get(decision.ticket) or books.session.get_one(Ticket, decision.ticket)
    books.tickets[ticket.id] = ticket
    sender = books.users[address_key(author(arrival.message).address)]
    write_article(books, ticket, arrival, stranger=decision.stranger)
    ticket.last_activity_at = max(ticket.last_activity_at, books.now)
    if sender.id == ticket.requester_id:
        _copy_in(books, ticket, arrival)
    if decision.reopen:
        tickets.reopen(books.session, ticket, books.now, actor=sender)
    if arrival.order is not None and arrival.order.by is not None:
        agent = books.session.get(User, arrival.order.by)
        tickets.add_event(books.session, ticket, EventKind.JOINED, books.now, actor=agent, inbound=arrival.inbound_id)


def _copy_in(books: Books, ticket: Ticket, arrival: Arrival) -> None:
    for person in copied(arrival, books.own):
        _take_part(books, ticket, books.users[address_key(person.address)], ParticipantRole.CC)


def _take_part(books: Books, ticket: Ticket, user: User, role: ParticipantRole) -> None:
    place = (ticket.id, user.id)
    if place not in books.members:
        books.members[place] = Participant(ticket_id=ticket.id, user_id=user.id, role=role, added_at=books.now)
        books.session.add(books.members[place])
