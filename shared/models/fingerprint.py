"""What has been taken in, by content. Outlives the mail itself, so that nothing comes back."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base
from shared.models.columns import Id


class Fingerprint(Base):
    """A SHA-256 over the parts of a mail that do not change on its way, for each mailbox it came to.

    `inbound_id` is the first arrival; no foreign key, since that row may be erased one day.
    """

    __tablename__ = "fingerprint"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True)
    inbound_id: Mapped[int] = mapped_column(Id)
