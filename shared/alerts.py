"""What the people who run the desk must know now. Raised where it is noticed, shown in the portal, told by mail.

Telling the administrators is the work of `shared/notices.py`, so that whoever notices something only writes it down.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.models import Alert


def raise_alert(session: Session, key: str, sentence: str, now: datetime, *, until: datetime | None = None) -> Alert:
    """Say that something is wrong, until `end_alert` or the moment `until`. Saying it again only renews the words."""
    alert = session.get(Alert, key, with_for_update=True) or _new(session, key, sentence, now)
    if not is_open(alert, now):
        alert.since, alert.ended_at = now, None
    alert.sentence, alert.until = sentence, until
    session.flush()
    return alert


def end_alert(session: Session, key: str, now: datetime) -> bool:
    """Say that it is well again; False where nothing was wrong."""
    alert = session.get(Alert, key)
    if alert is None or not is_open(alert, now):
        return False
    alert.ended_at = now
    return True


def open_alerts(session: Session, now: datetime) -> list[Alert]:
    """What is wrong now, oldest first."""
    lasting = and_(Alert.ended_at.is_(None), or_(Alert.until.is_(None), Alert.until > now))
    return list(session.scalars(select(Alert).where(lasting).order_by(Alert.since, Alert.key)))


def is_open(alert: Alert, now: datetime) -> bool:
    return alert.ended_at is None and (alert.until is None or alert.until > now)


def _new(session: Session, key: str, sentence: str, now: datetime) -> Alert:
    try:
        with session.begin_nested():
            alert = Alert(key=key, sentence=sentence, since=now)
            session.add(alert)
            session.flush()
    except IntegrityError:  # another process was faster
        return session.get_one(Alert, key, with_for_update=True)
    return alert
