"""Which ticket a Message-ID belongs to."""

from __future__ import annotations

import hashlib

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base

MAX_KEY = 255


def reference_key(message_id: str) -> str:
    """The form under which a Message-ID is stored; long ones become their SHA-256."""
    return message_id if len(message_id) <= MAX_KEY else f"sha256:{hashlib.sha256(message_id.encode()).hexdigest()}"


class MessageRef(Base):
    """A Message-ID that was seen, of a message or as a reference, and the ticket that it first led to.

    References of mail that is not here yet are kept as well: a reply that overtakes its parent still meets it.
    """

    __tablename__ = "message_ref"

    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
