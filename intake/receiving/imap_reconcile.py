"""Reconciliation: what the server holds and the ledger lacks, although the cursor has passed it.

There should be no such mail. A database that was put back from a backup has it, and so has a server that was put back
itself: it gives UIDs for a second time, to other mail, where it should take a new UIDVALIDITY (RFC 9051 section
2.3.1.1). Mail is known again by its size and its INTERNALDATE, which never change under a UID (section 2.3.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from intake.receiving.imap_cursor import Cursor, KnownMail, Place, keep_dates, known_mails, known_uids
from intake.receiving.imap_folder import SIZES_AT_ONCE, Folder, Standing
from shared.blobs import raw_mail
from shared.database import Database

EVERY = timedelta(days=1)
LATEST = 20  # UIDs that are compared at each pass
BEGINNING = 4096  # bytes of a mail that is compared with the stored one; a header within tells mails apart
MOST_NAMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """UIDs of mails that are not those that the ledger has under them; of `doubtful` ones that cannot be told."""

    others: frozenset[int]
    doubtful: frozenset[int]


def is_due(cursor: Cursor, now: datetime) -> bool:
    """Whether a folder is to be compared with the ledger; also where the clock was set back."""
    last = cursor.reconciled_at
    return last is None or last > now or last + EVERY <= now


def put_back_to(database: Database, folder: Folder, place: Place, cursor: Cursor) -> int | None:
    """The UID behind which a folder is to be read again, where its server gives UIDs for a second time; else None.

    Those up to it that have been given to other mail are found by reconciling.
    """
    last = folder.end_before(cursor.last_uid)
    return cursor.last_uid if last is None and _is_put_back(database, folder, place, cursor) else last


def _is_put_back(database: Database, folder: Folder, place: Place, cursor: Cursor) -> bool:
    """Whether one of the latest UIDs up to the cursor is of another mail than the ledger has; costs one FETCH."""
    if not cursor.last_uid:
        return False
    uids = range(max(cursor.last_uid - LATEST, 0) + 1, cursor.last_uid + 1)
    latest = [each for each in folder.told(uids) if each.uid in uids and each.uid not in cursor.missing]
    with database.reading() as session:
        known = known_mails(session, place, [each.uid for each in latest])
    return bool(compare(database, folder, latest, known).others)


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
    """The UIDs up to `last` under which the server holds another mail than the ledger has."""
    found: set[int] = set()
    for _, _, uids in folder.windows(last):
        for start in range(0, len(uids), SIZES_AT_ONCE):
            with database.reading() as session:
                known = known_mails(session, place, uids[start : start + SIZES_AT_ONCE])
            standings = folder.standings(sorted(known)) if known else []
            found.update(compare(database, folder, standings, known).others)
    return frozenset(found)


def compare(
    database: Database, folder: Folder, standings: Iterable[Standing], known: Mapping[int, KnownMail]
) -> Compared:
    """Compare mails with those that the ledger has under their UIDs, as far as the server says.

    A mail with another date that begins as the stored one does is that one: files are copied without their dates. The
    date alone proves nothing, since there are servers that make it up. What is taken for another by mistake is fetched
    again, and known then by what is in it.
    """
    there = [each for each in standings if each.uid in known]
    others = {each.uid for each in there if _has_other_size(each, known[each.uid])}
    dated = [each for each in there if each.uid not in others and _has_other_date(each, known[each.uid])]
    if not dated:
        return Compared(others=frozenset(others), doubtful=frozenset())
    beginnings = folder.beginnings([each.uid for each in dated], BEGINNING)
    with database.reading() as session:
        same = [each for each in dated if beginnings.get(each.uid) == _beginning(session, known[each.uid])]
    with database.transaction() as session:
        keep_dates(session, {known[each.uid].inbound_id: each.internal_date for each in same})
    unlike = {each.uid for each in dated} - {each.uid for each in same}
    return Compared(
        others=frozenset(others | (unlike & beginnings.keys())), doubtful=frozenset(unlike - beginnings.keys())
    )


def _has_other_size(standing: Standing, known: KnownMail) -> bool:
    return None not in (standing.size, known.told_size) and standing.size != known.told_size


def _has_other_date(standing: Standing, known: KnownMail) -> bool:
    if standing.internal_date is None:
        return False
    if known.internal_date is None:  # it was taken in before such dates were kept
        return standing.internal_date > known.received_at
    return standing.internal_date != known.internal_date


def _beginning(session: Session, known: KnownMail) -> bytes:
    """What a stored mail begins with; nothing where it was erased."""
    try:
        return raw_mail(session, known.inbound_id)[:BEGINNING]
    except NoResultFound:
        return b""


def said_of_found(count: int, folder: str) -> str:
    """Say that mails were not in the ledger."""
    mails = "1 mail" if count == 1 else f"{count} mails"
    were, are = ("was", "is") if count == 1 else ("were", "are")
    return f"{mails} in the folder “{folder}” {were} not in the ledger and {are} fetched now"


def said_of_missing(uids: Sequence[int], folder: str) -> str:
    """Say which mails the server does not hand out."""
    mails = "1 mail" if len(uids) == 1 else f"{len(uids)} mails"
    names = ", ".join(map(str, uids[:MOST_NAMES])) + (", …" if len(uids) > MOST_NAMES else "")
    return f"The server does not hand out {mails} in the folder “{folder}” (UID {names})"
