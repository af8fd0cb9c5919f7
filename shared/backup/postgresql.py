"""A PostgreSQL database, by its own programs: `pg_dump` copies it, `pg_restore` and `psql` put it back.

The password is handed over in the environment: the arguments of a program are for all to see.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, create_engine, inspect, pool, text
from sqlalchemy.engine import URL

from shared import schema
from shared.backup.archive import BackupError
from shared.backup.stores import Contents, count
from shared.database import Base

INSTALLED = Path("/usr/lib/postgresql")  # where Debian keeps each version
OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
QUIET = ("--no-owner", "--no-privileges")


class PostgresqlStore:
    """The database at a URL (see `shared.backup.stores.Store`)."""

    kind: Literal["postgresql"] = "postgresql"

    def __init__(self, url: URL, scratch: Path) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._statements: Sequence[str] = ()
        self.scratch = scratch

    def dump(self, target: Path) -> str | None:
        with self._engine().connect() as connection:
            tables = schema.revision(connection)
        self._run("pg_dump", "--format=custom", *QUIET, "--no-password", self._target, f"--file={target}")
        return tables

    def prepare(self, dump: Path, statements: Sequence[str]) -> None:
        self._run("pg_restore", "--list", str(dump))
        self._program("psql")
        self._statements = statements

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._engine().connect() as connection:
            others = connection.scalar(OTHERS) or 0
        if others:
            raise BackupError(f"Somebody is using the database ({others} connections); stop the desk first.")
        yield

    def contents(self) -> Contents:
        with self._engine().connect() as connection:
            return count(connection)

    def replace(self, dump: Path, stamp: str) -> str:  # noqa: ARG002 - the former tables are not kept
        """One transaction: whatever ends it before its last word leaves the database as it was."""
        with tempfile.TemporaryFile() as said:
            reading = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL with words of our own
                [self._program("pg_restore"), "--file=-", *QUIET, str(dump)], stdout=subprocess.PIPE, stderr=said
            )
            writing = subprocess.Popen(  # noqa: S603
                [self._program("psql"), *_PSQL, self._target],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=self._environment(),
            )
            self._pour(reading, writing)
            if writing.wait() or reading.returncode:
                said.seek(0)
                raise BackupError(f"The database was left as it was: {_first_line(said.read())}")
        return ""

    def _pour(self, reading: subprocess.Popen[bytes], writing: subprocess.Popen[bytes]) -> None:
        source, target = _pipe(reading.stdout), _pipe(writing.stdin)
        try:
            with source, target:
                target.write(_script("BEGIN", "SET lock_timeout = '10s'", *self._drops()))
                shutil.copyfileobj(source, target)
                if reading.wait() == 0:
                    target.write(_script("RESET search_path", *self._statements, "COMMIT"))
        except BrokenPipeError:
            pass  # psql has ended, and has said why
        reading.wait()

    def _drops(self) -> list[str]:
        ours = {*Base.metadata.tables, "alembic_version"}
        with self._engine().connect() as connection:
            there = inspect(connection).get_table_names()
        return [f'DROP TABLE "{name}" CASCADE' for name in there if name in ours]

    def _run(self, name: str, *arguments: str) -> None:
        ended = subprocess.run(  # noqa: S603 - a program of PostgreSQL with words of our own
            [self._program(name), *arguments], env=self._environment(), capture_output=True, check=False
        )
        if ended.returncode:
            raise BackupError(f"{name} could not do it: {_first_line(ended.stderr)}")

    def _program(self, name: str) -> str:
        installed = [*INSTALLED.glob(f"*/bin/{name}"), shutil.which(name)]
        return program(name, self._server_version(), [str(path) for path in installed if path])

    def _server_version(self) -> int:
        with self._engine().connect() as connection:
            (major, *_) = connection.dialect.server_version_info or (0,)
        return int(major)

    def _engine(self) -> Engine:
        """One that keeps no connection open: those of others are counted."""
        return create_engine(self._url, poolclass=pool.NullPool, connect_args={"connect_timeout": 10})

    @property
    def _target(self) -> str:
        return f"--dbname={make_conninfo('', **self._parameters() | {'password': None})}"

    def _environment(self) -> dict[str, str]:
        password = self._parameters().get("password")
        return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}

    def _parameters(self) -> dict[str, Any]:
        """What the desk's own connections are made with."""
        return dict(self._url.get_dialect()().create_connect_args(self._url)[1])


_PSQL = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")


def program(name: str, server: int, installed: Iterable[str]) -> str:
    """Choose the program that is nearest to the server's version and not older. Raises BackupError."""
    found = sorted((_major(path), path) for path in installed)
    fitting = [path for major, path in found if major >= server]
    if fitting:
        return fitting[0]
    if found:
        raise BackupError(
            f"{name} is of version {found[-1][0]}, older than the server; install postgresql-client-{server}."
        )
    raise BackupError(f"{name} is not installed; install the package postgresql-client.")


def _major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(version[1]) if version else 0


def _script(*statements: str) -> bytes:
    return "".join(f"{statement};\n" for statement in statements).encode()


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None  # noqa: S101 - both were asked for
    return end


def _first_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return re.sub(r"^\w+: (error: )?", "", lines[0]) if lines else "it did not say why."
