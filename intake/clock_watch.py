"""Notices that the clock of the machine was set back, which people set and time servers correct."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.base import BaseScheduler

from shared.status_words import duration

logger = logging.getLogger(__name__)

TOLERANCE = timedelta(seconds=2)  # what a time server corrects in passing


def run_at_once(scheduler: BaseScheduler) -> None:
    """Let each job run now, and go on from there: APScheduler would wait until the old time has come again."""
    for job in scheduler.get_jobs():
        job.modify(next_run_time=datetime.now(UTC))


class ClockWatch:
    """Compares what the clock shows with one that only goes forward. Call `look()` again and again.

    `set_back` is called after the clock was set back, so that nothing waits for a moment of the old time.
    """

    def __init__(
        self,
        set_back: Callable[[], None],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._set_back = set_back
        self._clock = clock
        self._monotonic = monotonic
        self._began = self._beginning()

    def look(self) -> int:
        """Say it in the log where the clock was set back since the last look. Returns 0: it is never work to repeat."""
        began, self._began = self._began, self._beginning()
        behind = began - self._began
        if behind > TOLERANCE:
            logger.warning(
                "The clock of this machine was set back by %s. Nothing is lost and work goes on; "
                "what was put off until a moment of the old time may come later than usual.",
                duration(behind.total_seconds()),
            )
            self._set_back()
        return 0

    def _beginning(self) -> datetime:
        """When the clock that only goes forward began, by the other one: always the same, until that is set."""
        return self._clock() - timedelta(seconds=self._monotonic())
