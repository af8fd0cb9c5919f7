"""What a person decides about outgoing mail that did not simply arrive."""

from __future__ import annotations

from datetime import datetime

from shared.models import Delivery, DeliveryState


def send_again(delivery: Delivery, now: datetime) -> None:
    """Let a failed or unknown delivery go out again, under its old Message-ID, because a person says so."""
    delivery.state = DeliveryState.QUEUED
    delivery.attempts = 0
    delivery.due_at = now
    delivery.handed_over_at = delivery.bounced_at = None
    delivery.lease_by = delivery.lease_until = None


def mark_sent(delivery: Delivery, now: datetime) -> None:
    """Believe that an unknown delivery arrived, because a person says so."""
    delivery.state = DeliveryState.SENT
    delivery.sent_at = delivery.sent_at or now
