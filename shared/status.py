"""The counts of a desk: where every mail is, what goes out, and how the mailboxes are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.alerts import open_alerts
from shared.caps import condensed
from shared.mailbox_health import expiry_of
from shared.models import (
    Alert,
    Article,
    Delivery,
    DeliveryState,
    InboundMessage,
    InboundState,
    Mailbox,
    Status,
    Ticket,
    User,
)

UNDELIVERED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


def collect(session: Session, now: datetime) -> dict[str, Any]:
    """Return what `letterdesk status --json` prints. Every mail that was accepted is in exactly one inbound state."""
    waits = InboundMessage.state == InboundState.RECEIVED
    due_since = case((InboundMessage.processed_at.is_(None), InboundMessage.received_at), else_=InboundMessage.due_at)
    held = select(func.min(InboundMessage.received_at)).where(InboundMessage.state == InboundState.HELD)
    tried = select(func.count()).select_from(InboundMessage).where(waits, InboundMessage.last_error.is_not(None))
    queued = select(func.min(Delivery.created_at)).where(Delivery.state.in_(UNDELIVERED))
    return {
        "inbound": _counts(session, InboundMessage.state, InboundState),
        "tickets": _counts(session, Ticket.status, Status),
        "articles": session.scalar(select(func.count()).select_from(Article)),
        "users": session.scalar(select(func.count()).select_from(User)),
        "deliveries": _counts(session, Delivery.state, DeliveryState),
        "oldest_unprocessed_seconds": _age(session.scalar(select(func.min(due_since)).where(waits)), now),
        "oldest_held_seconds": _age(session.scalar(held), now),
        "retrying": session.scalar(tried),
        "oldest_undelivered_seconds": _age(session.scalar(queued), now),
        "mailboxes": [_mailbox(row, now) for row in session.scalars(select(Mailbox).order_by(Mailbox.address_key))],
        "alerts": [_alert(row) for row in condensed(open_alerts(session, now))],
    }


def _counts(session: Session, column: InstrumentedAttribute[Any], words: type[StrEnum]) -> Mapping[str, int]:
    rows: dict[Any, int] = {row[0]: row[1] for row in session.execute(select(column, func.count()).group_by(column))}
    return {word.value: rows.get(word, 0) for word in words}


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round(max((now - moment).total_seconds(), 0.0), 3)


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _alert(row: Alert) -> dict[str, Any]:
    return {"key": row.key, "sentence": row.sentence, "since": row.since.isoformat()}


def _mailbox(row: Mailbox, now: datetime) -> dict[str, Any]:
    polled = row.imap_url is not None
    return {
        "address": row.address,
        "last_ok": _moment(row.last_ok_at),
        "last_error": row.last_error,
        "active": row.is_active,
        "failing_since": _moment(row.failing_since),
        "incomplete_since": _moment(row.incomplete_since),
        "unsettled_since": _moment(row.unsettled_since),
        "expiry": expiry_of(row, now) if row.is_active else "",
        "lag_seconds": _age(row.last_ok_at or row.connected_at, now) if polled else None,
    }
