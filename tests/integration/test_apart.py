"""Mail that is read in a process of its own: who ends is known, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intake.apart import Apart, DeadlyMailError
from intake.reading import Stored, read
from intake.types import Arrival
from tests.mailroom import DESK, mail
from tests.receiving import until

PARENT = """
from intake.apart import Apart
from tests.integration.test_apart import name_and_wait, stored
Apart(name_and_wait)(stored(b""))
"""


def stored(content: bytes) -> Stored:
    return Stored(
        inbound_id=1,
        mailbox_id=1,
        mailbox=DESK,
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
        unended=3,
        envelope_from=None,
        envelope_to=(DESK,),
        quiet=False,
        notes=("Large parts were left on the server.",),
        order=None,
        own=frozenset({DESK}),
        content=content,
    )


def stumble(mail: Stored) -> Arrival:
    if b"death" in mail.content:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"stop" in mail.content:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    if b"poison" in mail.content:
        raise RecursionError("too deep for me")
    return read(mail)


def name_and_wait(_: Stored) -> Arrival:
    os.write(1, b"%d\n" % os.getpid())
    signal.pause()
    raise AssertionError("nobody sends a signal")


@pytest.fixture
def apart() -> Iterator[Apart]:
    reader = Apart(stumble)
    yield reader
    reader.close()


def test_what_is_read_apart_is_what_is_read_here(apart: Apart) -> None:
    letter = stored(mail("Please come."))

    assert apart(letter) == read(letter)


def test_an_error_of_the_reader_comes_back(apart: Apart) -> None:
    with pytest.raises(RecursionError, match="too deep for me"):
        apart(stored(b"poison"))


def test_a_mail_that_ends_its_reader_is_named_and_the_next_is_read(apart: Apart) -> None:
    with pytest.raises(DeadlyMailError):
        apart(stored(b"death"))

    assert apart(stored(mail("Next"))).message.text == "Next\n"


def test_what_asks_a_whole_group_of_processes_to_stop_blames_no_mail(apart: Apart) -> None:
    assert apart(stored(mail("stop"))).message.text == "stop\n"


def test_the_reader_does_not_outlive_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()

    until(lambda: not is_alive(child))
    assert not is_alive(child)


def is_alive(process: int) -> bool:
    """Whether a process runs, or could; a dead one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
