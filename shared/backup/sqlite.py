"""A SQLite database as one file: copied while it is written to, and replaced by one rename."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DatabaseError

from shared import schema
from shared.backup.archive import BackupError
from shared.backup.files import sync, sync_folder
from shared.backup.stores import Contents, count
from shared.database import Database

PAGES = 4096  # in one step, between which Ctrl+C is heard
COMPANIONS = ("-wal", "-shm")


class SqliteStore:
    """A database in the file `path` (see `shared.backup.stores.Store`)."""

    kind: Literal["sqlite"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def scratch(self) -> Path:
        """The folder of the database itself: a rename leads from there to its place."""
        return self._path.parent

    def dump(self, target: Path) -> str | None:
        if not self._path.is_file():
            raise BackupError(f"There is no database yet: {self._path}")
        try:
            _copy(self._path, target)
            _check(target)
        except sqlite3.DatabaseError as error:
            raise BackupError(f"The database {self._path} cannot be copied: {error}") from None
        sync(target)
        return _look(target)[1]

    def prepare(self, dump: Path, statements: Sequence[str]) -> None:
        try:
            _check(dump)
            with closing(_open(dump)) as copy:
                for statement in ("BEGIN", *statements, "COMMIT"):
                    copy.execute(statement)
        except sqlite3.DatabaseError as error:
            raise BackupError(f"The database in the backup cannot be used: {error}") from None
        database = Database(f"sqlite:///{dump}")
        try:
            schema.migrate(database)
        finally:
            database.close()
        with closing(_open(dump)) as copy:
            _as_one_file(copy)
        sync(dump)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """SQLite can give up its log only where no other connection is open: whoever can do that is alone."""
        if not self._path.is_file():
            yield
            return
        with closing(_open(self._path, timeout=0)) as connection:
            try:
                _as_one_file(connection)
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise BackupError(f"The database {self._path} cannot be opened: {error}") from None
                raise BackupError(f"Somebody is using {self._path}; stop the desk first.") from None
            except sqlite3.DatabaseError:
                pass  # a file that is no database is nobody's
            yield

    def contents(self) -> Contents:
        return _look(self._path)[0] if self._path.is_file() else Contents()

    def replace(self, dump: Path, stamp: str) -> str:
        """The former database stays beside the new one, unless nothing was in it."""
        former = self._path.with_name(f"{self._path.name}.replaced-{stamp}")
        keeps = not self.contents().is_empty
        for suffix in COMPANIONS:
            companion = Path(f"{self._path}{suffix}")
            if companion.exists() and keeps:
                companion.rename(f"{former}{suffix}")
            companion.unlink(missing_ok=True)
        if keeps:
            os.link(self._path, former)
        dump.replace(self._path)
        self._path.chmod(0o600)
        sync_folder(self._path.parent)
        return f"What was there before is kept as {former}." if keeps else ""


def _open(path: Path, timeout: float = 20) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=timeout)


def _copy(source: Path, target: Path) -> None:
    """The copy holds what was committed when the reading began; writers neither wait nor are waited for."""
    with closing(_open(source)) as reading, closing(_open(target)) as copy:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from now on it sees one moment
        reading.backup(copy, pages=PAGES)
        _as_one_file(copy)


def _as_one_file(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=DELETE")


def _check(path: Path) -> None:
    with closing(_open(path)) as copy:
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        astray = copy.execute("PRAGMA foreign_key_check").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    if astray:
        raise sqlite3.DatabaseError(f"a row of the table {astray[0]} refers to one in {astray[2]} that is not there")


def _look(path: Path) -> tuple[Contents, str | None]:
    """What is in a file and of which revision it is, without changing how it is kept."""
    engine: Engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            return count(connection), schema.revision(connection)
    except DatabaseError:
        return Contents(unreadable=True), None
    finally:
        engine.dispose()
