"""The outbox worker: claims what is due, sends it, and writes down what became of it.

A claim is committed before the sending begins, “handed over” just before the last step, the result after it. Whoever
dies in between leaves a row that says how far it came: automatic mail then goes again under its old Message-ID, and a
person's reply that was handed over becomes unknown, for a person to decide. Nothing is sent twice in silence.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from intake.outbound import headerfields, ledger
from intake.outbound.compose import CannotComposeError, compose
from intake.outbound.ledger import LeaseLostError
from intake.outbound.letter import Envelope
from intake.outbound.load import Desk, load
from intake.outbound.transport import Transport, open_transport
from intake.types import Deferred, Outcome, Refused, Unanswered
from shared.config import Settings
from shared.database import Database
from shared.models import Delivery
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

BATCH = 20
RENEW_SECONDS = 8.0

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Outbox:
    """Sends what is due, mail by mail, over one transport. For one thread; several of them share a database."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        settings: Settings,
        *,
        transport: Transport | None = None,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._desk = Desk(
            address=settings.address,
            name=settings.desk_name,
            portal_url=settings.portal_base_url,
            close_after_days=settings.close_after_days,
            tokens=tokens,
        )
        self._transport = transport or open_transport(settings.outgoing_url)
        self._clock = clock
        self._chance = chance
        self._owner = f"outbox-{secrets.token_hex(8)}"
        self._stopping = threading.Event()
        self._unwritten: dict[int, Outcome] = {}

    def run_once(self) -> int:
        """Send what is due, at most `BATCH` mails; returns how many were taken up, 0 where nothing was due.

        Raises SQLAlchemyError where the database fails; nothing is lost by that, and the next call goes on.
        """
        self._write_results()
        with self._database.reading() as session:
            if not ledger.is_any_due(session, self._clock()):
                return 0
        with self._database.transaction() as session:
            ids = ledger.take(session, owner=self._owner, now=self._clock(), limit=BATCH)
        waiting = list(ids)
        with self._kept_leases(waiting):
            while waiting and not self._stopping.is_set():
                self._deliver(waiting[0])
                del waiting[0]
        if waiting:
            with self._database.transaction() as session:
                ledger.give_back(session, waiting, owner=self._owner)
        return len(ids) - len(waiting)

    def stop(self) -> None:
        """Let `run_once` end after the mail at hand; what it has not begun stays queued. For any thread."""
        self._stopping.set()

    def close(self) -> None:
        """End the connection to the outgoing server."""
        self._transport.close()

    def _deliver(self, delivery_id: int) -> None:
        try:
            outcome = self._send(delivery_id)
        except LeaseLostError:
            logger.warning("delivery=%d was taken by another worker before it was handed over", delivery_id)
            return
        if outcome is not None:
            self._unwritten[delivery_id] = outcome
            self._write_results()

    def _send(self, delivery_id: int) -> Outcome | None:
        """Read, compose and hand over one delivery; None where it is gone."""
        try:
            envelope = self._envelope(delivery_id)
        except CannotComposeError as error:
            return Refused(reason=str(error))
        except SQLAlchemyError:
            raise
        except Exception as error:  # the edge of composing: one mail fails, the others go on
            logger.exception("delivery=%d could not be composed", delivery_id)
            return Refused(reason=f"The mail could not be composed, which is a fault of the desk: {error!r:.200}.")
        return self._hand_to_transport(delivery_id, envelope) if envelope else None

    def _envelope(self, delivery_id: int) -> Envelope | None:
        with self._database.reading() as session:
            delivery = session.get(Delivery, delivery_id)
            if delivery is None:
                return None
            order = load(session, delivery, self._desk)
        return Envelope(
            sender=headerfields.portable(order.envelope_from) or "",
            recipient=headerfields.portable(order.letter.recipient.address) or "",
            content=compose(order.letter),
        )

    def _hand_to_transport(self, delivery_id: int, envelope: Envelope) -> Outcome:
        handed_over = False

        def hand_over() -> None:
            nonlocal handed_over
            with self._database.transaction() as session:
                ledger.hand_over(session, delivery_id, owner=self._owner, now=self._clock())
            handed_over = True

        try:
            return self._transport.send(envelope, hand_over)
        except (LeaseLostError, SQLAlchemyError):
            raise
        except Exception as error:  # the edge of sending: one mail fails, the others go on
            logger.exception("delivery=%d could not be sent", delivery_id)
            said = f"The mail could not be sent, which is a fault of the desk: {error!r:.200}."
            return Unanswered(reason=said) if handed_over else Deferred(reason=said)

    def _write_results(self) -> None:
        """Write down what is known; where the database fails it is kept and written at the next call."""
        for delivery_id, outcome in list(self._unwritten.items()):
            with self._database.transaction() as session:
                state = ledger.record(
                    session, delivery_id, outcome, owner=self._owner, now=self._clock(), chance=self._chance()
                )
            del self._unwritten[delivery_id]
            logger.info("delivery=%d state=%s outcome=%s", delivery_id, state, type(outcome).__name__)

    @contextmanager
    def _kept_leases(self, waiting: list[int]) -> Iterator[None]:
        """Renew the leases of what is not done yet, however long a server takes to answer."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(RENEW_SECONDS):
                try:
                    with self._database.transaction() as session:
                        ledger.keep(session, tuple(waiting), owner=self._owner, now=self._clock())
                except SQLAlchemyError as error:
                    logger.warning("the leases of deliveries could not be renewed: %s", error)

        thread = threading.Thread(target=keep, name="outbox-leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
