"""Further processes of one desk on one machine: started again when they die, and gone when the first one is.

A child holds the reading end of a pipe whose other end only its parent has. When the parent ends, however it ends, the
pipe closes and the child stops.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

FLAG = "--with-parent"
SHORT_LIFE = 5.0
PAUSE = 5.0
GRACE = 20.0


@dataclass(slots=True)
class _Child:
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    started: float
    restart_at: float = 0.0


class Children:
    """Starts `letterdesk ARGUMENTS --with-parent` as often as needed. Call `watch()` every second."""

    def __init__(self) -> None:
        self._children: list[_Child] = []

    def start(self, *arguments: str) -> None:
        self._children.append(_Child(arguments, _spawn(arguments), time.monotonic()))

    def watch(self) -> None:
        """Start again what has died; after a pause where it ended by a fault or died young, else at once."""
        now = time.monotonic()
        for child in self._children:
            status = child.process.poll()
            if status is None:
                continue
            if not child.restart_at:
                is_fault = status > 0 or now - child.started < SHORT_LIFE  # below 0 it was killed
                child.restart_at = now + (PAUSE if is_fault else 0.0)
                logger.error("“letterdesk %s” ended with status %s; starting it again", child.arguments[0], status)
            if now >= child.restart_at:
                _close_input(child)
                child.process, child.started, child.restart_at = _spawn(child.arguments), now, 0.0

    def fault(self) -> str | None:
        """Say which of them ended by a fault and wait to be started again; None where there is none."""
        waiting = sorted({child.arguments[0] for child in self._children if child.restart_at})
        return f"not running: {', '.join(waiting)}" if waiting else None

    def ask_to_end(self) -> None:
        """Let all begin to end, so that other things can be stopped meanwhile."""
        for child in self._children:
            child.process.terminate()
            _close_input(child)

    def stop(self) -> None:
        """Ask all to end, and wait for it."""
        self.ask_to_end()
        for child in self._children:
            try:
                child.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def when_parent_ends(stop: Callable[[], None]) -> None:
    """Call `stop` once standard input ends, which a parent keeps open as long as it lives."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):  # without the lock of sys.stdin, which would outlive the process
            pass
        stop()

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _close_input(child: _Child) -> None:
    if child.process.stdin:
        child.process.stdin.close()


def _spawn(arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "letterdesk", *arguments, FLAG]
    return subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - the words are our own
