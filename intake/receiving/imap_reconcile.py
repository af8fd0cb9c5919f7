"""Reconciliation: what the server holds and the ledger lacks, although the cursor has passed it.

There should be no such mail. A database that was put back from a backup has it, and so has a server that brought
mail back under its old UIDs.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from intake.receiving.imap_cursor import Cursor, Place, known_uids
from intake.receiving.imap_folder import Folder
from shared.database import Database

EVERY = timedelta(days=1)


def is_due(cursor: Cursor, now: datetime) -> bool:
    """Whether a folder is to be compared with the ledger; also where the clock was set back."""
    last = cursor.reconciled_at
    return last is None or last > now or last + EVERY <= now


def lacking(database: Database, folder: Folder, place: Place, cursor: Cursor, since: date | None) -> frozenset[int]:
    """The UIDs up to the cursor that the server holds and the ledger lacks, of mails that came on a day or later.

    Piece by piece, so that a folder with a hundred thousand mails takes a few searches and little memory.
    """
    found: set[int] = set()
    for first, last, uids in folder.windows(cursor.last_uid, since):
        with database.reading() as session:
            known = known_uids(session, place, first, last)
        found.update(uid for uid in uids if uid not in known)
    return frozenset(found - cursor.missing)
