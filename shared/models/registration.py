"""A registration, or a forgotten password, that waits for the link in the mail to be opened."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, word
from shared.models.user import Role


class RegistrationPurpose(StrEnum):
    """What the mailed link does."""

    REGISTER = "register"
    RESET = "reset"


class Registration(Base):
    """What somebody entered. It takes effect only through a link mailed to the address, once."""

    __tablename__ = "registration"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    purpose: Mapped[RegistrationPurpose] = mapped_column(word(RegistrationPurpose))
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200), default="")
    username: Mapped[str | None] = mapped_column(String(64))
    role: Mapped[Role] = mapped_column(word(Role), default=Role.REQUESTER)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
