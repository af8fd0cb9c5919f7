"""What becomes of a mail that could not be processed: it is tried again, or put aside."""

from __future__ import annotations

from datetime import datetime, timedelta

from intake.record.storable import clean
from shared import queue
from shared.inbound import is_refreshing
from shared.models import InboundMessage, InboundState

MAX_FAILURES = 5
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=5)


def note_failure(row: InboundMessage, said: str, now: datetime, chance: float, *, is_last: bool = False) -> None:
    """Note what went wrong, and when the mail is tried again; put it aside after MAX_FAILURES, or where it `is_last`.

    What was processed before and was only read anew stays as it was. `chance` (0 to 1) spreads the pauses.
    """
    row.failures += 1
    row.last_error = clean(said, 2000)
    row.lease_by = row.lease_until = None
    if is_refreshing(row):
        row.state, row.person_order = InboundState.PROCESSED, None
    elif is_last or row.failures >= MAX_FAILURES:
        row.state = InboundState.QUARANTINED
        row.action, row.reason, row.clues, row.processed_at = "quarantine", "It could not be processed.", [], now
    else:
        row.due_at = now + queue.pause(row.failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE, chance=chance)
