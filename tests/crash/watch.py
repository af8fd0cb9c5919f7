"""Looks at what a killed process had in its hands, and how soon somebody else goes on with it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shared.database import Database
from shared.models import Delivery, InboundMessage, Mailbox

LEASE = timedelta(seconds=30)
TABLES: tuple[type[Any], ...] = (InboundMessage, Delivery, Mailbox)
EVERY = 0.5

Claim = tuple[str, int, str]  # table, id, owner


class Watch:
    """Follows the claims of the dead. `longest` is the longest pause so far, in seconds, from the kill on.

    `too_long` are leases that reached further than 30 seconds beyond the kill.
    """

    def __init__(self, database: Database) -> None:
        self.longest = 0.0
        self.too_long: list[str] = []
        self._database = database
        self._orphans: dict[Claim, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def note_death(self, moment: datetime) -> None:
        """All processes that claim work died at this moment: what is claimed now is nobody's."""
        claims = self._claims()
        with self._lock:
            for claim, until in (claims or {}).items():
                self._orphans.setdefault(claim, time.monotonic())
                if until is not None and until > moment + LEASE:
                    self.too_long.append(f"{claim[0]} {claim[1]} until {until} after a death at {moment}")

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            claims = self._claims() if self._orphans else None
            if claims is None:
                continue
            with self._lock:
                for claim, since in list(self._orphans.items()):
                    if claim not in claims:
                        self.longest = max(self.longest, time.monotonic() - since)
                        del self._orphans[claim]

    def _claims(self) -> dict[Claim, datetime | None] | None:
        """Who has what now; None while the database is away."""
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
            return None


def now() -> datetime:
    return datetime.now(UTC)
