"""Which ticket a Message-ID belongs to."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base
from shared.references import MAX_KEY


class MessageRef(Base):
    """A Message-ID that was seen, of a message or as a reference, and the ticket that it first led to.

    References of mail that is not here yet are kept as well (`arrived` is false): a reply that overtakes its
    parent still meets it.
    """

    __tablename__ = "message_ref"

    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    arrived: Mapped[bool] = mapped_column(default=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
