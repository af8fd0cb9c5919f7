"""The limit of open files is raised to what the connections need; where that is not allowed, it is said."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from intake.receiving.open_files import allow_connections


@pytest.fixture
def few() -> Iterator[int]:
    """A soft limit of 256 open files, as some systems set it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield 256
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_limit_is_raised_to_what_the_connections_need(few: int) -> None:
    assert soft() == few
    assert allow_connections(500) is None
    assert soft() == 800


def test_a_limit_that_is_high_enough_stays(few: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (900, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert few < 900
    assert allow_connections(500) is None
    assert soft() == 900


def test_a_system_that_allows_too_few_is_said() -> None:
    asked = "from intake.receiving.open_files import allow_connections; print(allow_connections(500))"
    limited = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh", sys.executable, "-c", asked]
    said = subprocess.run(limited, capture_output=True, text=True, check=True).stdout
    assert said.startswith("The system lets the desk open 400 files, too few for 500 connections: allow 800")
