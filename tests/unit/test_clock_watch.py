"""A clock that is set back is noticed and said; one that goes on, or is set forward, is not."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from intake.clock_watch import ClockWatch, run_at_once

START = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


class Clocks:
    """What the clock of a machine shows, and for how long the machine has run."""

    def __init__(self) -> None:
        self.shown, self.run, self.noticed = START, 1000.0, 0
        self.watch = ClockWatch(self.note, clock=lambda: self.shown, monotonic=lambda: self.run)

    def note(self) -> None:
        self.noticed += 1

    def pass_by(self, seconds: float, *, shown: float | None = None) -> None:
        self.run += seconds
        self.shown += timedelta(seconds=seconds if shown is None else shown)
        self.watch.look()


def test_a_clock_that_was_set_back_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    clocks.pass_by(60)
    clocks.pass_by(1, shown=-7200)
    clocks.pass_by(60)
    assert clocks.noticed == 1
    (record,) = caplog.records
    assert record.getMessage().startswith("The clock of this machine was set back by 2 hours. Nothing is lost")


@pytest.mark.parametrize("shown", [60.0, 3600.0, 58.5], ids=["goes on", "set forward", "corrected in passing"])
def test_any_other_clock_is_nothing_to_speak_of(caplog: pytest.LogCaptureFixture, shown: float) -> None:
    clocks = Clocks()
    clocks.pass_by(60, shown=shown)
    assert clocks.noticed == 0
    assert caplog.records == []


def test_what_comes_every_few_seconds_does_not_wait_for_the_old_time_to_come_again() -> None:
    has_run = threading.Event()
    scheduler = BackgroundScheduler(timezone=UTC)
    old_time = datetime.now(UTC) + timedelta(hours=2)
    scheduler.add_job(has_run.set, "interval", seconds=1, next_run_time=old_time)
    scheduler.start()
    try:
        run_at_once(scheduler)
        assert has_run.wait(60)
    finally:
        scheduler.shutdown()
