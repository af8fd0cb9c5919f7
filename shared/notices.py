"""Tells the administrators by mail what is wrong, once each time that it goes wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import outbox
from shared.alerts import open_alerts
from shared.models import Mailbox, Role, User

QUIET = timedelta(hours=1)  # what comes and goes is told so often at most


def tell_administrators(session: Session, mailbox: Mailbox, now: datetime) -> int:
    """Queue a notice to each administrator for every alert that is new; returns how many alerts were told."""
    untold = [
        alert
        for alert in open_alerts(session, now)
        if alert.told_at is None or (alert.told_at < alert.since and alert.told_at <= now - QUIET)
    ]
    if not untold:
        return 0
    admins = session.scalars(select(User).where(User.role == Role.ADMIN, User.disabled_at.is_(None))).all()
    for alert in untold:
        alert.told_at = now
        for admin in admins:
            outbox.queue_notice(
                session,
                admin,
                mailbox=mailbox,
                headline="Something needs you",
                sentences=[alert.sentence],
                path="/mail",
                now=now,
            )
    return len(untold)
