"""The page to read first: one stored mail from bytes to rows.

Claim what is there, read it with no transaction open, then gather, decide and write in one short transaction. If that
fails, it is done again one mail at a time, so that only the mail that cannot be processed is put aside.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from intake import lookup, record
from intake.parsing.message import parse
from intake.routing.decide import decide
from intake.routing.outlook import after
from intake.types import ACTIONS, Arrival, Decision, Facts, PersonOrder
from shared import queue
from shared.blobs import raw_mail
from shared.database import Database
from shared.models import InboundMessage, InboundState, Mailbox
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

BATCH = 50
TRIED_TURN = 10  # every tenth claim begins with mail that was tried before
BATCH_BYTES = 32 * 1024 * 1024
MAX_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)
UNREACHABLE = (OperationalError, InterfaceError)  # the database's fault, not the mail's

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A mail out of the ledger that has not been read yet. `own` are our addresses, as keys."""

    inbound_id: int
    mailbox_id: int
    mailbox: str
    received_at: datetime
    attempts: int
    envelope_from: str | None
    envelope_to: tuple[str, ...]
    quiet: bool
    order: PersonOrder | None
    own: frozenset[str]
    content: bytes = field(repr=False)


Reader = Callable[[Stored], Arrival]


class LeaseLostError(Exception):
    """Somebody else took the mail meanwhile; what was done with it is thrown away."""


