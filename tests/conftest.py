"""What all tests stand on: empty migrated databases of both kinds, settings, tokens and a fixed moment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared import schema
from shared.config import Settings
from shared.database import Database
from shared.tokens import Tokens
from tests.postgres import postgres, postgresql_url

__all__ = ["postgres", "postgresql_url"]

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "desk.db"
    database = Database(f"sqlite:///{path}")
    schema.migrate(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database; each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("_migrated_sqlite")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'desk.db')}"
        return
    yield request.getfixturevalue("postgresql_url")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    desk = Database(database_url)
    yield desk
    desk.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a desk of its own: nothing of the machine's environment is in it."""
    monkeypatch.chdir(tmp_path)
    return Settings(database_url=database_url, data_dir=tmp_path / "var", secret_key=SECRET, password_rounds=1)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
