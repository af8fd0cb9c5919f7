"""An address that we own, and how its mail comes to us."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, word


class Policy(StrEnum):
    """What happens to a mail on the IMAP server once it is safely stored."""

    KEEP = "keep"
    SEEN = "seen"
    MOVE = "move"
    DELETE = "delete"


class Mailbox(Base):
    """An address of the desk. With an IMAP URL it is polled; over SMTP every mailbox is received.

    `imap_secret` is the password, encrypted. `plus` says that its plus-addresses reach us. Mail older
    than `connected_at` is taken in quietly, or skipped when `from_now` is set. `last_ok_at` and
    `last_error` tell how the last poll ended; a lease makes sure that only one process polls.
    """

    __tablename__ = "mailbox"
    __table_args__ = (NEVER_REUSED,)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    address: Mapped[str] = mapped_column(String(254))
    address_key: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    plus: Mapped[bool] = mapped_column(default=True)

    imap_url: Mapped[str | None] = mapped_column(String(500))
    imap_secret: Mapped[str | None] = mapped_column(String(1000))
    folder: Mapped[str] = mapped_column(String(200), default="INBOX")
    policy: Mapped[Policy] = mapped_column(word(Policy), default=Policy.KEEP)
    move_to: Mapped[str | None] = mapped_column(String(200))
    poll_seconds: Mapped[int] = mapped_column(default=60)
    from_now: Mapped[bool] = mapped_column(default=False)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    connected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_poll_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    lease_by: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    cursors: Mapped[list[FolderCursor]] = relationship(back_populates="mailbox", cascade="all, delete-orphan")


class FolderCursor(Base):
    """Up to which UID a folder has been taken in. A new UIDVALIDITY starts again from the beginning."""

    __tablename__ = "folder_cursor"

    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    folder: Mapped[str] = mapped_column(String(200), primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(Id)
    last_uid: Mapped[int] = mapped_column(Id, default=0)

    mailbox: Mapped[Mailbox] = relationship(back_populates="cursors")
