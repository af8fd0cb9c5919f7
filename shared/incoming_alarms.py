"""Notices when mail that came in is not processed: nobody works on it, or not fast enough."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.alerts import end_alert, raise_alert
from shared.mailbox_health import moment_of
from shared.models import InboundMessage, InboundState

UNPROCESSED = "incoming"


def watch_unprocessed(session: Session, now: datetime, minutes: float) -> None:
    """Raise an alarm while stored mail is overdue for longer than so many minutes, and end it when none is.

    What waits for its next try is not overdue, nor is what waits for a person.
    """
    due = InboundMessage.state == InboundState.RECEIVED, InboundMessage.due_at <= now
    count, since = session.execute(select(func.count(), func.min(InboundMessage.due_at)).where(*due)).one()
    if since is None or since > now - timedelta(minutes=minutes):
        end_alert(session, UNPROCESSED, now, "Mail that comes in is processed again: none waits for long.")
        return
    raise_alert(session, UNPROCESSED, _sentence(count, since), now, since=since)


def _sentence(count: int, since: datetime) -> str:
    what = "1 mail waits" if count == 1 else f"{count} mails wait"
    return (
        f"Mail that came in has not been processed since {moment_of(since)}; {what}. None of it is lost. "
        "If it does not get less, start “letterdesk intake” again, and see in its log what held it up."
    )
