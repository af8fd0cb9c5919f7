"""Failed logins, counted for each account and each client, so that guessing becomes slow."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, UtcDateTime


class LoginThrottle(Base):
    """How often a login failed under `key` since `since`. `key` is a digest: no name is stored."""

    __tablename__ = "login_throttle"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
