"""What the people who run the desk must know now: a mailbox that fails, a cap that is reached, a disk that is full."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, UtcDateTime


class Alert(Base):
    """Something that is wrong, one row for each `key`, which says what it is about ("mailbox:3").

    It lasts from `since` until `ended_at` is set or `until` is over, whichever comes first; what goes wrong again
    begins anew in the same row. `told_at`: when its beginning or end was last mailed to the administrators, `posted_at`
    when it was last posted to the alert URL; `posting_until`: until when one process has taken it for posting.
    """

    __tablename__ = "alert"

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    sentence: Mapped[str]
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    posted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    posting_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
