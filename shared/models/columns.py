"""Column types and mixins that several tables share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Enum, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import UtcDateTime

NEVER_REUSED = {"sqlite_autoincrement": True}  # otherwise SQLite gives the id of the last deleted row again
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER key


def word(kind: type[StrEnum]) -> Enum:
    """A column of the words of `kind`, stored as text and checked by the database."""
    return Enum(
        kind,
        name=kind.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda words: [w.value for w in words],
    )


class Queued:
    """A row that a worker claims, works on under a lease and gives back (see `shared.queue`)."""

    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_by: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None]
