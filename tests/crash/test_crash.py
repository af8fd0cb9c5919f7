"""A short storm: the desk is killed in each stage, and all is there once in the end. `make crash` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.kills import Plan
from tests.crash.points import DOT_HELD, DOT_SENT
from tests.crash.storm import storm
from tests.postgres import cluster

SEED = 20261121
FEW = (
    "smtp: after the commit",
    DOT_SENT,
    "process: applied, before the commit",
    "send: handed over, before the dot",
    DOT_HELD,
)


@pytest.mark.crash
def test_a_desk_on_sqlite_that_is_killed_again_and_again_loses_and_doubles_nothing(tmp_path: Path) -> None:
    result = storm(tmp_path / "desk", Plan(points=FEW, intake=1, machine=1), SEED, intake=("run",))
    assert result.faults == {}, result.log[-3000:]
    assert sum(result.kills.values()) >= len(FEW)


@pytest.mark.crash
@pytest.mark.usefixtures("postgres")  # says where PostgreSQL is missing
def test_a_desk_on_postgresql_that_is_killed_with_its_database_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with cluster() as server:  # one of its own, since it is killed
        result = storm(
            tmp_path / "desk", Plan(points=FEW, worker=1, postgres=1), SEED, server, intake=("intake", "--workers", "2")
        )
    assert result.faults == {}, result.log[-3000:]
    assert result.kills["postgres"] == 1
