"""What a fault of the database means for the work at hand: do it again at once, later, or blame the work itself."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

logger = logging.getLogger(__name__)

CONFLICT_TRIES = 5
CONFLICT_SECONDS = 0.05  # the longest pause before a transaction is done again
CONFLICTS = frozenset({"40001", "40P01"})  # PostgreSQL gave this transaction up for the sake of another one
OVERLOADED = ("53", "55", "57")  # no room, somebody else's lock, an operator stops it: PostgreSQL's classes
GONE = ("08", "58")  # the connection, the machine
SQLITE_OVERLOADED = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_READONLY")
SQLITE_GONE = ("SQLITE_CANTOPEN", "SQLITE_PROTOCOL", "SQLITE_NOTADB", "SQLITE_CORRUPT")


Result = TypeVar("Result")


class Fault(Enum):
    """CONFLICT: two transactions stood in each other's way; doing it again at once is right.

    OVERLOADED: the database answered that it cannot now, and nobody's work is to blame. GONE: it does not answer.
    OURS: it refused what it was asked to do, and will do so again.
    """

    CONFLICT = auto()
    OVERLOADED = auto()
    GONE = auto()
    OURS = auto()

    @property
    def passes(self) -> bool:
        """Whether it goes away without anything being done about the work."""
        return self is not Fault.OURS


def fault_of(error: Exception) -> Fault:
    """Say whose fault an exception is. Whatever is no error of the database is ours."""
    if isinstance(error, NoFreeConnectionError):
        return Fault.OVERLOADED
    if isinstance(error, InterfaceError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Fault.GONE
    if not isinstance(error, OperationalError):
        return Fault.OURS
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_fault(error.orig.sqlite_errorname)
    return _postgresql_fault(getattr(error.orig, "sqlstate", None))


def again_after_conflicts(
    write: Callable[[], Result], sleep: Callable[[float], object], chance: Callable[[], float]
) -> Result:
    """Do a transaction again at once where the database gave it up for another's sake, `CONFLICT_TRIES` times."""
    for _ in range(CONFLICT_TRIES):
        try:
            return write()
        except SQLAlchemyError as error:
            if fault_of(error) is not Fault.CONFLICT:
                raise
            logger.warning("two transactions stood in each other's way, doing this one again")
        sleep(CONFLICT_SECONDS * chance())
    return write()


def _sqlite_fault(name: str) -> Fault:
    if name.startswith(SQLITE_OVERLOADED):
        return Fault.OVERLOADED
    return Fault.GONE if name.startswith(SQLITE_GONE) else Fault.OURS


def _postgresql_fault(code: str | None) -> Fault:
    if code is None or code.startswith(GONE):
        return Fault.GONE
    if code in CONFLICTS:
        return Fault.CONFLICT
    return Fault.OVERLOADED if code.startswith(OVERLOADED) else Fault.OURS
