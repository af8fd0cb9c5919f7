"""Mail that is read in a process of its own: who ends is known, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intake.apart import FOR_THE_GROUP, UNUSED_RESTS, Apart, DeadlyMailError, NoReaderError, ReadError
from intake.reading import Stored, read
from intake.types import Arrival
from tests.crash.processes import descendants
from tests.mailroom import DESK, mail
from tests.receiving import until

PARENT = """
import sys, threading
from intake.apart import Apart
from tests.integration.test_apart import spin, stored
apart = Apart(spin, processor_seconds=2)
keep = lambda: None
threading.Timer(0.1, lambda: print("reading", flush=True)).start()
apart.read(stored(sys.argv[1].encode()), keep)
sys.stdin.read()
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


class Deadly:
    """Ends whoever pickles it, with what came before already in the pipe."""

    def __reduce__(self) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"


class Unfit:
    """A reader that ends whoever unpickles it."""

    def __call__(self, _: Stored) -> Arrival:
        raise AssertionError("nobody gets here")

    def __reduce__(self) -> tuple[object, ...]:
        return (os._exit, (3,))


def stumble(mail: Stored) -> Arrival:
    if b"death" in mail.content:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"half" in mail.content:
        return replace(read(mail), mailbox="x" * 1_000_000, message=Deadly())  # type: ignore[arg-type]
    if b"stop" in mail.content:
        for number in FOR_THE_GROUP:
            os.kill(os.getpid(), number)
    if b"poison" in mail.content:
        raise RecursionError("too deep for me")
    while b"endless" in mail.content:
        pass
    print("whatever a library may have to say")  # noqa: T201
    return read(mail)


def spin(mail: Stored) -> Arrival:
    while b"endless" in mail.content:
        pass
    return read(mail)


def wait(_: Stored) -> Arrival:
    while True:
        signal.pause()


def no_matter() -> None:
    """Nothing has to be kept meanwhile."""


@pytest.fixture
def apart() -> Iterator[Apart]:
    reader = Apart(stumble, processor_seconds=1)
    yield reader
    reader.close()


def test_what_is_read_apart_is_what_is_read_here(apart: Apart) -> None:
    letter = stored(mail("Please come."))

    assert apart.read(letter, no_matter) == read(letter)


def test_an_error_of_the_reader_comes_back_with_where_it_was(apart: Apart) -> None:
    with pytest.raises(ReadError, match="RecursionError: too deep for me") as caught:
        apart.read(stored(b"poison"), no_matter)

    assert type(caught.value) is ReadError
    assert "in stumble" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("content", "why"), [(b"death", "SIGKILL"), (b"half", "SIGKILL"), (b"endless", "more processor time")]
)
def test_a_mail_that_ends_its_reader_is_named_and_the_next_is_read(apart: Apart, content: bytes, why: str) -> None:
    with pytest.raises(DeadlyMailError, match=why):
        apart.read(stored(content), no_matter)

    assert apart.read(stored(mail("Next")), no_matter).message.text == "Next\n"


def test_what_asks_a_whole_group_of_processes_to_stop_blames_no_mail(apart: Apart) -> None:
    assert apart.read(stored(mail("stop")), no_matter).message.text == "stop\n"


def test_where_no_child_can_be_had_no_mail_is_blamed() -> None:
    with pytest.raises(NoReaderError, match=r"ended at its start \(3\)"):
        Apart(Unfit()).read(stored(b""), no_matter)


def test_a_child_that_nobody_needs_any_more_is_ended(apart: Apart) -> None:
    apart.read(stored(mail("One")), no_matter)
    (child,) = children()
    for _ in range(UNUSED_RESTS + 1):
        assert children() == [child]
        apart.rest()

    assert children() == []


def test_what_happens_to_the_database_meanwhile_ends_the_child_and_is_passed_on(apart: Apart) -> None:
    def fail() -> None:
        raise OSError("the database is away")

    with pytest.raises(OSError, match="the database is away"):
        Apart(wait).read(stored(b""), fail)

    assert children() == []


@pytest.mark.parametrize("content", ["endless", "short"], ids=["while it reads", "while it waits"])
def test_the_child_does_not_outlive_a_parent_that_is_killed(content: str) -> None:
    command = [sys.executable, "-c", PARENT, content]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"reading\n"
        until(lambda: list(descendants(parent.pid)))
        (child,) = descendants(parent.pid)
        parent.kill()

    until(lambda: not is_alive(child))
    assert not is_alive(child)


def children() -> list[int]:
    mine = descendants(os.getpid())
    return [child for child in mine if b"intake.apart" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_alive(process: int) -> bool:
    """Whether a process runs, or could; a dead one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
