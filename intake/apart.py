"""Reading mail in a process of its own, to see which mail it is that ends the process that reads it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from intake.reading import Reader, Stored
from intake.types import Arrival


class DeadlyMailError(Exception):
    """A mail ended the process that read it, and this one saw it."""


class Apart:
    """Reads mail as `reader` does, which can be pickled, in a child that is kept until `close`. For one thread.

    Raises what the reader raises, and DeadlyMailError where the child ended. Whoever ends this process ends both, and
    no mail is blamed.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._child: ProcessPoolExecutor | None = None

    def __call__(self, mail: Stored) -> Arrival:
        if self._child is None:
            spawning = multiprocessing.get_context("spawn")  # a fork would take locks of other threads along
            self._child = ProcessPoolExecutor(1, mp_context=spawning, initializer=_end_with_parent)
        try:
            return self._child.submit(self._reader, mail).result()
        except BrokenProcessPool:
            self.close()
            raise DeadlyMailError("it ended the process that read it") from None

    def close(self) -> None:
        """End the child. The next mail is read in a new one."""
        if self._child is not None:
            self._child.shutdown()
            self._child = None


def _end_with_parent() -> None:
    """End with the parent and not before: what asks a whole group of processes to stop must blame no mail."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_wait_for_the_end, name="parent", daemon=True).start()


def _wait_for_the_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)
