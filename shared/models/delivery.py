"""The outbox: one outbound message to one recipient."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from shared.addresses import address_key, without_plus
from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, Queued, word


class DeliveryState(StrEnum):
    """Unknown: handed over, then we died; a person decides whether it goes again."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class DeliveryCause(StrEnum):
    """What made us write. All but a reply is automatic mail; a notice is for the people who work here."""

    ACKNOWLEDGEMENT = "acknowledgement"
    REPLY = "reply"
    STATUS = "status"
    ACCOUNT = "account"
    NOTICE = "notice"


def counted_as(address: str) -> str:
    """The address under which automatic mail to this one is counted: the same for all of its plus-addresses."""
    return without_plus(address_key(address))[0]


def _counted_as(context: DefaultExecutionContext) -> str:
    row: dict[str, str] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    return counted_as(row["recipient"])


class Delivery(Queued, Base):
    """One outbound message to one recipient, written with its cause in one transaction.

    `message_id` is minted when the row is queued, so that a repeat is recognisable; the copies of one
    reply share it. `context` holds what the message says beyond its ticket and article (a status, a
    registration), and for a reply how the ticket stood before it. `counted_as` is the recipient to the caps: all
    plus-addresses of one address are one. `handed_over_at` is committed just before
    the final dot. `ended_attempts`: how many of the `attempts` there were up to the last that came to an end; with each
    since then its process ended. `bounced_at`: the next server took it, and it came back with `last_error`.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_due", "state", "due_at", "id"),
        Index("ix_delivery_state", "state", "id"),
        Index("ix_delivery_counted_as", "counted_as", "created_at"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    state: Mapped[DeliveryState] = mapped_column(word(DeliveryState), default=DeliveryState.QUEUED)
    cause: Mapped[DeliveryCause] = mapped_column(word(DeliveryCause))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    article_id: Mapped[int | None] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), index=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id"))
    recipient: Mapped[str] = mapped_column(String(320))
    counted_as: Mapped[str] = mapped_column(String(320), default=_counted_as)
    recipient_name: Mapped[str] = mapped_column(String(200), default="")
    message_id: Mapped[str] = mapped_column(String(255), index=True)
    context: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    ended_attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    handed_over_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bounced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    response: Mapped[str | None]

    @property
    def is_automatic(self) -> bool:
        """Whether a machine wrote it."""
        return self.cause is not DeliveryCause.REPLY

    @property
    def unended(self) -> int:
        """How many tries in a row did not come to an end."""
        return self.attempts - self.ended_attempts