class Pipeline:
    """Processes stored mail. Any number of them, in any number of processes, may run on one database."""

    def __init__(
        self, database: Database, tokens: Tokens, clock: Clock | None = None, reader: Reader | None = None
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock or (lambda: datetime.now(UTC))
        self._reader = reader or read
        self._owner = uuid.uuid4().hex
        self._claims = 0

    def run_once(self) -> int:
        """Process what is due, at most a batch; returns how many mails were claimed.

        Raises what the database raises when it cannot be reached; the mails wait for their lease to end.
        """
        ids = self._claim()
        for part in self._parts(ids):
            self._process(part)
        return len(ids)

    def _claim(self) -> list[int]:
        """Claim new mail in a batch; mail that was tried before comes alone, and has its turn under load as well."""
        self._claims += 1
        tried_first = self._claims % TRIED_TURN == 0
        with self._database.transaction() as session:
            for tried in (tried_first, not tried_first):
                ids = self._claim_where(session, fresh=not tried, limit=1 if tried else BATCH)
                if ids:
                    return ids
        return []

    def _claim_where(self, session: Session, *, fresh: bool, limit: int) -> list[int]:
        tried = InboundMessage.attempts == 0 if fresh else InboundMessage.attempts > 0
        return queue.claim(
            session,
            InboundMessage,
            [InboundState.RECEIVED],
            owner=self._owner,
            now=self._clock(),
            limit=limit,
            where=tried,
        )

    def _parts(self, ids: Sequence[int]) -> Iterator[list[int]]:
        """Yield the claimed mails in parts that fit into memory, in the order of their arrival."""
        with self._database.reading() as session:
            rows = session.execute(select(InboundMessage.id, InboundMessage.size).where(InboundMessage.id.in_(ids)))
            sizes = {row.id: row.size for row in rows}
        part: list[int] = []
        size = 0
        for number in ids:
            if part and size + sizes[number] > BATCH_BYTES:
                yield part
                part, size = [], 0
            part.append(number)
            size += sizes[number]
        if part:
            yield part

    def _process(self, ids: Sequence[int]) -> None:
        try:
            self._run(ids)
        except UNREACHABLE:
            raise
        except LeaseLostError:
            logger.warning("lost the lease on mails %s to %s; another worker has them", ids[0], ids[-1])
        except Exception as error:
            if len(ids) == 1:
                logger.exception("inbound=%d could not be processed", ids[0])
                self._note_failure(ids[0], error)
                return
            logger.warning("could not process %d mails together, trying them one by one: %s", len(ids), error)
            for number in ids:
                self._process([number])

    def _run(self, ids: Sequence[int]) -> None:
        """Read, decide, write: the whole way of a few mails."""
        arrivals = list(self._read(self._load(ids)))
        if not arrivals:
            return
        now = self._clock()
        with self._database.transaction() as session:
            self._renew(session, [arrival.inbound_id for arrival in arrivals])
            facts = lookup.gather(session, arrivals, self._tokens)
            decided = list(decisions(arrivals, facts, self._tokens))
            record.apply(session, decided, facts, self._tokens, now)
        for arrival, decision in decided:
            action = ACTIONS[type(decision)]
            logger.info("inbound=%d decision=%s kind=%s", arrival.inbound_id, action, arrival.message.kind)

    def _load(self, ids: Sequence[int]) -> list[Stored]:
        """Load mails. One that has ended its process, or the connection to the database, too often is put aside."""
        with self._database.reading() as session:
            mails = load(session, ids)
        for mail in mails:
            if mail.attempts > MAX_ATTEMPTS + 1:
                with self._database.transaction() as session:
                    row = session.get_one(InboundMessage, mail.inbound_id, with_for_update=True)
                    if row.lease_by == self._owner:
                        _quarantine(row, "No try to process it came to its end.", self._clock())
        return [mail for mail in mails if mail.attempts <= MAX_ATTEMPTS + 1]

    def _read(self, mails: Sequence[Stored]) -> Iterator[Arrival]:
        """Read mails with no transaction open; a long batch keeps its lease."""
        ids = [mail.inbound_id for mail in mails]
        renewed = self._clock()
        for mail in mails:
            if self._clock() - renewed > queue.LEASE / 3:
                with self._database.transaction() as session:
                    self._renew(session, ids)
                renewed = self._clock()
            yield self._reader(mail)

    def _renew(self, session: Session, ids: Sequence[int]) -> None:
        if not queue.renew(session, InboundMessage, ids, owner=self._owner, now=self._clock()):
            raise LeaseLostError

    def _note_failure(self, number: int, error: Exception) -> None:
        with self._database.transaction() as session:
            row = session.get_one(InboundMessage, number, with_for_update=True)
            if row.lease_by != self._owner:
                return
            said = record.clean(f"{type(error).__name__}: {error}", 2000)
            if row.attempts >= MAX_ATTEMPTS:
                _quarantine(row, "It could not be processed.", self._clock())
            else:
                wait = queue.pause(row.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE, chance=random.random())
                row.due_at = self._clock() + wait
            row.last_error = said
            row.lease_by = row.lease_until = None


def load(session: Session, ids: Sequence[int]) -> list[Stored]:
    """Load stored mails by id, in the order of `ids`."""
    own = lookup.own_addresses(session)
    rows = session.execute(
        select(InboundMessage, Mailbox.address).join(InboundMessage.mailbox).where(InboundMessage.id.in_(ids))
    )
    found = {row.id: (row, address) for row, address in rows}
    return [_stored(*found[number], own, raw_mail(session, number)) for number in ids if number in found]


def _stored(row: InboundMessage, mailbox: str, own: frozenset[str], content: bytes) -> Stored:
    return Stored(
        inbound_id=row.id,
        mailbox_id=row.mailbox_id,
        mailbox=mailbox,
        received_at=row.received_at,
        attempts=row.attempts,
        envelope_from=row.envelope_from,
        envelope_to=tuple(row.envelope_to),
        quiet=row.quiet,
        order=PersonOrder(**row.person_order) if row.person_order else None,
        own=own,
        content=content,
    )


def read(mail: Stored) -> Arrival:
    """Read one stored mail. Pure."""
    return Arrival(
        inbound_id=mail.inbound_id,
        mailbox_id=mail.mailbox_id,
        mailbox=mail.mailbox,
        message=parse(mail.content, own_addresses=mail.own, envelope_from=mail.envelope_from),
        received_at=mail.received_at,
        envelope_from=mail.envelope_from,
        envelope_to=mail.envelope_to,
        quiet=mail.quiet,
        order=mail.order,
    )


def decisions(arrivals: Sequence[Arrival], facts: Facts, tokens: Tokens) -> Iterator[tuple[Arrival, Decision]]:
    """Decide mail by mail; a later one sees what an earlier one did."""
    for arrival in arrivals:
        decision = decide(arrival, facts, tokens)
        facts = after(facts, arrival, decision)
        yield arrival, decision


def _quarantine(row: InboundMessage, reason: str, now: datetime) -> None:
    row.state = InboundState.QUARANTINED
    row.action, row.reason, row.processed_at = "quarantine", reason, now
    row.lease_by = row.lease_until = None
