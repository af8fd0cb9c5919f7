"""The search of "Where is my mail?": arrivals by sender, subject, Message-ID, day and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, selectinload
from werkzeug.datastructures import MultiDict

from portal.paging import Page, Wanted, page_of
from shared import inbound
from shared.models import InboundMessage, InboundState
from shared.status_words import duration

MAX_QUERY = 200  # characters
FEW = 1000  # so many hits are counted and shown with one pass over the ledger
FIELDS = (
    InboundMessage.from_address,
    InboundMessage.from_name,
    InboundMessage.envelope_from,
    InboundMessage.subject,
    InboundMessage.message_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for: mail with each word of `query`, received from `first` to `last`, in `state`.

    Days are in UTC, both included. None and "" stand for everything.
    """

    query: str = ""
    first: date | None = None
    last: date | None = None
    state: InboundState | None = None

    @property
    def is_narrow(self) -> bool:
        return bool(self.query or self.first or self.last or self.state)

    def arguments(self, state: InboundState | None) -> dict[str, str]:
        """The same search in another state, as the parameters of its address."""
        days = {"from": self.first.isoformat() if self.first else "", "to": self.last.isoformat() if self.last else ""}
        asked = {"q": self.query, **days, "state": state.value if state else ""}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of arrivals, the newest first, and how many there are in each state."""

    page: Page[InboundMessage]
    counts: Mapping[InboundState, int]


def search_of(arguments: MultiDict[str, str]) -> Search:
    """Read `q`, `from`, `to` and `state` of a request; anything odd is left out, and swapped days are put right."""
    first, last = _day(arguments.get("from", "")), _day(arguments.get("to", ""))
    if first and last and first > last:
        first, last = last, first
    return Search(
        query=arguments.get("q", "").strip()[:MAX_QUERY],
        first=first,
        last=last,
        state=next((state for state in InboundState if state.value == arguments.get("state")), None),
    )


def find(db: Session, search: Search, asked: Wanted) -> Found:
    """Look through the ledger once, and a second time only where there are more than `FEW` hits."""
    where = [*_received(search), *(_has(db, word) for word in search.query.split())]
    if not where:
        return _many(db, search, where, asked)
    hits = select(InboundMessage.id, InboundMessage.state).where(*where).order_by(InboundMessage.id.desc())
    rows = db.execute(hits.limit(FEW + 1)).all()
    if len(rows) > FEW:
        return _many(db, search, where, asked)
    ids = [row.id for row in rows if search.state in (None, row.state)]
    shown = InboundMessage.id.in_(ids[asked.offset : asked.offset + asked.size])
    page = page_of(_arrivals(db, [shown], asked.size, 0), len(ids), asked)
    return Found(page=page, counts=Counter(row.state for row in rows))


def _many(db: Session, search: Search, where: Sequence[ColumnElement[bool]], asked: Wanted) -> Found:
    counted = db.execute(select(InboundMessage.state, func.count()).where(*where).group_by(InboundMessage.state))
    counts = {state: count for state, count in counted}  # noqa: C416 - rows are no pairs to the type checker
    narrowed = where if search.state is None else [*where, InboundMessage.state == search.state]
    total = sum(counts.values()) if search.state is None else counts.get(search.state, 0)
    return Found(page=page_of(_arrivals(db, narrowed, asked.size, asked.offset), total, asked), counts=counts)


def _arrivals(db: Session, where: Sequence[ColumnElement[bool]], limit: int, offset: int) -> Sequence[InboundMessage]:
    newest = select(InboundMessage).where(*where).order_by(InboundMessage.id.desc()).limit(limit).offset(offset)
    return db.scalars(newest.options(selectinload(InboundMessage.mailbox))).all()


def _has(db: Session, word: str) -> ColumnElement[bool]:
    """Arrivals with a word; where it is the Message-ID of one, exactly these, which an index finds."""
    plain = word.strip("<>") or word
    named = InboundMessage.message_id == plain
    if "@" in plain and db.scalar(select(InboundMessage.id).where(named).limit(1)) is not None:
        return named
    return or_(*(field.icontains(plain, autoescape=True) for field in FIELDS))


def _received(search: Search) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if search.first is not None:
        where.append(InboundMessage.received_at >= _midnight(search.first))
    if search.last is not None and search.last < date.max:
        where.append(InboundMessage.received_at < _midnight(search.last + timedelta(days=1)))
    return where


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def timings(mail: InboundMessage, now: datetime) -> str:
    """How long a mail waited and how long the work on it took, or what it waits for now; only what is known.

    It waited from when it came, or when it was to be read again. A person's time is no work of the desk.
    """
    if mail.state is InboundState.RECEIVED:
        return _waits(mail, now)
    if mail.processed_at is None:
        return ""
    if inbound.is_put_aside(mail):
        return f"discarded by a person, {_between(mail.received_at, mail.processed_at)} after it came"
    if mail.started_at is None or mail.started_at > mail.processed_at:
        return f"{_between(mail.received_at, mail.processed_at)} after it came"
    took = _between(mail.started_at, mail.processed_at)
    if mail.attempts > 1:
        return f"the last try took {took}"
    return f"it waited {_between(mail.due_at, mail.started_at)} for its turn, and the work took {took}"


def _waits(mail: InboundMessage, now: datetime) -> str:
    if mail.lease_until is not None and mail.lease_until > now:
        return "It is being processed just now."
    if mail.due_at > now:
        return f"The next try comes in {_between(now, mail.due_at)}."
    return "It waits for its turn."


def _between(start: datetime, end: datetime) -> str:
    return duration(max((end - start).total_seconds(), 0.0))
