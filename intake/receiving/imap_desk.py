"""What every poll of a process works with, and what it counts."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from intake.receiving.lease import Clock
from intake.receiving.spool import Spool
from shared.database import Database
from shared.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every poll of this process works with. Mail over `max_message_bytes` is taken without its large parts.

    `is_stopping` ends a poll after its present step, and IDLE at once; while `has_room` is false nothing is taken.
    """

    database: Database
    spool: Spool
    tokens: Tokens
    owner: str
    max_message_bytes: int = 25 * 1024 * 1024
    clock: Clock = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    tls: ssl.SSLContext | None = None
    is_stopping: Callable[[], bool] = lambda: False
    has_room: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """How a pass over a mailbox ended. `polled` is False where another process holds it, or the disk is full.

    `stored` mails are new, `known` ones were in the ledger already, `skipped` ones were left alone: from
    before the connection, or not to be had. `fault` ended the pass; `note` did not.
    """

    mailbox_id: int
    polled: bool = True
    stored: int = 0
    known: int = 0
    skipped: int = 0
    fault: str | None = None
    note: str | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one pass has counted so far, in all folders.

    `is_behind`: mail stands on the server that is not stored yet. `is_incomplete`: since it is not to be had.
    `is_unsettled`: the server refused what shall happen to stored mail.
    """

    stored: int = 0
    known: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    is_behind: bool = False
    is_incomplete: bool = False
    is_unsettled: bool = False

    def note(self, sentence: str) -> None:
        """Keep a sentence, each once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
