"""A poll in a process of its own that kills itself at a named point, or waits to be killed.

Arguments: the database's URL, the mailbox's id, the secret key, the point, and how many seconds the clock is
ahead.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from intake.receiving.imap import Desk, poll
from intake.receiving.spool import Spool
from intake.types import RawMessage
from shared.database import Database
from shared.tokens import Tokens

POINTS = ("before the commit", "after the commit", "before the policy", "after the step", "never")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingSpool(Spool):
    """Dies in its third batch."""

    point = "never"
    batches = 0

    def accept_now(self, batch: Sequence[RawMessage]) -> list[int | None]:
        self.batches += 1
        if self.batches == 3 and self.point == "before the commit":
            die()
        ids = super().accept_now(batch)
        if self.batches == 3 and self.point == "after the commit":
            die()
        return ids


class DyingDatabase(Database):
    """Dies when the cursor of the third batch is written, before the server hears of it."""

    spool: DyingSpool | None = None
    commits = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
        if self.spool is not None and self.spool.batches == 3 and self.spool.point == "before the policy":
            self.commits += 1
            if self.commits == 2:  # the first one is that of the mails
                die()


def main(url: str, mailbox: str, key: str, point: str, ahead: str) -> None:
    database = DyingDatabase(url)
    spool = database.spool = DyingSpool(database)
    spool.point = point

    def is_stopping() -> bool:
        if spool.batches == 3 and point == "after the step":
            die()
        return False

    poll(
        int(mailbox),
        Desk(
            database=database,
            spool=spool,
            tokens=Tokens(key),
            owner=f"dying:{os.getpid()}",
            clock=lambda: datetime.now(UTC) + timedelta(seconds=float(ahead)),
            is_stopping=is_stopping,
        ),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
