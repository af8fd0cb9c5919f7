"""Notices when mail does not go out: a queue that grows old, a server of a mailbox that cannot be read any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from shared.alerts import end_alert, raise_alert
from shared.models import Delivery, DeliveryState, Mailbox
from shared.tokens import Tokens

QUEUE = "outgoing"


def watch_queue(session: Session, now: datetime, minutes: float) -> None:
    """Raise an alarm while mail waits for longer than so many minutes, and end it when the queue is young again.

    What a person sent again is as old as its second life; what is deferred is as old as the mail.
    """
    before = now - timedelta(minutes=minutes)
    begun = Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING))
    tried = and_(Delivery.state == DeliveryState.DEFERRED, Delivery.created_at <= before)
    old = or_(and_(begun, Delivery.due_at <= before), tried)
    count = session.scalar(select(func.count()).select_from(Delivery).where(old)) or 0
    if not count:
        end_alert(session, QUEUE, now, "Mail goes out again: none waits for long.")
        return
    columns = Delivery.created_at, Delivery.last_error
    since, error = session.execute(
        select(*columns).where(old).order_by(Delivery.created_at, Delivery.id).limit(1)
    ).one()
    raise_alert(session, QUEUE, _sentence(count, since, error), now, since=since)


def watch_servers(session: Session, tokens: Tokens, now: datetime) -> None:
    """Raise and end the alert "sending:ID" of each mailbox by whether its own outgoing server can be decrypted."""
    for mailbox in session.scalars(select(Mailbox).order_by(Mailbox.id)):
        key, secret = f"sending:{mailbox.id}", mailbox.outgoing_secret
        if secret is None or tokens.decrypt(secret) is not None:
            end_alert(session, key, now, f"The outgoing server of {mailbox.address} can be used again.")
        else:
            sentence = (
                f"Mail from {mailbox.address} does not go out: its server was stored under another secret key. "
                "Set the server again, or put the former key into LETTERDESK_SECRET_KEY_OLD."
            )
            raise_alert(session, key, sentence, now)


def _sentence(count: int, since: datetime, error: str | None) -> str:
    what = "1 mail waits" if count == 1 else f"{count} mails wait"
    said = error or "No try has been made yet."
    when = f"{since.day} {since:%B at %H:%M} UTC"
    return f"{what} to go out, the oldest since {when}. {said}"
