"""Reading mail in a process of its own, to see which mail it is that ends the process that reads it.

The child is this module. It is given a reader, then mail by mail, and answers each; both ways lead pickles over pipes.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
import traceback
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from typing import IO, Any, cast

from intake.reading import Reader, Stored
from intake.types import Arrival

PROCESSOR_SECONDS = 300
KEEP_SECONDS = 5.0
LONGEST_SECONDS = 1800.0  # by the clock, for a process that somebody stopped
GRACE_SECONDS = 5.0
UNUSED_RESTS = 10
FOR_THE_GROUP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # what asks all to stop must not seem a mail's doing


class ReadError(Exception):
    """A mail could not be read. The text says why."""


class DeadlyMailError(ReadError):
    """A mail ended the process that read it, and this one saw it."""


class NoReaderError(Exception):
    """There is no process to read mail in, and no mail is to blame. The text says why."""


class Apart:
    """Reads mail as `reader` does, which can be pickled, in a child process that is kept. For one thread.

    Each mail may take `processor_seconds`. Whoever ends this process ends the child, and no mail is blamed.
    """

    def __init__(self, reader: Reader, processor_seconds: int = PROCESSOR_SECONDS) -> None:
        self._reader = reader
        self._processor_seconds = processor_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] = lambda: None
        self._rests = 0

    def read(self, mail: Stored, keep: Callable[[], None]) -> Arrival:
        """Read a mail; `keep` is called every few seconds until it is done.

        Raises ReadError with what the reader said, DeadlyMailError where the child ended, NoReaderError where there is
        none, and what `keep` raises.
        """
        self._rests = 0
        child = self._child or self._start(keep)
        try:
            arrival, said, trace = _ask(child, mail, keep)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            self.close()
            raise DeadlyMailError(_cause(child.returncode)) from None
        except BaseException:
            child.kill()
            self.close()
            raise
        if arrival is None:
            error = ReadError(said)
            error.add_note(trace)
            raise error
        return arrival  # type: ignore[no-any-return]

    def rest(self) -> None:
        """Say that there was time to read; a child that had nothing to do in many of them is ended."""
        self._rests += 1
        if self._rests > UNUSED_RESTS:
            self.close()

    def close(self) -> None:
        """End the child. The next mail is read in a new one."""
        self._end()
        self._child = None

    def _start(self, keep: Callable[[], None]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "intake.apart", str(self._processor_seconds)]
        former = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_GROUP)  # a child inherits what is blocked
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own words
        except OSError as error:
            raise NoReaderError(f"no process could be started to read mail in: {error}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)
        self._child, self._end = child, weakref.finalize(self, _end, child)
        try:
            _ask(child, self._reader, keep)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            self.close()
            raise NoReaderError(f"the process to read mail in ended at its start ({child.returncode})") from None
        except BaseException:
            self.close()
            raise
        return child


def _ask(child: subprocess.Popen[bytes], what: object, keep: Callable[[], None]) -> Any:
    """What the child answers to that; EOFError, BrokenPipeError or UnpicklingError where it ended meanwhile.

    Raises ReadError after LONGEST_SECONDS.
    """
    requests, answers = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
    end = time.monotonic() + LONGEST_SECONDS
    _say(requests, what)
    while not wait([answers.fileno()], KEEP_SECONDS):  # nothing of the answer is in the buffer yet
        keep()
        if time.monotonic() > end:
            raise ReadError(f"It was not read within {LONGEST_SECONDS / 60:g} minutes.")
    return pickle.load(answers)  # noqa: S301 - from our own child


def _say(pipe: IO[bytes], what: object) -> None:
    pickle.dump(what, pipe)
    pipe.flush()


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _cause(status: int) -> str:
    if status == -signal.SIGXCPU:
        return "It took more processor time than a mail is given."
    by = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return f"It ended the process that read it ({by})."


def main(processor_seconds: int) -> None:
    """The child: read what is asked for until nobody asks any more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # for whatever else has something to say
    reader: Reader = pickle.load(requests)  # noqa: S301 - from our own parent
    _say(answers, True)
    while True:
        try:
            mail = pickle.load(requests)  # noqa: S301
        except EOFError:
            return
        _limit(processor_seconds)
        answer: tuple[Arrival | None, str, str]
        try:
            answer = (reader(mail), "", "")
        except Exception as error:  # noqa: BLE001 - the edge of the reader: its parent says what went wrong
            answer = (None, f"{type(error).__name__}: {error}", traceback.format_exc())
        try:
            _say(answers, answer)
        except BrokenPipeError:  # the parent has ended
            os._exit(1)


def _limit(processor_seconds: int) -> None:
    """Let the system end this process where it works for so long from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime) + 1 + processor_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    main(int(sys.argv[1]))
