"""Faults of ours in the log: said once in a while, and never so often that they hide everything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from shared.database_faults import fault_of

logger = logging.getLogger(__name__)

QUIET_SECONDS = 5.0
SQLITE_WORDS = (  # for what it says too shortly, by the beginning of the name of its error
    ("SQLITE_BUSY", "another program has locked its file for long"),
    ("SQLITE_FULL", "the disk is full, please make room"),
)


class FaultLog:
    """Logs faults: the database's in a sentence every few seconds at most, anything else with its traceback.

    May be used by several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said_at = float("-inf")
        self._unsaid = 0

    def note(self, error: Exception, doing: str) -> None:
        """Log that `doing` failed."""
        if not fault_of(error).passes:
            logger.error("%s failed", doing, exc_info=error)
            return
        with self._lock:
            if self._clock() - self._said_at < QUIET_SECONDS:
                self._unsaid += 1
                return
            unsaid, self._unsaid, self._said_at = self._unsaid, 0, self._clock()
        more = f" ({unsaid} more times since it was last said)" if unsaid else ""
        logger.error("%s failed, since the database cannot be used%s: %s", doing, more, database_words(error))


def database_words(error: Exception) -> str:
    """What the database said, in one line."""
    code = getattr(error.__cause__, "sqlite_errorname", "")
    for beginning, words in SQLITE_WORDS:
        if code.startswith(beginning):
            return words
    return str(error.__cause__ or error).strip().partition("\n")[0]
