"""Looks how soon somebody goes on with what a killed process had in its hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shared.database import Database
from shared.models import Delivery, InboundMessage, Mailbox

LEASE = timedelta(seconds=30)
TABLES: tuple[type[Any], ...] = (InboundMessage, Delivery, Mailbox)
EVERY = 0.25

Claim = tuple[str, int, str]  # table, id, owner


class Watch:
    """Follows claims whose lease has run out, as those of the dead do: 30 seconds after the kill at most.

    `longest` is the longest time, in seconds, for which a desk at work left such a claim alone; the desk at work is
    what `at_work` returns, None where there is none. `too_long` are leases that reach further than 30 seconds ahead.
    """

    def __init__(self, database: Database, at_work: Callable[[], int | None]) -> None:
        self.longest = 0.0
        self.too_long: set[Claim] = set()
        self._database = database
        self._at_work = at_work
        self._desk: int | None = None
        self._since: dict[Claim, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            desk, moment, claims = self._at_work(), time.monotonic(), self._claims()
            self.too_long |= {claim for claim, until in claims.items() if until > now() + LEASE}
            left = [claim for claim, until in claims.items() if until <= now()] if desk else []
            before = self._since if desk == self._desk else {}
            self._since = {claim: before.get(claim, moment) for claim in left}
            self._desk = desk
            self.longest = max([self.longest, *(moment - since for since in self._since.values())])

    def _claims(self) -> dict[Claim, datetime]:
        """Who has what now, and until when; nothing while the database is away."""
        try:
            with self._database.reading() as session:
                return {
                    (table.__tablename__, row.id, row.lease_by): row.lease_until
                    for table in TABLES
                    for row in session.execute(
                        select(table.id, table.lease_by, table.lease_until).where(table.lease_by.is_not(None))
                    )
                }
        except SQLAlchemyError:
            return {}


def now() -> datetime:
    return datetime.now(UTC)
