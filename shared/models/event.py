"""The history of a ticket: who changed what, and when."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, word
from shared.models.user import User


class EventKind(StrEnum):
    """What happened. The words of `Event.detail` depend on it."""

    OPENED = "opened"  # on_behalf (a name)
    STATUS = "status"  # old, new, note
    PRIORITY = "priority"  # old, new
    SUBJECT = "subject"  # old, new
    ASSIGNEE = "assignee"  # old, new (names)
    PARTICIPANT = "participant"  # added or removed (addresses)
    JOINED = "joined"  # inbound: held mail joined by a person
    BOUNCED = "bounced"  # recipient, status, diagnostic
    CAPPED = "capped"  # what was suppressed and until when
    ALSO_AT = "also_at"  # mailbox: the same mail came there as well
    FOLLOWED = "followed"  # number: a reply after closing opened that ticket
    NOT_SENT = "not_sent"  # recipient, diagnostic: the outgoing server refused it for good
    UNDONE = "undone"  # a reply that was taken back before it left
    SUSPENDED = "suspended"  # address, diagnostic: no automatic mail goes there any more
    RESUMED = "resumed"  # address: automatic mail goes there again
    WITHHELD = "withheld"  # suppressed (a cause), address, why: disabled, unreachable, blocked or suspended
    BLOCKED = "blocked"  # addresses; before, stopped: closed as spam, what comes from there is discarded
    UNBLOCKED = "unblocked"  # addresses: what comes from there counts again


class Event(Base):
    """One line of a ticket's history. Without an actor, the desk itself did it."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_ticket", "ticket_id", "at", "id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    kind: Mapped[EventKind] = mapped_column(word(EventKind))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    actor: Mapped[User | None] = relationship()
