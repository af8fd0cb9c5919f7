"""The spool: a mail is safe once it stands in the ledger, and only then is it acknowledged.

Concurrent arrivals share a commit: one thread writes everything that arrived during the last commit.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from intake.receiving.faults import UNREACHABLE
from intake.receiving.ledger import compress, store, store_positioned
from intake.types import RawMessage
from shared.database import Database
from shared.fault_log import FaultLog

logger = logging.getLogger(__name__)

GROUP_MAILS = 200
GROUP_BYTES = 8 * 1024 * 1024
INLINE_BYTES = 128 * 1024  # compressing that much holds the event loop up for less than a thread's start


class SpoolClosedError(Exception):
    """The desk is stopping and takes nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Arrival:
    """The rows of one mail (one for each mailbox it came to), and who waits for their ids."""

    copies: Sequence[RawMessage]
    compressed: bytes
    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Future[list[int]]

    @property
    def size(self) -> int:
        return len(self.compressed) * len(self.copies)


@dataclass(slots=True)
class _Outcome:
    """What became of a group: ids of those that were stored, errors of those that were not."""

    ids: list[tuple[_Arrival, list[int]]] = field(default_factory=list)
    errors: list[tuple[_Arrival, Exception]] = field(default_factory=list)


class Spool:
    """Takes raw mail in. `on_stored` is called after each commit that stored something, from any thread.

    `accept` needs `start()`; `accept_now` works without. `stop()` first stores all that was accepted.
    """

    def __init__(
        self,
        database: Database,
        on_stored: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._on_stored = on_stored
        self._clock = clock
        self._faults = FaultLog()
        self._queue: SimpleQueue[_Arrival | None] = SimpleQueue()
        self._gate = threading.Lock()  # nothing may be queued behind the end
        self._open = False
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its writer works."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._write, name="spool", daemon=True)
        self._open = True
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, store everything that was accepted, and end. May be called twice."""
        with self._gate:
            if self._open:
                self._open = False
                self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    async def accept(self, copies: Sequence[RawMessage]) -> list[int]:
        """Store one mail, given once for each of our mailboxes that it came to; return the rows' ids.

        All copies have the same content and are stored together or not at all. Returns after the commit;
        raises what the database raised, or SpoolClosedError. An awaiting task that is cancelled leaves the mail
        stored.
        """
        loop = asyncio.get_running_loop()
        content = copies[0].content
        compressed = compress(content) if len(content) <= INLINE_BYTES else await asyncio.to_thread(compress, content)
        arrival = _Arrival(copies=copies, compressed=compressed, loop=loop, waiting=loop.create_future())
        with self._gate:
            if not self._open:
                raise SpoolClosedError("the desk is stopping")
            self._queue.put(arrival)
        return await arrival.waiting

    def accept_now(self, batch: Sequence[RawMessage]) -> list[int | None]:
        """Store mails of an IMAP folder in one transaction, in the calling thread.

        Returns an id for each, or None where its (mailbox, folder, UIDVALIDITY, UID) is in the ledger
        already, so that a repeat after a crash doubles nothing. Raises what the database raised; then
        nothing is stored.
        """
        if not batch:
            return []
        packed = [compress(raw.content) for raw in batch]
        with self._database.transaction() as session:
            ids = store_positioned(session, batch, packed, self._clock())
        if any(ids):
            self._on_stored()
        return ids

    # -------------------------------------------------------------- the writer thread

    def _write(self) -> None:
        for group in self._groups():
            outcome = self._commit(group)
            if outcome.ids:
                self._wake()
            _answer(outcome)

    def _groups(self) -> Iterator[list[_Arrival]]:
        """All that waits, in groups of one commit. No timer: a group is what came during the last one."""
        ended = False
        while not ended:
            first = self._queue.get()
            if first is None:
                return
            group, size = [first], first.size
            while len(group) < GROUP_MAILS and size < GROUP_BYTES:
                try:
                    arrival = self._queue.get_nowait()
                except Empty:
                    break
                if arrival is None:
                    ended = True
                    break
                group.append(arrival)
                size += arrival.size
            yield group

    def _commit(self, group: list[_Arrival]) -> _Outcome:
        try:
            return _Outcome(ids=self._store(group))
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits, and is logged there
            if len(group) == 1:
                return _Outcome(errors=[(group[0], error)])
            self._faults.note(error, f"storing {len(group)} mails together (they are tried one by one)")
        return self._commit_singly(group)

    def _commit_singly(self, group: list[_Arrival]) -> _Outcome:
        """Store each alone, so that only the one that fails is refused; stop when the database is gone."""
        outcome = _Outcome()
        gone: Exception | None = None
        for arrival in group:
            if gone is not None:
                outcome.errors.append((arrival, gone))
                continue
            single = self._commit([arrival])
            outcome.ids += single.ids
            outcome.errors += single.errors
            gone = next((error for _, error in single.errors if isinstance(error, UNREACHABLE)), None)
        return outcome

    def _store(self, group: list[_Arrival]) -> list[tuple[_Arrival, list[int]]]:
        copies = [raw for arrival in group for raw in arrival.copies]
        packed = [arrival.compressed for arrival in group for _ in arrival.copies]
        with self._database.transaction() as session:
            ids = iter(store(session, copies, packed, self._clock()))
        return [(arrival, [next(ids) for _ in arrival.copies]) for arrival in group]

    def _wake(self) -> None:
        try:
            self._on_stored()
        except Exception:
            logger.exception("a mail is stored, but the worker could not be woken")


def _answer(outcome: _Outcome) -> None:
    """Tell all that wait, with one call into each event loop."""
    for loop in {arrival.loop for arrival, _ in (*outcome.ids, *outcome.errors)}:
        try:
            loop.call_soon_threadsafe(_resolve, outcome, loop)
        except RuntimeError:  # its server has ended without waiting
            logger.warning("nobody waits any more for mails that are stored")


def _resolve(outcome: _Outcome, loop: asyncio.AbstractEventLoop) -> None:
    for arrival, ids in outcome.ids:
        if arrival.loop is loop and not arrival.waiting.done():
            arrival.waiting.set_result(ids)
    for arrival, error in outcome.errors:
        if arrival.loop is loop and not arrival.waiting.done():
            arrival.waiting.set_exception(error)
