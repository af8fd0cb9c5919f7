"""A worker in a process of its own that cannot read one mail, and that another one kills. Ends when nothing is due.

Arguments of `main`: the database's URL, the secret key, and how many seconds the clock is ahead.
"""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta

from intake.pipeline import Pipeline
from intake.reading import Stored, read
from intake.types import Arrival
from shared.database import Database
from shared.tokens import Tokens

POISON = b"poison for the reader"
DEADLY = b"death of the process"


def stumble(stored: Stored) -> Arrival:
    if DEADLY in stored.content:
        os.kill(os.getpid(), signal.SIGKILL)
    if POISON in stored.content:
        raise RecursionError("too deep for me")
    return read(stored)


def main(url: str, key: str, ahead: str) -> None:
    pipeline = Pipeline(
        Database(url), Tokens(key), lambda: datetime.now(UTC) + timedelta(seconds=float(ahead)), reader=stumble
    )
    while pipeline.run_once():
        pass
