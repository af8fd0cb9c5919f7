"""The lease of a mailbox: whoever holds it polls, everybody else leaves the mailbox alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, or_, update
from sqlalchemy.exc import SQLAlchemyError

from shared.database import Database
from shared.models import Mailbox

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # after the death of its holder a mailbox rests this long at most
RENEW_SECONDS = 8.0

Clock = Callable[[], datetime]


def is_free(now: datetime) -> ColumnElement[bool]:
    """The condition that nobody holds the lease; one that reaches too far ahead is of a clock set back."""
    return or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < now, Mailbox.lease_until > now + 2 * LEASE)


class Lease:
    """A lease that is kept alive by a thread of its own until it is given back; that thread calls `watch` as well."""

    def __init__(self, database: Database, mailbox_id: int, owner: str, clock: Clock) -> None:
        self._database = database
        self._mailbox_id = mailbox_id
        self._owner = owner
        self._clock = clock
        self._until = clock()
        self.watch: Callable[[], object] = lambda: None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{mailbox_id}", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether somebody else may hold the mailbox by now."""
        return self._clock() >= self._until

    def take(self) -> bool:
        if not self._write(is_free(self._clock())):
            return False
        self._thread.start()
        return True

    def give_back(self) -> None:
        """Let go at once; where the database does not answer, the lease ends by itself."""
        self._ended.set()
        self._thread.join()
        try:
            with self._database.transaction() as session:
                mine = Mailbox.id == self._mailbox_id, Mailbox.lease_by == self._owner
                session.execute(update(Mailbox).where(*mine).values(lease_by=None, lease_until=None))
        except SQLAlchemyError as error:
            logger.warning("the lease of mailbox=%d could not be given back: %s", self._mailbox_id, error)

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            self.watch()
            try:
                if not self._write(Mailbox.lease_by == self._owner):
                    self._until = self._clock()
                    return
            except SQLAlchemyError as error:
                logger.warning("the lease of mailbox=%d could not be renewed: %s", self._mailbox_id, error)

    def _write(self, condition: ColumnElement[bool]) -> bool:
        until = self._clock() + LEASE
        statement = update(Mailbox).where(Mailbox.id == self._mailbox_id, condition)
        with self._database.transaction() as session:
            result = session.execute(statement.values(lease_by=self._owner, lease_until=until))
            taken = isinstance(result, CursorResult) and result.rowcount == 1
        if taken:
            self._until = until
        return taken


@contextmanager
def leased(database: Database, mailbox_id: int, owner: str, clock: Clock) -> Iterator[Lease | None]:
    """Hold the lease of a mailbox during the block; None where somebody else holds it."""
    lease = Lease(database, mailbox_id, owner, clock)
    if not lease.take():
        yield None
        return
    try:
        yield lease
    finally:
        lease.give_back()
