"""One entry of a ticket."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import Base, UtcDateTime
from shared.models.attachment import Attachment
from shared.models.columns import NEVER_REUSED, Id, word
from shared.models.inbound import InboundMessage
from shared.models.ticket import Ticket
from shared.models.user import User


class ArticleKind(StrEnum):
    """A message came in by mail or the portal, a reply went out, a note stays between ourselves."""

    MESSAGE = "message"
    REPLY = "reply"
    NOTE = "note"


class Article(Base):
    """An entry of a ticket. An inbound message makes at most one.

    `folds` are the lines of `text` to fold when shown: [[start, end, kind], …] (`intake.types.Fold`).
    `to` and `cc` are [[address, name], …] as the mail had them. `stranger`: the author is not on the
    ticket. `automatic`: a machine wrote it. `html` is sanitised.
    """

    __tablename__ = "article"
    __table_args__ = (Index("ix_article_ticket", "ticket_id", "created_at", "id"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    kind: Mapped[ArticleKind] = mapped_column(word(ArticleKind))
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    inbound_id: Mapped[int | None] = mapped_column(ForeignKey("inbound_message.id"), unique=True)
    message_id: Mapped[str | None] = mapped_column(String(998))
    from_address: Mapped[str] = mapped_column(String(320), default="")
    to: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    cc: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    reply_to: Mapped[str | None] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(String(500), default="")
    text: Mapped[str] = mapped_column(default="")
    reply_text: Mapped[str] = mapped_column(default="")
    folds: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    html: Mapped[str | None]
    automatic: Mapped[bool] = mapped_column(default=False)
    stranger: Mapped[bool] = mapped_column(default=False)
    defects: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    ticket: Mapped[Ticket] = relationship()
    author: Mapped[User] = relationship()
    inbound: Mapped[InboundMessage | None] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(
        cascade="all, delete-orphan", order_by=Attachment.id, passive_deletes=True
    )
