"""One lane of the outbox: the mail that goes through one server, sent one after the other over one connection.

A claim is committed before the sending begins, “handed over” just before the last step, the result with the next
step. Whoever dies in between leaves a row that says how far it came: automatic mail then goes again under its old
Message-ID, and a person's reply that was handed over becomes unknown, for a person to decide. Nothing is sent twice
in silence.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from intake.outbound import dkim, headerfields, ledger
from intake.outbound.compose import CannotComposeError, compose
from intake.outbound.gather import Batch, gather, read_files
from intake.outbound.ledger import LeaseLostError
from intake.outbound.letter import Envelope, File
from intake.outbound.load import Desk, attached, load
from intake.outbound.results import Results, at_once, calmly
from intake.outbound.transport import Transport
from intake.types import Deferred, Outcome, Refused, Unanswered, Unreachable
from shared.caps import Caps
from shared.database import Database

logger = logging.getLogger(__name__)

BATCH = 100
MOST_CONNECTIONS = 4
MAILS_A_CONNECTION = 20  # for less no further one is worth its beginning
MAX_UNENDED = 20  # tries whose process ended with them; mostly it was not the mail
NEVER_ENDED = (
    "Each of many tries to send it ended together with its process, and this mail may be why. "
    "See in the log what happened before you send it again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What all lanes of a desk share."""

    database: Database
    desk: Desk
    keys: tuple[dkim.SigningKey, ...]
    caps: Caps
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    stopping: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A batch on its way: `queue` has not been begun, `waiting` is not done with."""

    waiting: list[int]
    queue: deque[int]
    batch: Batch


class Lane:
    """Sends what is due through one server, over further connections where much is due.

    For one thread; several lanes and processes share a database. `connect` makes a transport.
    """

    def __init__(self, post: Post, connect: Callable[[], Transport], *, most: int = MOST_CONNECTIONS) -> None:
        self._post = post
        self._connect = connect
        self._most = most
        self._transports = [connect()]
        self._owner = f"outbox-{secrets.token_hex(8)}"
        self._results = Results(post.database, owner=self._owner, clock=post.clock, chance=post.chance, caps=post.caps)
        self._left: list[int] = []  # what the last run claimed, and did not hand over
        self._settling = threading.Lock()

    def run_once(self, where: ColumnElement[bool]) -> int:
        """Send what is due among `where`, at most `BATCH` mails; returns how many were taken up, 0 where none was due.

        Raises SQLAlchemyError where the database fails; nothing is lost by that, and the next call goes on.
        """
        self.settle()
        if self._post.stopping.is_set() or not self._is_any_due(where):
            return 0
        waiting = at_once(self._post.database, lambda session: self._take(session, where))
        count = len(waiting)
        try:
            with self._results.kept(waiting):
                self._send_all(waiting)
                self._results.write()
        except Exception:  # whatever it is, what still waits was not handed over
            self._left = waiting
            raise
        self._left = waiting
        self.settle()
        return count - len(waiting)

    def settle(self) -> None:
        """Write what became of mails, and give back what was not begun, also after an outage. For any thread.

        Raises SQLAlchemyError where the database fails; then all is kept, and comes with the next call.
        """
        self._results.write()
        with self._settling:
            if self._left:
                at_once(self._post.database, lambda session: ledger.give_back(session, self._left, owner=self._owner))
                self._left = []

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be written or given back."""
        return self._results.are_written and not self._left

    def close(self) -> None:
        """Write what is known, as far as the database lets us, and end the connections to the server."""
        calmly(self.settle, "what became of deliveries was not written")
        for transport in self._transports:
            transport.close()

    def abort(self) -> None:
        """End the connections under whoever waits for the server. For any thread."""
        for transport in tuple(self._transports):
            transport.abort()

    def _is_any_due(self, where: ColumnElement[bool]) -> bool:
        with self._post.database.reading() as session:
            return ledger.is_any_due(session, self._post.clock(), where)

    def _take(self, session: Session, where: ColumnElement[bool]) -> list[int]:
        return ledger.take(session, owner=self._owner, now=self._post.clock(), limit=BATCH, where=where)

    def _send_all(self, waiting: list[int]) -> None:
        """Send mail by mail, over several connections where there are many; who is done with leaves `waiting`."""
        with self._post.database.reading() as session:
            batch = gather(session, waiting)
        run = _Run(waiting=waiting, queue=deque(waiting), batch=batch)
        wanted = min(self._most, math.ceil(len(waiting) / MAILS_A_CONNECTION))
        while len(self._transports) < wanted:
            self._transports.append(self._connect())
        if wanted < 2:
            self._send_some(run, self._transports[0])
            return
        with ThreadPoolExecutor(wanted, thread_name_prefix="outbox-connection") as threads:
            done = [threads.submit(self._send_some, run, transport) for transport in self._transports[:wanted]]
        for each in done:
            each.result()

    def _send_some(self, run: _Run, transport: Transport) -> None:
        """Send over one connection until nothing is left."""
        while run.queue and not self._post.stopping.is_set():
            try:
                delivery_id = run.queue.popleft()
            except IndexError:  # another connection was faster
                return
            outcome = self._deliver(delivery_id, run.batch, transport)
            if outcome is not None:
                self._results.add(outcome, delivery_id)
            run.waiting.remove(delivery_id)
            if isinstance(outcome, Unreachable):
                self._put_off(run, outcome)

    def _put_off(self, run: _Run, outcome: Unreachable) -> None:
        """Nothing goes out now: let the rest of the batch come again without knocking for each."""
        while run.queue:
            with suppress(IndexError):  # another connection was faster
                delivery_id = run.queue.popleft()
                self._results.add(outcome, delivery_id)
                run.waiting.remove(delivery_id)

    def _deliver(self, delivery_id: int, batch: Batch, transport: Transport) -> Outcome | None:
        """Compose and hand over one delivery; None where it is gone, or somebody else's."""
        if delivery_id in batch.deliveries and batch.deliveries[delivery_id].unended > MAX_UNENDED:
            return Refused(reason=NEVER_ENDED)
        try:
            envelope = self._envelope(delivery_id, batch)
        except CannotComposeError as error:
            return Refused(reason=str(error))
        except SQLAlchemyError:
            raise
        except Exception as error:  # the edge of composing: one mail waits for a repaired version, the others go on
            logger.exception("delivery=%d could not be composed", delivery_id)
            return Deferred(reason=f"The mail could not be composed, which is a fault of the desk: {error!r:.200}.")
        return self._hand_to(transport, delivery_id, envelope) if envelope else None

    def _envelope(self, delivery_id: int, batch: Batch) -> Envelope | None:
        files: tuple[File, ...] = ()
        if wanted := attached(batch, delivery_id):
            with self._post.database.reading() as session:
                files = read_files(session, wanted)
        order = load(batch, delivery_id, self._post.desk, files)
        if order is None:
            return None
        letter = order.letter
        keys = dkim.keys_for(self._post.keys, headerfields.portable(letter.sender.address) or "")
        return Envelope(
            sender=headerfields.portable(order.envelope_from) or "",
            recipient=headerfields.portable(letter.recipient.address) or "",
            content=dkim.sign(compose(letter), keys, letter.written_at),
        )

    def _hand_to(self, transport: Transport, delivery_id: int, envelope: Envelope) -> Outcome | None:
        handed_over = False

        def hand_over() -> None:
            nonlocal handed_over
            self._results.hand_over(delivery_id)
            handed_over = True

        try:
            return transport.send(envelope, hand_over)
        except LeaseLostError:
            logger.warning("delivery=%d was taken back, or by another worker, before it was handed over", delivery_id)
            return None
        except SQLAlchemyError:
            raise
        except Exception as error:  # the edge of sending: one mail fails, the others go on
            logger.exception("delivery=%d could not be sent", delivery_id)
            said = f"The mail could not be sent, which is a fault of the desk: {error!r:.200}."
            return Unanswered(reason=said) if handed_over else Deferred(reason=said)
