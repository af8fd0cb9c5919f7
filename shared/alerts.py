"""What the people who run the desk must know now. Raised where it is noticed, shown in the portal, told by mail.

Telling the administrators is the work of `shared/notices.py`, so that whoever notices something only writes it down.
An alert is told once as it begins and once as it ends; what comes and goes, once an hour at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.models import Alert

QUIET = timedelta(hours=1)  # what comes and goes is told so often at most
PATHS = {"mailbox": "/mailboxes", "expiry": "/mailboxes"}  # by the first word of the key
USUAL_PATH = "/mail"
DATED = frozenset({"mailbox", "incoming"})  # by the same word: those whose sentences say themselves since when
MOMENTS = ("since", "told_at", "posted_at", "ended_at")
DISK = "disk"  # the key of what is said while the disk is nearly full, and nothing is taken in


def raise_alert(
    session: Session,
    key: str,
    sentence: str,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    worse_at: datetime | None = None,
) -> Alert:
    """Say that something is wrong, until `end_alert` or the moment `until`. Saying it again only renews the words.

    `since`: when it began, where that was before now. It is told once more to whom it was told before `worse_at`.
    """
    alert = session.get(Alert, key, with_for_update=True) or _new(session, key, sentence, since or now)
    _set_right(alert, now)
    if not is_open(alert, now):
        alert.since, alert.ended_at = _begun(alert, since or now, now), None
    alert.sentence, alert.until = sentence, until
    alert.told_at, alert.posted_at = _told_since(alert.told_at, worse_at), _told_since(alert.posted_at, worse_at)
    session.flush()
    return alert


def end_alert(session: Session, key: str, now: datetime, sentence: str = "") -> bool:
    """Say that it is well again, in these words; False where nothing was wrong."""
    alert = session.get(Alert, key, with_for_update=True)
    if alert is None or not is_open(alert, now):
        return False
    _set_right(alert, now)
    alert.ended_at = now
    alert.sentence = sentence or f"This is over: {alert.sentence}"
    return True


def open_alerts(session: Session, now: datetime) -> list[Alert]:
    """What is wrong now, oldest first."""
    lasting = and_(Alert.ended_at.is_(None), or_(Alert.until.is_(None), Alert.until > now))
    return list(session.scalars(select(Alert).where(lasting).order_by(Alert.since, Alert.key)))


def is_open(alert: Alert, now: datetime) -> bool:
    return alert.ended_at is None and (alert.until is None or alert.until > now)


def locked_news(session: Session, now: datetime, told_at: InstrumentedAttribute[datetime | None]) -> list[Alert]:
    """What has begun or ended and was not told yet, by the column that notes it (mail and posts have one each).

    An alert that somebody is just changing is passed over, and told the next time: those who raise alerts lock them in
    an order of their own, and nobody waits for them here.
    """
    lasting = and_(Alert.ended_at.is_(None), or_(told_at.is_(None), told_at < Alert.since))
    over = and_(Alert.ended_at.is_not(None), told_at < Alert.ended_at)
    untold = select(Alert).where(or_(lasting, over)).order_by(Alert.key).with_for_update(skip_locked=True)
    return [alert for alert in session.scalars(untold) if _is_news(alert, now, getattr(alert, told_at.key))]


def told_moment(alert: Alert, now: datetime) -> datetime:
    """When an alert counts as told that is told now: never before it began or ended, by whose clock that may be."""
    return max(now, alert.ended_at or alert.since)


def path_of(key: str) -> str:
    """The page of the portal that shows more about it."""
    return PATHS.get(key.partition(":")[0], USUAL_PATH)


def is_dated(key: str) -> bool:
    """Whether the sentence of an alert says itself since when it is so."""
    return key.partition(":")[0] in DATED


def _is_news(alert: Alert, now: datetime, told_at: datetime | None) -> bool:
    if is_open(alert, now):
        return told_at is None or (told_at < alert.since and told_at <= now - QUIET)
    return alert.ended_at is not None and told_at is not None and alert.since <= told_at < alert.ended_at


def _begun(alert: Alert, since: datetime, now: datetime) -> datetime:
    """When it began again: after what was told of the last time, so that this is news."""
    told = [moment + timedelta(microseconds=1) for moment in (alert.told_at, alert.posted_at) if moment is not None]
    return min(now, max([since, *told]))


def _set_right(alert: Alert, now: datetime) -> None:
    """Bring moments of a clock that ran ahead, and was set right, back into the past, in their order."""
    moments = {name: moment for name in MOMENTS if (moment := getattr(alert, name)) is not None}
    ahead = sorted({moment for moment in moments.values() if moment > now})
    known = max([now - QUIET, *(moment for moment in moments.values() if moment <= now)])
    right = {moment: known + timedelta(microseconds=n) for n, moment in enumerate(ahead, 1)}
    for name, moment in moments.items():
        setattr(alert, name, right.get(moment, moment))


def _told_since(told_at: datetime | None, worse_at: datetime | None) -> datetime | None:
    return None if told_at is not None and worse_at is not None and told_at < worse_at else told_at


def _new(session: Session, key: str, sentence: str, now: datetime) -> Alert:
    try:
        with session.begin_nested():
            alert = Alert(key=key, sentence=sentence, since=now)
            session.add(alert)
            session.flush()
    except IntegrityError:  # another process was faster
        return session.get_one(Alert, key, with_for_update=True)
    return alert
