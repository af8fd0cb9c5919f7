"""A person, whatever addresses they write from."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, word


class Role(StrEnum):
    """What a user may do. Agents and administrators work on tickets; requesters write to the desk."""

    REQUESTER = "requester"
    AGENT = "agent"
    ADMIN = "admin"


class User(Base):
    """A person. Known from mail alone until they have a password.

    `email` is the address that the desk writes to. `session_version` is part of every session: raising
    it ends them all. Usernames are unique whatever the letter case, and hold no @.
    """

    __tablename__ = "user"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    email: Mapped[str] = mapped_column(String(254))
    username: Mapped[str | None] = mapped_column(String(64))
    username_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(word(Role), default=Role.REQUESTER)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    session_version: Mapped[int] = mapped_column(default=1)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    addresses: Mapped[list[Address]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="Address.key"
    )

    @property
    def is_staff(self) -> bool:
        """Whether this person works on tickets."""
        return self.role is not Role.REQUESTER

    @property
    def label(self) -> str:
        """The name to show, or the address where no name is known."""
        return self.name or self.email


class Address(Base):
    """One address of a person. `key` makes it unique whatever the letter case (`shared.addresses`).

    `suspended_at`: no automatic mail goes there since mail to it came back for good; `suspended_why` are the words of
    the server that refused it. `blocked_at`: since then mail from there is discarded, because a person (`blocked_by`,
    by name) says that it is spam.
    """

    __tablename__ = "address"

    key: Mapped[str] = mapped_column(String(254), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_why: Mapped[str | None]
    blocked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_by: Mapped[str | None] = mapped_column(String(254))

    user: Mapped[User] = relationship(back_populates="addresses")

    @property
    def is_blocked(self) -> bool:
        """Whether mail from there is discarded; never while its person works here."""
        return self.blocked_at is not None and not self.user.is_staff
