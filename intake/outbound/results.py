"""Commits the steps of mails that are being sent: that they are handed over, and what became of those before them.

Whoever hands a mail over waits until that is committed. All who come while a commit is under way share the next one,
which carries the results that are known by then as well: so a mail costs less than one commit.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from intake.outbound import ledger
from intake.outbound.ledger import Known, LeaseLostError
from intake.types import Outcome, Unanswered
from shared.caps import Caps
from shared.database import Database
from shared.database_faults import again_after_conflicts, fault_of

logger = logging.getLogger(__name__)

RENEW_SECONDS = 8.0
LOOK_SECONDS = 0.5
REST_SECONDS = 0.5  # a result waits no longer than this for the next step
UNWRITABLE = Unanswered(reason="What became of it could not be written down, which is a fault of the desk.")

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Step:
    """A mail that is to be handed over, and when that was written down; `error` is why it must not be."""

    delivery_id: int
    at: datetime | None = None
    is_done: bool = False
    error: Exception | None = field(default=None)


class Results:
    """What is known about mails and not written yet, and the mails that are to be handed over. For any thread."""

    def __init__(
        self, database: Database, *, owner: str, clock: Callable[[], datetime], chance: Callable[[], float], caps: Caps
    ) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._chance = chance
        self._caps = caps
        self._turn = threading.Lock()  # held by who commits
        self._lock = threading.Lock()  # guards what is below
        self._steps: list[_Step] = []
        self._handed_over: dict[int, datetime | None] = {}
        self._unwritten: dict[int, Known] = {}
        self._since = 0.0

    @property
    def are_written(self) -> bool:
        """Whether nothing is known that is not written."""
        return not self._unwritten

    def add(self, outcome: Outcome, *ids: int) -> None:
        """Keep what became of mails until it can be written."""
        with self._lock:
            if not self._unwritten:
                self._since = time.monotonic()
            for number in ids:
                at = self._handed_over.pop(number, None)
                self._unwritten[number] = Known(outcome=outcome, handed_over_at=at)

    def write(self) -> None:
        """Write all that is known. Where the database fails it is kept, and comes with the next call."""
        if self._unwritten:
            with self._turn:
                self._commit()

    def write_what_rests(self) -> None:
        """Write what has waited for the next step for long, because a server is slow for example."""
        if self._unwritten and time.monotonic() - self._since > REST_SECONDS:
            self.write()

    def hand_over(self, delivery_id: int) -> None:
        """Note that the last step of a mail comes now. Raises LeaseLostError where it is not ours any more."""
        step = _Step(delivery_id)
        with self._lock:
            self._steps.append(step)
        with self._turn:
            if not step.is_done:
                self._commit()
        if step.error is not None:
            raise step.error
        with self._lock:
            self._handed_over[delivery_id] = step.at

    def keep(self, ids: Sequence[int]) -> None:
        """Renew the leases of these mails, and of those whose results wait."""
        with self._lock:
            known = tuple(self._unwritten)
        with self._database.transaction() as session:
            ledger.keep(session, (*ids, *known), owner=self._owner, now=self._clock())

    @contextmanager
    def kept(self, waiting: list[int]) -> Iterator[None]:
        """Renew the leases of what is not done yet, however long a server takes to answer, and write what is known."""
        ended = threading.Event()
        looks_a_renewal = int(RENEW_SECONDS / LOOK_SECONDS)

        def keep() -> None:
            looks = 0
            while not ended.wait(LOOK_SECONDS):
                looks += 1
                if looks % looks_a_renewal == 0:
                    calmly(lambda: self.keep(tuple(waiting)), "the leases of deliveries were not renewed")
                calmly(self.write_what_rests, "what became of deliveries was not written")

        thread = threading.Thread(target=keep, name="outbox-leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _commit(self) -> None:
        with self._lock:
            steps, self._steps = self._steps, []
            known = dict(self._unwritten)
        try:
            self._write_all(steps, known)
        except Exception as error:
            for step in steps:
                step.error = error
            raise
        finally:
            for step in steps:
                step.is_done = True
        with self._lock:
            for delivery_id in known:
                del self._unwritten[delivery_id]
            self._since = time.monotonic()
        for delivery_id, each in known.items():
            logger.info("delivery=%d outcome=%s", delivery_id, type(each.outcome).__name__)

    def _write_all(self, steps: Sequence[_Step], known: Mapping[int, Known]) -> None:
        """Write all at once; where it is not the database's fault that this fails, the results one by one."""
        try:
            at_once(self._database, lambda session: self._write(session, steps, known))
        except Exception as error:
            if not known or fault_of(error).passes:
                raise
            logger.warning("could not write %d results together, writing them one by one: %s", len(known), error)
            for delivery_id, each in known.items():
                self._write_alone(delivery_id, each)
            at_once(self._database, lambda session: self._write(session, steps, {}))

    def _write_alone(self, delivery_id: int, known: Known) -> None:
        """Write a result; one that cannot be written holds up no other."""
        try:
            at_once(self._database, lambda session: self._write(session, (), {delivery_id: known}))
        except Exception as error:
            if fault_of(error).passes:
                raise
            logger.exception("delivery=%d: what became of it could not be written", delivery_id)
            unwritable = replace(known, outcome=UNWRITABLE)
            at_once(self._database, lambda session: self._write(session, (), {delivery_id: unwritable}))

    def _write(self, session: Session, steps: Sequence[_Step], known: Mapping[int, Known]) -> None:
        now = self._clock()
        ours = ledger.hand_over(session, [step.delivery_id for step in steps], owner=self._owner, now=now)
        for step in steps:
            step.at, step.error = now, None if step.delivery_id in ours else LeaseLostError(step.delivery_id)
        ledger.record(session, known, owner=self._owner, now=now, chance=self._chance, caps=self._caps)


def at_once(database: Database, work: Callable[[Session], Result]) -> Result:
    """Do work in a transaction, again at once where another transaction stood in its way."""

    def once() -> Result:
        with database.transaction() as session:
            return work(session)

    return again_after_conflicts(once, time.sleep, random.random)


def calmly(step: Callable[[], None], failed: str) -> None:
    """Take a step of a thread that goes on whatever happens: the next step, or the next mail, comes to the same."""
    try:
        step()
    except SQLAlchemyError as error:
        logger.warning("%s: %s", failed, error)
    except Exception:
        logger.exception("%s", failed)
