"""How a command opens the configured desk: settings, database, tokens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from shared import schema
from shared.config import ConfigError, Settings, load_settings
from shared.credentials import PasswordError
from shared.database import Database
from shared.tokens import Tokens


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDesk:
    """What the commands work on: the settings, the database and the tokens. `is_new`: its tables were made just now."""

    settings: Settings
    database: Database
    tokens: Tokens
    is_new: bool = False


@contextmanager
def open_desk(*, migrated: bool = True) -> Iterator[OpenDesk]:
    """The configured desk. SQLite is brought up to date by itself; PostgreSQL must be (`letterdesk migrate`)."""
    settings = load_settings()
    database = Database(settings.database_url)
    try:
        is_new = migrated and _bring_up_to_date(database)
        tokens = Tokens(settings.secret_key, *settings.old_keys)
        yield OpenDesk(settings=settings, database=database, tokens=tokens, is_new=is_new)
    finally:
        database.close()


def _bring_up_to_date(database: Database) -> bool:
    """Whether there were no tables until now."""
    with database.engine.connect() as connection:
        found = schema.revision(connection)
    if found == schema.revisions()[-1]:
        return False
    if not database.is_sqlite:
        raise ConfigError("The database is not of this version; run: letterdesk migrate")
    schema.migrate(database)
    return found is None


def ask_password(*, stdin: bool) -> str:
    """A password from standard input, or from the person at the terminal. Raises PasswordError."""
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise PasswordError("There is nobody to ask for the password; give it on standard input with --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
