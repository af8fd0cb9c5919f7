"""What the lists of the portal read: tickets that a person may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, selectinload

from portal.access import SignedIn
from portal.paging import Page, Wanted, page_of
from shared.models import (
    Article,
    ArticleKind,
    Attachment,
    Delivery,
    DeliveryCause,
    DeliveryState,
    Participant,
    Role,
    Status,
    Ticket,
    User,
)

EXCERPT = 160  # characters of the last letter in a list
ACTIVE = (Status.NEW, Status.OPEN)
UNFINISHED = (Status.NEW, Status.OPEN, Status.PENDING)
VIEWS = {"all": "All tickets", "needs": "Needs a reply", "mine": "Mine", "unassigned": "Nobody’s yet"}
STUCK = or_(
    Delivery.state.in_((DeliveryState.FAILED, DeliveryState.UNKNOWN)),
    and_(Delivery.state == DeliveryState.SENT, Delivery.bounced_at.is_not(None)),
)
"""Mail of ours that a person must look at."""
_LATER = aliased(Article)
_LAST_REPLY_FAILED = select(Delivery.ticket_id).where(
    Delivery.state == DeliveryState.FAILED,
    Delivery.cause == DeliveryCause.REPLY,
    ~exists().where(
        _LATER.ticket_id == Delivery.ticket_id, _LATER.kind == ArticleKind.REPLY, _LATER.id > Delivery.article_id
    ),
)
"""Tickets whose last reply did not reach somebody it was for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A ticket in a list: how many letters it has, the beginning of the last, and what hangs on it."""

    ticket: Ticket
    letters: int
    excerpt: str
    has_files: bool
    returned: bool


def concerns(user_id: int) -> ColumnElement[bool]:
    """Tickets that a person asked or is kept informed about."""
    takes_part = exists().where(
        Participant.ticket_id == Ticket.id, Participant.user_id == user_id, Participant.removed_at.is_(None)
    )
    return or_(Ticket.requester_id == user_id, takes_part)


def may_see(person: SignedIn) -> ColumnElement[bool]:
    """Tickets that a person may open: all of them for agents, their own for requesters."""
    return Ticket.id.is_not(None) if person.is_staff else concerns(person.id)


def in_view(view: str, person: SignedIn) -> ColumnElement[bool]:
    """Tickets of one of VIEWS, or those that the person asked ("asked")."""
    if view == "needs":
        unanswered = and_(Ticket.awaits_reply, Ticket.status.in_(ACTIVE))
        return or_(unanswered, and_(Ticket.id.in_(_LAST_REPLY_FAILED), Ticket.status.in_(UNFINISHED)))
    if view == "mine":
        return and_(Ticket.assignee_id == person.id, Ticket.status.in_(UNFINISHED))
    if view == "unassigned":
        return and_(Ticket.assignee_id.is_(None), Ticket.status.in_(UNFINISHED))
    if view == "asked":
        return concerns(person.id)
    return Ticket.id.is_not(None)


def ticket_of(db: Session, number: int, person: SignedIn, *, to_change: bool = False) -> Ticket | None:
    """The ticket with this number, if this person may see it; locked for whoever wants to change it."""
    seen = select(Ticket).where(Ticket.id == number, may_see(person))
    seen = seen.options(selectinload(Ticket.requester), selectinload(Ticket.assignee), selectinload(Ticket.mailbox))
    return db.scalar(seen.with_for_update(key_share=True, of=Ticket) if to_change else seen)


def count_by_status(db: Session, where: ColumnElement[bool]) -> Mapping[Status, int]:
    """How many of these tickets stand where."""
    rows = db.execute(select(Ticket.status, func.count()).where(where).group_by(Ticket.status))
    return {status: count for status, count in rows}  # noqa: C416 - rows are no pairs to the type checker


def count_views(db: Session, person: SignedIn) -> Mapping[str, int]:
    """How many tickets each view holds that is not simply all."""
    return {
        view: db.scalar(select(func.count()).select_from(Ticket).where(in_view(view, person))) or 0
        for view in VIEWS
        if view != "all"
    }


def ticket_page(db: Session, where: ColumnElement[bool], asked: Wanted, *, total: int | None = None) -> Page[Row]:
    """One page of these tickets, the last active first."""
    if total is None:
        total = db.scalar(select(func.count()).select_from(Ticket).where(where)) or 0
    tickets = db.scalars(
        select(Ticket)
        .where(where)
        .options(selectinload(Ticket.requester), selectinload(Ticket.assignee))
        .order_by(Ticket.last_activity_at.desc(), Ticket.id.desc())
        .limit(asked.size)
        .offset(asked.offset)
    ).all()
    return page_of(rows_of(db, tickets), total, asked)


def rows_of(db: Session, tickets: Sequence[Ticket]) -> list[Row]:
    """The rows of these tickets, in a few queries for all of them."""
    ids = [ticket.id for ticket in tickets]
    letters = (Article.ticket_id.in_(ids), Article.kind != ArticleKind.NOTE)
    counts = dict(_pairs(db, Article.ticket_id, func.count(), *letters))
    last = [top for _, top in _pairs(db, Article.ticket_id, func.max(Article.id), *letters)]
    words = func.coalesce(func.nullif(Article.reply_text, ""), Article.text)
    found = db.execute(select(Article.ticket_id, func.substr(words, 1, 2 * EXCERPT)).where(Article.id.in_(last)))
    excerpts = {ticket_id: " ".join(text.split())[:EXCERPT] for ticket_id, text in found}
    with_files = set(db.scalars(select(Article.ticket_id).join(Attachment).where(*letters, ~Attachment.inline)))
    returned = set(db.scalars(select(Delivery.ticket_id).where(Delivery.ticket_id.in_(ids), STUCK)))
    return [
        Row(
            ticket=ticket,
            letters=counts.get(ticket.id, 0),
            excerpt=excerpts.get(ticket.id, ""),
            has_files=ticket.id in with_files,
            returned=ticket.id in returned,
        )
        for ticket in tickets
    ]


def _pairs(
    db: Session, key: InstrumentedAttribute[int], value: ColumnElement[int], *where: ColumnElement[bool]
) -> list[tuple[int, int]]:
    return [(k, v) for k, v in db.execute(select(key, value).where(*where).group_by(key))]


def staff(db: Session) -> Sequence[User]:
    """Everybody who works on tickets, by name."""
    people = select(User).where(User.role != Role.REQUESTER, User.disabled_at.is_(None))
    return db.scalars(people.order_by(func.lower(User.name), User.id)).all()


def participants(db: Session, ticket: Ticket) -> Sequence[User]:
    """The people in copy."""
    return db.scalars(
        select(User)
        .join(Participant, Participant.user_id == User.id)
        .where(
            Participant.ticket_id == ticket.id,
            Participant.removed_at.is_(None),
            Participant.user_id != ticket.requester_id,
        )
        .order_by(Participant.added_at, User.id)
    ).all()
