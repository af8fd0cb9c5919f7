"""Tells the administrators by mail what is wrong, once each time that it goes wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import outbox
from shared.alerts import open_alerts
from shared.caps import DEFAULT_CAPS, Caps
from shared.models import Mailbox, Role, User

QUIET = timedelta(hours=1)  # what comes and goes is told so often at most


def tell_administrators(session: Session, mailbox: Mailbox, now: datetime, caps: Caps = DEFAULT_CAPS) -> int:
    """Queue one notice to each administrator with all alerts that are new; returns how many alerts were told.

    Where a cap lets none of them be told, the next call tries again.
    """
    untold = [
        alert
        for alert in open_alerts(session, now)
        if alert.told_at is None or (alert.told_at < alert.since and alert.told_at <= now - QUIET)
    ]
    if not untold:
        return 0
    admins = session.scalars(select(User).where(User.role == Role.ADMIN, User.disabled_at.is_(None))).all()
    told = [
        outbox.queue_notice(
            session,
            admin,
            mailbox=mailbox,
            headline="Something needs you",
            sentences=[alert.sentence for alert in untold],
            path="/mail",
            now=now,
            caps=caps,
        )
        for admin in admins
    ]
    if admins and not any(told):
        return 0
    for alert in untold:
        alert.told_at = now
    return len(untold)
