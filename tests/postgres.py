"""A real PostgreSQL for the tests: its own cluster in a temporary folder, a free port on 127.0.0.1.

One server serves a whole test session; each test gets a database of its own, copied from one that is migrated once.
The server keeps its defaults (fsync and all), so that what a test sees is what people run.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from shared.database import Database
from shared.schema import migrate

CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
timezone = 'Asia/Kathmandu'
"""  # a time zone that is nobody's default: what forgets its zone shows
INITDB = ("-E", "UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync")
TEMPLATE = "migrated"
OWNERS = ("postgres", "nobody")


class NotInstalledError(Exception):
    """PostgreSQL's programs are not on this machine."""


class Cluster:
    """A running server. `start`, `stop` and `kill` may be used by tests that want to see it die."""

    def __init__(self, home: Path) -> None:
        self.port = _free_port()
        self._home = home
        self._password = secrets.token_hex(16)
        self._numbers = itertools.count(1)
        self._owner = _owner()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server, while it runs."""
        return self._server.pid if self._server is not None else None

    def create(self) -> None:
        """Make the cluster's files; raises NotInstalledError where the programs are missing."""
        password = self._home / "password"
        password.write_text(self._password)
        if self._owner is not None:
            for path in (self._home, password):
                shutil.chown(path, self._owner)
        subprocess.run(
            [_program("initdb"), "-D", str(self._files), "-U", "desk", *INITDB, f"--pwfile={password}"],
            **self._rights,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with (self._files / "postgresql.conf").open("a") as config:
            config.write(CONFIG.format(port=self.port))

    def start(self) -> None:
        """Start the server and return when it answers."""
        with (self._home / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [_program("postgres"), "-D", self._files],
                **self._rights,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            if self._server.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"PostgreSQL did not start: {(self._home / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the server: connections are cut, transactions that are open are rolled back."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Let the server die without a word to anyone, as a crash does; its next start recovers what was committed."""
        self._end(signal.SIGQUIT)

    def fresh_database(self, *, migrated: bool = True) -> str:
        """Make a database that nobody else uses and return its URL; with all tables when `migrated`."""
        if migrated and not self._has(TEMPLATE):
            self._migrate_template()
        name = f"desk_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, also from under whoever is still connected."""
        self._execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def url(self, name: str) -> str:
        return f"postgresql://desk:{self._password}@127.0.0.1:{self.port}/{name}"

    @property
    def _files(self) -> Path:
        return self._home / "files"

    @property
    def _rights(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root, so root hands it to an unprivileged user."""
        mine: dict[str, Any] = {"cwd": self._home, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}}
        return (
            mine
            if self._owner is None
            else mine | {"user": self._owner, "group": _group(self._owner), "extra_groups": []}
        )

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def _has(self, name: str) -> bool:
        return self._execute("SELECT 1 FROM pg_database WHERE datname = %s", name) == 1

    def _migrate_template(self) -> None:
        self._execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        database = Database(self.url(TEMPLATE))
        try:
            migrate(database)
        finally:
            database.close()

    def _execute(self, statement: str, *values: str) -> int:
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as connection:
            return connection.execute(statement.encode(), values or None).rowcount


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make and start a cluster; stop and remove it at the end. Raises NotInstalledError."""
    home = Path(tempfile.mkdtemp(prefix="letterdesk-postgres-"))
    try:
        server = Cluster(home)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """The session's server. Where PostgreSQL is missing the test is skipped, and in CI it fails."""
    try:
        _program("initdb")
    except NotInstalledError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with cluster() as server:
        yield server


@pytest.fixture
def postgresql_url(postgres: Cluster) -> Iterator[str]:
    """A migrated database of the test's own; it is dropped afterwards."""
    url = postgres.fresh_database()
    yield url
    postgres.drop_database(url)


def _program(name: str) -> str:
    """Where a program of PostgreSQL is: the newest that Debian installed, or what PATH has."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which(name, path=":".join([*map(str, reversed(folders)), os.environ.get("PATH", "")]))
    if found is None:
        raise NotInstalledError(f"PostgreSQL's {name} was not found; install the package postgresql to run these tests")
    return found


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in OWNERS if name in known)


def _group(owner: str) -> int:
    return pwd.getpwnam(owner).pw_gid


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
