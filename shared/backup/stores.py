"""What a backup needs of the database, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import Connection, Select, func, inspect, select

from shared.models import InboundMessage, Ticket, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much of a desk is in a database; whether none of it can be read."""

    tickets: int = 0
    mails: int = 0
    accounts: int = 0
    unreadable: bool = False

    @property
    def is_empty(self) -> bool:
        return self == Contents()

    def __str__(self) -> str:
        if self.unreadable:
            return "a file that is no readable database"
        counted = (_counted(self.tickets, "ticket"), _counted(self.mails, "mail"), _counted(self.accounts, "account"))
        return "a desk with {}, {} and {}".format(*counted)


def _counted(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"


class Store(Protocol):
    """The configured database, as something that is copied and replaced as a whole."""

    @property
    def kind(self) -> Literal["sqlite", "postgresql"]: ...

    @property
    def scratch(self) -> Path:
        """A folder in which a copy may be put together."""

    def dump(self, target: Path) -> str | None:
        """Write the database as it is at one moment into a file, while others use it.

        Returns the revision of its tables; None where it has none. Raises BackupError.
        """

    def prepare(self, dump: Path, statements: Sequence[str]) -> None:
        """Check a dump before anything is replaced by it, and have `statements` carried out with it."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only one who uses the database; raises BackupError where somebody else does."""

    def contents(self) -> Contents: ...

    def replace(self, dump: Path, stamp: str) -> str:
        """Put a prepared dump in the place of the database: all of it or, where that fails, nothing.

        Returns a sentence about where the former one is, or an empty one. Raises BackupError.
        """


def count(connection: Connection) -> Contents:
    """How much is in the database that a connection leads to."""
    there = set(inspect(connection).get_table_names())
    if not {Ticket.__tablename__, InboundMessage.__tablename__, User.__tablename__} <= there:
        return Contents()
    return Contents(
        tickets=_rows(connection, select(func.count()).select_from(Ticket)),
        mails=_rows(connection, select(func.count()).select_from(InboundMessage)),
        accounts=_rows(connection, select(func.count()).select_from(User).where(User.password_hash.is_not(None))),
    )


def _rows(connection: Connection, query: Select[int]) -> int:
    return connection.scalar(query) or 0
