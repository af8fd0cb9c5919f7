"""Numbers that are given once and never again, whatever is deleted later."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base
from shared.models.columns import Id


class Counter(Base):
    """The last number given under a name, and the lock of whoever gives the next.

    Whoever holds the row “ticket” is the only one who files mail; the row “automatic” gives no numbers, and whoever
    holds it is the only one who queues automatic mail.
    """

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int] = mapped_column(Id, default=0)
