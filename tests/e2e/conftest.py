"""Whole desks, started as people start them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.desk import Client, Desk, running_desk
from tests.postgres import Cluster

ADMIN = "jonas@desk.example"
AGENT = "mira@desk.example"
CODE = "K7W2-19QF-33AB"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk of the test's own, on SQLite."""
    with running_desk(tmp_path / "desk") as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def either_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk of the test's own: once on SQLite, once on PostgreSQL after `letterdesk migrate`."""
    home = tmp_path / "desk"
    if request.param == "sqlite":
        with running_desk(home, ADMIN_CODE=CODE) as running:
            yield running
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.fresh_database(migrated=False)
    settings = {"DATABASE_URL": url, "SECRET_KEY": "a key that all machines of this desk share"}
    home.mkdir()
    Desk(home, **settings).done("migrate")
    with running_desk(home, ADMIN_CODE=CODE, **settings) as running:
        yield running
    cluster.drop_database(url)


@pytest.fixture
def visitor() -> Callable[[Desk], Client]:
    """Somebody new who looks at the pages of a desk."""
    return Client
