"""Reconciliation: what the server holds and the ledger lacks, although the cursor has passed it.

There should be no such mail. A database that was put back from a backup has it, and so has a server that brought
mail back under its old UIDs, or gives UIDs for a second time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from intake.receiving.imap_cursor import Cursor, Place, known_arrivals, known_uids
from intake.receiving.imap_folder import SIZES_AT_ONCE, Folder, Standing
from shared.database import Database

EVERY = timedelta(days=1)
SECOND = timedelta(seconds=1)  # INTERNALDATE has no fractions


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


def given_anew(database: Database, folder: Folder, place: Place, last: int) -> frozenset[int]:
    """The UIDs up to `last` under which the server holds another mail than the ledger has.

    A mail that is taken for another one by mistake is fetched again, and known then by what is in it.
    """
    found: set[int] = set()
    for _, _, uids in folder.windows(last):
        for start in range(0, len(uids), SIZES_AT_ONCE):
            part = uids[start : start + SIZES_AT_ONCE]
            with database.reading() as session:
                known = known_arrivals(session, place, part)
            found.update(
                each.uid for each in folder.standings(part) if each.uid in known and _is_other(each, *known[each.uid])
            )
    return frozenset(found)


def _is_other(standing: Standing, size: int, received_at: datetime) -> bool:
    """Whether a mail is not the one that was taken in: of another size, or here only since."""
    got_at = standing.internal_date
    return standing.size != size or (got_at is not None and got_at + SECOND > received_at)
