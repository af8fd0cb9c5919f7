"""Watches the mailboxes: raises an alert where mail stays away for long, or where a secret ends soon."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.alerts import DISK, end_alert, open_alerts, raise_alert
from shared.mailbox_health import NEVER_POLLED, Health, State, expiry_of, health_of, is_forgotten, moment_of, step_of
from shared.models import Mailbox

ALARMS = {  # what is said of it, and what to do; between the two stand the words of its server
    State.FAILING: (
        "No mail for {address} has come in since {since}.",
        "What comes waits on its server; try: letterdesk mailbox test {address}",
    ),
    State.INCOMPLETE: (
        "Not all mail for {address} has come in since {since}.",
        "What is missing waits on its server, all else comes in; try: letterdesk mailbox test {address}",
    ),
    State.UNSETTLED: (
        "All mail for {address} comes in, but since {since} its server refuses what shall happen to it there.",
        "To choose something else: letterdesk mailbox set {address} --policy keep",
    ),
}


def watch_mailboxes(session: Session, now: datetime, alarm_minutes: float) -> None:
    """Raise and end the alerts "mailbox:ID" and "expiry:ID" by how each mailbox is now.

    Mailboxes are locked before alerts, and so that mail for them can be stored and queued meanwhile. While the disk is
    nearly full none is polled, which that alert says.
    """
    is_full = any(alert.key == DISK for alert in open_alerts(session, now))
    for mailbox in session.scalars(select(Mailbox).order_by(Mailbox.id).with_for_update(key_share=True)):
        if not is_full and is_forgotten(mailbox, now, alarm_minutes):
            mailbox.failing_since, mailbox.last_error = now, NEVER_POLLED  # the next poll that ends well forgets it
        _watch_polls(session, mailbox, health_of(mailbox, now, alarm_minutes), now)
        _watch_secret(session, mailbox, now)


def _watch_polls(session: Session, mailbox: Mailbox, health: Health, now: datetime) -> None:
    key, address = f"mailbox:{mailbox.id}", mailbox.address
    match health.state:
        case State.FAILING | State.INCOMPLETE | State.UNSETTLED if health.is_lasting:
            raise_alert(session, key, _sentence(address, health), now, since=health.since)
        case State.WELL:
            end_alert(session, key, now, f"{address} works again: its mail comes in.")
        case State.OFF:
            end_alert(session, key, now, f"{address} is switched off, so its mail is not waited for any more.")


def _sentence(address: str, health: Health) -> str:
    since = moment_of(health.since) if health.since else ""
    what, todo = (words.format(address=address, since=since) for words in ALARMS[health.state])
    return f"{what} {health.sentence} {todo}"


def _watch_secret(session: Session, mailbox: Mailbox, now: datetime) -> None:
    key, ends = f"expiry:{mailbox.id}", mailbox.secret_expires_at
    sentence = expiry_of(mailbox, now) if mailbox.is_active else ""
    step = step_of(ends, now) if ends else None
    if sentence and ends is not None and step is not None:
        raise_alert(session, key, sentence, now, worse_at=ends - timedelta(days=step))
    else:
        end_alert(session, key, now, f"What {mailbox.address} logs in with does not end soon any more.")
