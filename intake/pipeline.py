"""The page to read first: one stored mail from bytes to rows.

Claim what is there, read it with no transaction open, then gather, decide and write in one short transaction. If that
fails, it is done again one mail at a time, so that only the mail that cannot be processed is put aside.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import and_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from intake import lookup, record
from intake.apart import Apart, NoReaderError, ReadError
from intake.reading import Reader, Stored, read
from intake.routing.batch import decisions
from intake.stored import load, parts, sizes_of
from intake.types import ACTIONS, Arrival, Decision
from shared import queue
from shared.caps import DEFAULT_CAPS, Caps, caps_of
from shared.config import Settings
from shared.database import Database
from shared.database_faults import Fault, again_after_conflicts, fault_of
from shared.models import InboundMessage, InboundState
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

BATCH = 50
TRIED_TURN = 2  # every second claim begins with mail that was tried twice
MAX_UNENDED = 20  # tries whose process, or connection to the database, ended with them; mostly it was not the mail
UNENDED = (
    "Every try to process it ended with its process or its database, so nothing is known against the mail itself. "
    "When the desk runs well, have it read again."
)
NOBODYS = (Fault.CONFLICT, Fault.OVERLOADED)  # faults of the database for which no mail can be to blame
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """What was claimed and could not be finished for want of the database or a process; `counts`: that was a try."""

    ids: Sequence[int]
    counts: bool


class LeaseLostError(Exception):
    """Somebody else took the mail meanwhile; what was done with it is thrown away."""


class Pipeline:
    """Processes stored mail. Any number of them, in any number of processes, may run on one database.

    One of them works in one thread. `reader` can be pickled. `sleep` and `chance` (0 to 1) are the
    pauses between two tries.
    """

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        clock: Clock | None = None,
        reader: Reader | None = None,
        *,
        caps: Caps = DEFAULT_CAPS,
        sleep: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock or (lambda: datetime.now(UTC))
        self._reader = reader or read
        self._apart = Apart(self._reader)
        self._caps = caps
        self._sleep = sleep
        self._chance = chance
        self._owner = uuid.uuid4().hex
        self._claims = 0
        self._stopping = threading.Event()
        self._held: Sequence[int] = ()
        self._kept_at = self._clock()
        self._interrupted: Interrupted | None = None

    def run_once(self, only: Sequence[int] | None = None) -> int:
        """Process what is due, at most a batch; returns how many mails were claimed. `only` chooses among these.

        Raises what the database raises when it cannot be used; what was claimed goes on as soon as it can.
        """
        if self._stopping.is_set():
            return 0
        with self._database.transaction() as session:
            ids = self.claim(session, only)
        self.process(ids)
        self._apart.rest()
        return len(ids)

    def stop(self) -> None:
        """Let `run_once` begin nothing more, nor wait for a child process. For any thread."""
        self._stopping.set()

    def close(self) -> None:
        """End the child process and give back what was not done, after the last `run_once`."""
        self._apart.close()
        with self._database.transaction() as session:
            self._give_back(session)

    def claim(self, session: Session, only: Sequence[int] | None = None) -> list[int]:
        """Claim mail in a batch, once more where the first try of it ended; what was tried twice comes alone.

        So what a dead process left goes on at once, and what killed two is found. Both have their turn under load, and
        of what was tried twice the least tried comes first, so that none stands before the others for ever.
        """
        self._give_back(session)
        self._claims += 1
        tried_first = self._claims % TRIED_TURN == 0
        for tried in (tried_first, not tried_first):
            ids = self._claim_where(session, tried=tried, only=only)
            if ids:
                return ids
        return []

    def process(self, ids: Sequence[int]) -> None:
        """Process what was claimed, in the order of its arrival. To be called when the claim is committed."""
        self._interrupted = None
        self._held, self._kept_at = ids, self._clock()
        try:
            with self._database.reading() as session:
                sizes = sizes_of(session, ids)
            for part in parts(ids, sizes):
                self._process(part)
        except (SQLAlchemyError, NoReaderError) as error:
            counts = isinstance(error, SQLAlchemyError) and fault_of(error) not in NOBODYS
            self._interrupted = Interrupted(ids=ids, counts=counts)
            if not (self._stopping.is_set() and isinstance(error, NoReaderError)):
                raise

    def _claim_where(self, session: Session, *, tried: bool, only: Sequence[int] | None) -> list[int]:
        now = self._clock()
        tries = InboundMessage.attempts
        wanted = tries >= queue.TOGETHER if tried else tries < queue.TOGETHER
        return queue.claim(
            session,
            InboundMessage,
            [InboundState.RECEIVED],
            owner=self._owner,
            now=now,
            limit=1 if tried else BATCH,
            where=wanted if only is None else and_(wanted, InboundMessage.id.in_(only)),
            stray=queue.is_stray(InboundMessage, now, tried=2 * record.LONGEST_PAUSE),
            least_tried_first=tried,
            started_at=now,
        )

    def _give_back(self, session: Session) -> None:
        """Free what the last run could not finish because of the database, so that nobody waits for the lease to end.

        The try counts where the connection broke, since the mail itself may have broken it.
        """
        if self._interrupted is not None:
            ids, counts = self._interrupted.ids, self._interrupted.counts
            queue.give_back(session, InboundMessage, ids, owner=self._owner, counts=counts)

    def _process(self, ids: Sequence[int]) -> None:
        try:
            self._run(ids)
        except LeaseLostError:
            logger.warning("lost the lease on mails %s to %s; another worker has them", ids[0], ids[-1])
        except Exception as error:
            if isinstance(error, NoReaderError) or fault_of(error).passes:
                raise
            if len(ids) == 1:
                logger.exception("inbound=%d could not be processed", ids[0])
                self._note_failure(ids[0], _said(error))
                return
            logger.warning("could not process %d mails together, trying them one by one: %s", len(ids), error)
            for number in ids:
                self._process([number])

    def _run(self, ids: Sequence[int]) -> None:
        """Read, decide, write: the whole way of a few mails."""
        arrivals = list(self._read(self._load(ids)))
        if not arrivals:
            return
        for arrival, decision in again_after_conflicts(lambda: self._write(arrivals), self._sleep, self._chance):
            action = ACTIONS[type(decision)]
            logger.info("inbound=%d decision=%s kind=%s", arrival.inbound_id, action, arrival.message.kind)

    def _write(self, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, Decision]]:
        """Gather, decide and record in one transaction."""
        now = self._clock()
        with self._database.transaction() as session:
            self._renew(session, [arrival.inbound_id for arrival in arrivals])
            facts = lookup.gather(session, arrivals, self._tokens)
            decided = list(decisions(arrivals, facts, self._tokens))
            record.apply(session, decided, facts, self._tokens, now, self._caps)
        return decided

    def _load(self, ids: Sequence[int]) -> list[Stored]:
        """Load mails. One whose tries have ended with their process, or their database, far too often is put aside."""
        with self._database.reading() as session:
            mails = load(session, ids)
        for mail in mails:
            if mail.unended > MAX_UNENDED:
                self._note_failure(mail.inbound_id, UNENDED, is_last=True)
        return [mail for mail in mails if mail.unended <= MAX_UNENDED]

    def _read(self, mails: Sequence[Stored]) -> Iterator[Arrival]:
        """Read mails with no transaction open, and keep what was claimed however long that takes."""
        for mail in mails:
            self._keep()
            yield self._apart.read(mail, self._keep_or_stop) if mail.unended > queue.TOGETHER else self._reader(mail)

    def _keep_or_stop(self) -> None:
        if self._stopping.is_set():
            raise NoReaderError("the desk is told to stop")
        self._keep()

    def _keep(self) -> None:
        """Keep the leases of all that was claimed, now and then; that one was lost is seen when it is written."""
        if self._clock() - self._kept_at > queue.LEASE / 3:
            with self._database.transaction() as session:
                queue.renew(session, InboundMessage, self._held, owner=self._owner, now=self._clock())
            self._kept_at = self._clock()

    def _renew(self, session: Session, ids: Sequence[int]) -> None:
        if not queue.renew(session, InboundMessage, ids, owner=self._owner, now=self._clock()):
            raise LeaseLostError

    def _note_failure(self, number: int, said: str, *, is_last: bool = False) -> None:
        with self._database.transaction() as session:
            row = session.get_one(InboundMessage, number, with_for_update=True)
            if row.lease_by == self._owner:
                record.note_failure(row, said, self._clock(), self._chance(), is_last=is_last)


def open_pipeline(settings: Settings, database: Database, tokens: Tokens, *, clock: Clock | None = None) -> Pipeline:
    """The pipeline of a desk as it is set."""
    reader = partial(read, trusted_hosts=settings.trusted_host_names)
    return Pipeline(database, tokens, clock, reader, caps=caps_of(settings))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ReadError) else f"{type(error).__name__}: {error}"
