"""The ledger of arrivals: a narrow row whose state changes, and the bytes beside it that never do."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.columns import NEVER_REUSED, Id, Queued, word
from shared.models.mailbox import Mailbox


class InboundState(StrEnum):
    """Every mail that was accepted is in exactly one of these."""

    RECEIVED = "received"
    PROCESSED = "processed"
    HELD = "held"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"


class InboundMessage(Queued, Base):
    """A stored mail, what was decided about it, and why.

    `action`, `reason` and `clues` are the decision. `ticket_number` is the ticket that it made, joined or
    names; no foreign key, since tickets can be deleted and the ledger stays. The summary columns
    (`message_id` to `kind`) are filled when it has been read. `quiet`: it causes no mail.
    `person_order` is what a person decided about it: {"action": "join" | "open" | "refresh" | "discard", "ticket":
    number or None, "by": user id}; all but the last is carried out when the mail is processed again. `started_at` is
    when the last try to process it began, `failures` how many of the `attempts` ended with an error (others ended with
    their process, or their database), `processed_at` when the decision was made. `notes` are sentences about what
    receiving did to the mail, such as leaving large parts on the server. By `told_size` (where it is the true one) and
    `internal_date`, both told by the IMAP server, a mail is known again under its `uid`.
    """

    __tablename__ = "inbound_message"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "folder", "uidvalidity", "uid"),
        Index("ix_inbound_message_due", "state", "due_at", "id"),
        Index("ix_inbound_message_state", "state", "id"),
        NEVER_REUSED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    state: Mapped[InboundState] = mapped_column(word(InboundState), default=InboundState.RECEIVED)
    source: Mapped[str] = mapped_column(String(10))
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id"))
    folder: Mapped[str | None] = mapped_column(String(200))
    uidvalidity: Mapped[int | None] = mapped_column(Id)
    uid: Mapped[int | None] = mapped_column(Id)
    told_size: Mapped[int | None]
    internal_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    envelope_from: Mapped[str | None] = mapped_column(String(320))
    envelope_to: Mapped[list[str]] = mapped_column(JSON, default=list)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    size: Mapped[int]
    quiet: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)

    message_id: Mapped[str | None] = mapped_column(String(255), index=True)
    from_address: Mapped[str | None] = mapped_column(String(320), index=True)
    from_name: Mapped[str | None] = mapped_column(String(200))
    subject: Mapped[str | None] = mapped_column(String(500))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    kind: Mapped[str | None] = mapped_column(String(20))

    action: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None]
    clues: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    ticket_number: Mapped[int | None] = mapped_column(Id, index=True)
    person_order: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    mailbox: Mapped[Mailbox] = relationship()
    raw: Mapped[InboundRaw] = relationship(back_populates="inbound", cascade="all, delete-orphan")


class InboundRaw(Base):
    """The bytes of a mail as they came, compressed with zstd. Written once, never changed."""

    __tablename__ = "inbound_raw"

    inbound_id: Mapped[int] = mapped_column(ForeignKey("inbound_message.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)

    inbound: Mapped[InboundMessage] = relationship(back_populates="raw")
