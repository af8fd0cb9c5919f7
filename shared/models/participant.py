"""Who takes part in a ticket."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import word
from shared.models.user import User


class ParticipantRole(StrEnum):
    """The requester asked; cc are kept informed."""

    REQUESTER = "requester"
    CC = "cc"


class Participant(Base):
    """A user on a ticket. One whom an agent removed stays on record, since their tokens must stop working."""

    __tablename__ = "participant"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[ParticipantRole] = mapped_column(word(ParticipantRole))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()
