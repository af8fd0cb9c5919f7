"""The command `letterdesk`: its table is true, and a call loads no more than it needs."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import letterdesk

HEAVY = {"flask", "gunicorn", "aiosmtpd", "imapclient", "icalendar", "selectolax", "alembic", "rich", "apscheduler"}
CONTEXT = click.Context(letterdesk.command)


@pytest.mark.parametrize("name", sorted(letterdesk.COMMANDS))
def test_each_command_of_the_table_is_there_under_its_name(name: str) -> None:
    found = letterdesk.command.get_command(CONTEXT, name)
    assert found is not None
    assert found.name == name
    assert bool(letterdesk.COMMANDS[name][1]) is not found.hidden


def test_the_help_names_every_command_with_a_whole_sentence() -> None:
    told = CliRunner().invoke(letterdesk.command, ["--help"]).output
    for name, (_, sentence) in letterdesk.COMMANDS.items():
        assert not sentence or name in told
        assert " ".join(sentence.split()) in " ".join(told.split())
    assert "portal" in told
    assert "worker" not in told


@pytest.mark.parametrize(
    ("modules", "needless"),
    [("letterdesk", HEAVY | {"sqlalchemy", "pydantic"}), ("letterdesk, shared.commands", HEAVY | {"psycopg"})],
)
def test_help_and_status_load_nothing_heavy_that_they_do_not_need(modules: str, needless: set[str]) -> None:
    asked = f"import sys, {modules}; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert needless & set(loaded) == set()
