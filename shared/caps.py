"""How much automatic mail goes out at most, so that no loop between machines lasts (RFC 3834 section 2).

Counted is what a machine writes on its own: acknowledgements, notices of a status, notices to those who work here.
A cap that is reached stops outgoing mail only, says so on the ticket and in an alert, and ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, delete, select, true
from sqlalchemy.orm import Session

from shared.alerts import raise_alert
from shared.config import Settings
from shared.models import Alert, Counter, Delivery, DeliveryCause, Event, EventKind, Ticket
from shared.models.delivery import counted_as
from shared.queue import SKEW

COUNTED = (DeliveryCause.ACKNOWLEDGEMENT, DeliveryCause.STATUS, DeliveryCause.NOTICE)
TURN = "automatic"  # the counter whose row lock says who may queue automatic mail now
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALERTS = "cap:"
KEY_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many automatic mails may go out: to an address in an hour, of a ticket in a day, of the desk in an hour."""

    address_hour: int = 5
    ticket_day: int = 10
    desk_hour: int = 500


DEFAULT_CAPS = Caps()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A cap that leaves no room before `until`; None where it never does. `key` names its alert."""

    name: str
    span: timedelta
    most: int
    until: datetime | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cap:
    name: str
    span: timedelta
    most: int
    where: ColumnElement[bool]
    key: str


def caps_of(settings: Settings) -> Caps:
    """The caps as they are set."""
    return Caps(
        address_hour=settings.cap_address_hour, ticket_day=settings.cap_ticket_day, desk_hour=settings.cap_desk_hour
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """The turn of one transaction to queue automatic mail: the caps that it found to be reached, and those it noted."""

    full: dict[tuple[str, int], Reached] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)


def take_turn(session: Session) -> _Turn:
    """Wait until nobody else queues automatic mail; once a session, which is one transaction (`Database`).

    Whoever raises an alert where automatic mail may be queued as well comes here before: alerts are locked last.
    """
    turn: _Turn | None = session.info.get(TURN)
    if turn is None:
        session.execute(select(Counter.value).where(Counter.name == TURN).with_for_update())
        turn = session.info[TURN] = _Turn()
    return turn


def reached(
    session: Session, caps: Caps, *, recipient: str, ticket: Ticket | None, now: datetime, times: int = 1
) -> Reached | None:
    """The cap that stops one more automatic mail for longest; None where there is room. `times` multiplies the caps.

    Holds a lock until the transaction ends, so that what is counted here stays true until it is committed. The lock
    is the last one in the order of locks: counter, tickets, people, deliveries, automatic mail, alerts.
    """
    turn = take_turn(session)
    holding = _that_hold(caps, recipient, ticket)
    known = [turn.full[cap.key, times] for cap in holding if (cap.key, times) in turn.full]
    found = [full for full in known if full.until is None or full.until > now] or _look(session, holding, now, times)
    for full in found:
        turn.full[full.key, times] = full  # it holds until this transaction ends: mails are added, none goes away
    return max(found, key=lambda full: full.until or datetime.max.replace(tzinfo=UTC), default=None)


def note(session: Session, cap: Reached, *, cause: DeliveryCause, ticket: Ticket | None, now: datetime) -> None:
    """Say on the ticket and to the desk what is not sent, and until when."""
    if ticket is not None:
        detail = {
            "suppressed": cause.value,
            "cap": cap.name,
            "within": "an hour" if cap.span == HOUR else "a day",
            "most": cap.most,
            "until": cap.until.isoformat() if cap.until else None,
        }
        session.add(Event(ticket_id=ticket.id, kind=EventKind.CAPPED, detail=detail, at=now))
    turn = take_turn(session)
    if cap.until is None or cap.key in turn.noted:
        return
    turn.noted.add(cap.key)
    alert = raise_alert(session, cap.key, _sentence(cap), now, until=cap.until)
    if cap.key != f"{ALERTS}desk":
        alert.told_at = alert.posted_at = now  # it is shown; a mail about each of these would be a flood of its own


def forget(session: Session, before: datetime) -> None:
    """Remove the alerts of caps that ended by themselves before this moment: there may be one for each address."""
    take_turn(session)
    session.execute(delete(Alert).where(Alert.key.startswith(ALERTS), Alert.until < before))


def condensed(alerts: Sequence[Alert]) -> list[Alert]:
    """The same alerts, with those of many addresses, or of many tickets, as one: a flood may reach a cap for each."""
    shown: list[Alert] = []
    for one, many in (("address", "addresses"), ("ticket", "tickets")):
        alike = [alert for alert in alerts if alert.key.startswith(f"{ALERTS}{one}:") and alert.until is not None]
        if len(alike) > 1:
            shown.append(_as_one(alike, one, many))
            alerts = [alert for alert in alerts if alert not in alike]
    return sorted([*alerts, *shown], key=lambda alert: (alert.since, alert.key))


def _as_one(alike: Sequence[Alert], one: str, many: str) -> Alert:
    until = max(alert.until for alert in alike if alert.until is not None)
    sentence = (
        f"{len(alike)} {many} have had as many automatic mails as a cap allows: until {until:%d %b %H:%M} UTC each "
        f"{one} gets no more before it has room again. What comes in is taken as ever."
    )
    return Alert(key=f"{ALERTS}{many}", sentence=sentence, since=min(alert.since for alert in alike), until=until)


def _that_hold(caps: Caps, recipient: str, ticket: Ticket | None) -> list[_Cap]:
    """The caps on a mail to this recipient about this ticket."""
    person = counted_as(recipient)
    address = f"{ALERTS}address:{person}"[:KEY_LIMIT]
    to_address = Delivery.counted_as == person
    held = [_Cap(name=f"to {person}", span=HOUR, most=caps.address_hour, where=to_address, key=address)]
    if ticket is not None:
        key, of_ticket = f"{ALERTS}ticket:{ticket.id}", Delivery.ticket_id == ticket.id
        held.append(_Cap(name=f"of ticket {ticket.id}", span=DAY, most=caps.ticket_day, where=of_ticket, key=key))
    held.append(_Cap(name="of the whole desk", span=HOUR, most=caps.desk_hour, where=true(), key=f"{ALERTS}desk"))
    return held


def _look(session: Session, holding: Sequence[_Cap], now: datetime, times: int) -> list[Reached]:
    """Those that are reached, in one query: the oldest mail that still counts leaves the window at `until`."""
    shut = [Reached(name=cap.name, span=cap.span, most=0, until=None, key=cap.key) for cap in holding if cap.most == 0]
    if shut:
        return shut
    filling = session.execute(select(*(_fills(cap, now, times) for cap in holding))).one()
    return [
        Reached(name=cap.name, span=cap.span, most=cap.most * times, until=since + cap.span, key=cap.key)
        for cap, since in zip(holding, filling, strict=True)
        if since is not None
    ]


def _fills(cap: _Cap, now: datetime, times: int) -> ScalarSelect[datetime]:
    """The moment of the mail that fills the cap, counted from the newest; NULL where there are fewer."""
    at = Delivery.created_at
    counts = (Delivery.cause.in_(COUNTED), at > now - cap.span, at <= now + SKEW, cap.where)
    newest_first = select(Delivery.created_at).where(*counts).order_by(Delivery.created_at.desc())
    return newest_first.offset(cap.most * times - 1).limit(1).scalar_subquery()


def _sentence(cap: Reached) -> str:
    until = f"{cap.until:%d %b %H:%M} UTC" if cap.until else "the cap is raised"
    within = "an hour" if cap.span == HOUR else "a day"
    mails = "1 automatic mail" if cap.most == 1 else f"{cap.most} automatic mails"
    return (
        f"{mails} {cap.name} went out within {within}, which is the most: "
        f"none goes out before {until}. What comes in is taken as ever."
    )
