"""A ticket: what somebody wrote to us about, until it is done."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import Id, word
from shared.models.mailbox import Mailbox
from shared.models.user import User


class Status(StrEnum):
    """Where a ticket stands. Pending waits for the requester; closed does not open again."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(StrEnum):
    """How much a ticket presses."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Ticket(Base):
    """A ticket. Its number is its id, starts at 1 and is never used again.

    `awaits_reply`: the last word is the requester's. `follows_id` is the closed ticket that it continues.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        Index("ix_ticket_activity", "last_activity_at", "id"),
        Index("ix_ticket_status_activity", "status", "last_activity_at", "id"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(String(500))
    status: Mapped[Status] = mapped_column(word(Status), default=Status.NEW)
    priority: Mapped[Priority] = mapped_column(word(Priority), default=Priority.NORMAL)
    awaits_reply: Mapped[bool] = mapped_column(default=True)
    requester_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id"))
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    requester: Mapped[User] = relationship(foreign_keys=requester_id)
    assignee: Mapped[User | None] = relationship(foreign_keys=assignee_id)
    mailbox: Mapped[Mailbox] = relationship()


class TicketTombstone(Base):
    """A deleted ticket: its number, and who deleted it."""

    __tablename__ = "ticket_tombstone"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
