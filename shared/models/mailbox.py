"""An address that we own, and how its mail comes to us."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
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

    `plus` says that its plus-addresses reach us. Mail older than `connected_at` is taken in quietly, or skipped
    when `from_now` is set. `last_ok_at` and `last_error` tell how the last poll ended, `failing_since` since when
    no poll has ended well, `incomplete_since` since when polls have left mail on the server that is not to be had, and
    `unsettled_since` since when the server has refused what shall happen to stored mail. A lease makes sure that only
    one process polls.

    Secrets are encrypted: `imap_secret` is the password, or with `oauth` (how tokens are got, without secrets) the
    client secret and the refresh token; `access_token` is good until `access_expires_at`. `secret_expires_at` is
    when the secret itself ends, where that is known. `outgoing_secret` is the URL of the server that sends this
    mailbox's mail, None for the desk's own.
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
    imap_secret: Mapped[str | None]
    oauth: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    access_token: Mapped[str | None]
    access_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    secret_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outgoing_secret: Mapped[str | None]
    folders: Mapped[list[str]] = mapped_column(JSON, default=lambda: ["INBOX"])
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
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    incomplete_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unsettled_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_by: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    cursors: Mapped[list[FolderCursor]] = relationship(back_populates="mailbox", cascade="all, delete-orphan")


class FolderCursor(Base):
    """Up to which UID a folder has been taken in. A new UIDVALIDITY starts again from the beginning.

    `missing` are mails up to that UID that the server has not handed out, `unsettled` those whose policy may not have
    been applied; both are sequence sets (RFC 9051 section 4.1.1: "4,7:9"). `reconciled_at`: when all that the server
    holds was last compared with the ledger. `renewed_at`: when the UIDVALIDITY last changed.
    `put_back_at`: when its UIDs were last found to be of other mail than before.
    """

    __tablename__ = "folder_cursor"

    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    folder: Mapped[str] = mapped_column(String(200), primary_key=True)
    uidvalidity: Mapped[int] = mapped_column(Id)
    last_uid: Mapped[int] = mapped_column(Id, default=0)
    missing: Mapped[str] = mapped_column(default="")
    unsettled: Mapped[str] = mapped_column(default="")
    reconciled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    renewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    put_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    mailbox: Mapped[Mailbox] = relationship(back_populates="cursors")
