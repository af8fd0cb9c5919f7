"""The thread of a ticket: letters, notes, automatic mail and events in their order, day by day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.access import me
from portal.desk import desk, now
from portal.reading import Reading, reading_of
from shared import undo
from shared.addresses import address_key, reaches_somebody
from shared.models import Address, Article, ArticleKind, Attachment, Delivery, Event, EventKind, Participant, Ticket

MOST_LETTERS = 100  # on one page, the newest; the others are one link away
FOR_REQUESTERS = (EventKind.STATUS, EventKind.FOLLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An article as it is shown: its text, its files, and where its copies went."""

    article: Article
    reading: Reading
    files: Sequence[Attachment]
    images: Sequence[Attachment]
    deliveries: Sequence[Delivery]
    is_from_member: bool

    @property
    def can_be_added(self) -> bool:
        """Whether a letter came from somebody who is not on the ticket and whom mail reaches."""
        return self.article.stranger and not self.is_from_member and reaches_somebody(self.article.author.email)

    @property
    def can_undo(self) -> bool:
        """Whether the person who looks may take this reply back."""
        waits = desk().undo_for and self.deliveries and all(map(undo.is_untouched, self.deliveries))
        return bool(waits) and undo.may_take_back(me().id, me().role, self.article)

    @property
    def leaves_in(self) -> int:
        """In how many seconds this reply leaves; 0 once it is due."""
        return max(0, math.ceil((self.deliveries[0].due_at - now()).total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in the thread; exactly one of the three is there."""

    at: datetime
    letter: Letter | None = None
    event: Event | None = None
    notice: Delivery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happened on one day (UTC)."""

    day: date
    at: datetime
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A ticket's thread; `earlier` letters are left out.

    `suspended` are the addresses, as its events name them, to which no automatic mail goes still.
    """

    days: Sequence[Day] = field(default=())
    earlier: int = 0
    suspended: Mapping[str, Address] = field(default_factory=dict)


def read_thread(db: Session, ticket: Ticket, *, for_staff: bool, whole: bool) -> Thread:
    """Read a thread; a requester's has neither notes nor automatic mail nor what agents did among themselves."""
    letters = _letters(db, ticket, for_staff=for_staff)
    earlier = 0 if whole else max(0, len(letters) - MOST_LETTERS)
    articles = _loaded(db, letters[earlier:])
    entries = [*_letter_entries(db, ticket, articles), *_event_entries(db, ticket, for_staff=for_staff)]
    if for_staff:
        entries += _notice_entries(db, ticket)
    since = articles[0].created_at if earlier else datetime.min.replace(tzinfo=UTC)
    shown = sorted((entry for entry in entries if entry.at >= since), key=lambda entry: entry.at)
    return Thread(days=_by_day(shown), earlier=earlier, suspended=_suspended(db, shown) if for_staff else {})


def _letters(db: Session, ticket: Ticket, *, for_staff: bool) -> Sequence[int]:
    wanted = select(Article.id).where(Article.ticket_id == ticket.id)
    if not for_staff:
        wanted = wanted.where(Article.kind != ArticleKind.NOTE)
    return db.scalars(wanted.order_by(Article.created_at, Article.id)).all()


def _loaded(db: Session, ids: Sequence[int]) -> Sequence[Article]:
    return db.scalars(
        select(Article)
        .where(Article.id.in_(ids))
        .order_by(Article.created_at, Article.id)
        .options(joinedload(Article.author), joinedload(Article.inbound), selectinload(Article.attachments))
    ).all()


def _letter_entries(db: Session, ticket: Ticket, articles: Sequence[Article]) -> Iterable[Entry]:
    members = set(
        db.scalars(
            select(Participant.user_id).where(Participant.ticket_id == ticket.id, Participant.removed_at.is_(None))
        )
    )
    by_article: dict[int | None, list[Delivery]] = {}
    sent = select(Delivery).where(Delivery.article_id.in_([article.id for article in articles])).order_by(Delivery.id)
    for delivery in db.scalars(sent):
        by_article.setdefault(delivery.article_id, []).append(delivery)
    for article in articles:
        images = [file for file in article.attachments if file.inline and is_image(file)]
        letter = Letter(
            article=article,
            reading=reading_of(article),
            files=[file for file in article.attachments if file not in images],
            images=images,
            deliveries=by_article.get(article.id, []),
            is_from_member=article.author_id in members,
        )
        yield Entry(at=article.created_at, letter=letter)


def _event_entries(db: Session, ticket: Ticket, *, for_staff: bool) -> Iterable[Entry]:
    wanted = select(Event).where(Event.ticket_id == ticket.id).options(joinedload(Event.actor))
    if not for_staff:
        wanted = wanted.where(Event.kind.in_(FOR_REQUESTERS))
    for event in db.scalars(wanted.order_by(Event.at, Event.id)):
        yield Entry(at=event.at, event=event)


def _suspended(db: Session, entries: Iterable[Entry]) -> Mapping[str, Address]:
    events = [entry.event for entry in entries if entry.event and entry.event.kind is EventKind.SUSPENDED]
    keys = {address_key(event.detail["address"]) for event in events}
    if not keys:
        return {}
    still = select(Address).where(Address.key.in_(keys), Address.suspended_at.is_not(None))
    return {address.email: address for address in db.scalars(still)}


def _notice_entries(db: Session, ticket: Ticket) -> Iterable[Entry]:
    wanted = select(Delivery).where(Delivery.ticket_id == ticket.id, Delivery.article_id.is_(None))
    for delivery in db.scalars(wanted.order_by(Delivery.id)):
        yield Entry(at=delivery.created_at, notice=delivery)


def _by_day(entries: Iterable[Entry]) -> list[Day]:
    days = groupby(entries, key=lambda entry: entry.at.astimezone(UTC).date())
    groups = [(day, list(group)) for day, group in days]
    return [Day(day=day, at=group[0].at, entries=group) for day, group in groups]


SAFE_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def is_image(file: Attachment) -> bool:
    """Whether a file is a picture that a browser may show in place."""
    return file.content_type in SAFE_IMAGES
