"""Tells the administrators by mail what is wrong, once as it begins and once as it ends.

The mail goes from the desk's own address by its own server: never by the mailbox that may be what is broken.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import outbox
from shared.alerts import is_open, locked_news, path_of, told_moment
from shared.caps import DEFAULT_CAPS, Caps, take_turn
from shared.models import Alert, Mailbox, Role, User

logger = logging.getLogger(__name__)

BEGUN = "Something needs you"
ENDED = "It works again"


def tell_administrators(session: Session, mailbox: Mailbox, now: datetime, caps: Caps = DEFAULT_CAPS) -> int:
    """Queue one notice to each administrator with all that is new; returns how many alerts were told.

    Where a cap lets none of them be told, the next call tries again. What begins is logged as an error, too: where
    no mail goes out at all, that is where it is read.
    """
    take_turn(session)  # its lock comes before those of the alerts
    news = locked_news(session, now, Alert.told_at)
    told = [*_tell(session, mailbox, BEGUN, [a for a in news if is_open(a, now)], now, caps)]
    told += _tell(session, mailbox, ENDED, [a for a in news if not is_open(a, now)], now, caps)
    for alert in told:
        alert.told_at = told_moment(alert, now)
        level = logging.ERROR if is_open(alert, now) else logging.INFO
        logger.log(level, "alert=%s %s", alert.key, alert.sentence)
    return len(told)


def _tell(
    session: Session, mailbox: Mailbox, headline: str, alerts: Sequence[Alert], now: datetime, caps: Caps
) -> Sequence[Alert]:
    """Tell all administrators of these alerts at once; returns those that were told."""
    if not alerts:
        return ()
    admins = session.scalars(select(User).where(User.role == Role.ADMIN, User.disabled_at.is_(None))).all()
    told = [
        outbox.queue_notice(
            session,
            admin,
            mailbox=mailbox,
            headline=headline,
            sentences=[alert.sentence for alert in alerts],
            path=path_of(alerts[0].key),
            now=now,
            caps=caps,
            is_urgent=True,
        )
        for admin in admins
    ]
    return alerts if any(told) or not admins else ()
