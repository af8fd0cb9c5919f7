"""What time brings, once a minute: held mail that nobody decided about, quiet tickets, alarms, and telling of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shared import caps, incoming_alarms, mailboxes, notices, outgoing_alarms, tickets
from shared.config import Settings
from shared.database import Database
from shared.fault_log import FaultLog
from shared.inbound import open_forgotten
from shared.mailbox_alarms import watch_mailboxes
from shared.tokens import Tokens

Job = Callable[[Session, Settings, datetime], object]


def keep_up(database: Database, settings: Settings, now: datetime) -> None:
    """Do all that is due, each job in a transaction of its own. One that fails does not hold up the next.

    Safe in several processes at once: each job locks what it changes.
    """
    for job in JOBS:
        try:
            with database.transaction() as session:
                job(session, settings, now)
        except Exception as error:  # noqa: BLE001 - the edge of a job: it comes again in a minute
            FaultLog().note(error, f"The upkeep “{job.__name__}”")


def _open_forgotten(session: Session, settings: Settings, now: datetime) -> None:
    open_forgotten(session, now - timedelta(hours=settings.hold_hours), now)


def _close_quiet(session: Session, settings: Settings, now: datetime) -> None:
    tickets.close_quiet(session, now - timedelta(days=settings.close_after_days), now)


def _tell(session: Session, settings: Settings, now: datetime) -> None:
    desk = mailboxes.ensure_desk_mailbox(session, settings.address, settings.desk_name, now)
    notices.tell_administrators(session, desk, now, caps.caps_of(settings))


def _forget_caps(session: Session, _settings: Settings, now: datetime) -> None:
    caps.forget(session, now - timedelta(days=1))


def _watch_mailboxes(session: Session, settings: Settings, now: datetime) -> None:
    watch_mailboxes(session, now, settings.mailbox_alarm_minutes)


def _watch_incoming(session: Session, settings: Settings, now: datetime) -> None:
    incoming_alarms.watch_unprocessed(session, now, settings.queue_alarm_minutes)


def _watch_outgoing(session: Session, settings: Settings, now: datetime) -> None:
    outgoing_alarms.watch_queue(session, now, settings.queue_alarm_minutes)
    outgoing_alarms.watch_servers(session, Tokens(settings.secret_key, *settings.old_keys), now)


JOBS: tuple[Job, ...] = (
    _open_forgotten,
    _close_quiet,
    _forget_caps,
    _watch_mailboxes,
    _watch_incoming,
    _watch_outgoing,
    _tell,
)
