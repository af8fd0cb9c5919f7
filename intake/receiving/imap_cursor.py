"""How far a folder is taken in, and which of its mails the ledger has.

What lies up to `last_uid` is in the ledger, was left alone on purpose, or is named in `missing`. What is named in
`unsettled` is in the ledger, but its policy may not have been applied. A cursor is written after the mails that it
speaks of, so that a crash leaves mails to be looked at again, never mails to be forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from intake.receiving import sequence
from shared.models import FolderCursor, InboundMessage

AT_ONCE = 500
PASSES_APART = timedelta(hours=1)
NOWHERE = update(InboundMessage).values(folder=None, uidvalidity=None, uid=None)
COLUMNS = (
    InboundMessage.id,
    InboundMessage.uid,
    InboundMessage.notes,
    InboundMessage.told_size,
    InboundMessage.internal_date,
    InboundMessage.received_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder under its present UIDVALIDITY; a UID means the same mail only within it."""

    mailbox_id: int
    folder: str
    uidvalidity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a folder is taken in. `is_renewed`: it was under another UIDVALIDITY when it was last looked at.

    `put_back_at`: when its server was last found to give UIDs to other mail than before.
    """

    last_uid: int = 0
    missing: frozenset[int] = frozenset()
    unsettled: frozenset[int] = frozenset()
    reconciled_at: datetime | None = None
    renewed_at: datetime | None = None
    put_back_at: datetime | None = None
    is_renewed: bool = False

    def back_to(self, last: int) -> Cursor:
        """The cursor of a folder that is to be read again behind the UID `last`, and compared up to it."""
        missing, unsettled = (frozenset(uid for uid in uids if uid <= last) for uids in (self.missing, self.unsettled))
        return replace(self, last_uid=last, missing=missing, unsettled=unsettled, reconciled_at=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMail:
    """A mail of a folder that the ledger has, with what its server said of it; `told_size` only where it was true."""

    inbound_id: int
    is_whole: bool
    told_size: int | None
    internal_date: datetime | None
    received_at: datetime


def is_recent(moment: datetime | None, now: datetime) -> bool:
    """Whether something was within the last hour, so that a folder is not gone through again and again for it."""
    return moment is not None and now - PASSES_APART < moment <= now  # the clock may have been set back


def read_cursor(session: Session, place: Place) -> Cursor:
    """Read how far a folder is taken in: not at all, where it or its UIDVALIDITY is new."""
    row = session.get(FolderCursor, (place.mailbox_id, place.folder))
    if row is None:
        return Cursor()
    if row.uidvalidity != place.uidvalidity:
        return Cursor(renewed_at=row.renewed_at, put_back_at=row.put_back_at, is_renewed=True)
    return Cursor(
        last_uid=row.last_uid,
        missing=sequence.from_text(row.missing),
        unsettled=sequence.from_text(row.unsettled),
        reconciled_at=row.reconciled_at,
        renewed_at=row.renewed_at,
        put_back_at=row.put_back_at,
    )


def write_cursor(session: Session, place: Place, cursor: Cursor) -> None:
    row = session.get(FolderCursor, (place.mailbox_id, place.folder))
    if row is None:
        row = FolderCursor(mailbox_id=place.mailbox_id, folder=place.folder)
        session.add(row)
    row.uidvalidity, row.last_uid = place.uidvalidity, cursor.last_uid
    row.missing, row.unsettled = sequence.to_text(cursor.missing), sequence.to_text(cursor.unsettled)
    row.reconciled_at, row.renewed_at = cursor.reconciled_at, cursor.renewed_at
    row.put_back_at = cursor.put_back_at


def forget_mails(session: Session, place: Place, uids: Collection[int]) -> None:
    """Forget that mail was taken in under `uids`: the server gives them to other mail."""
    for part in _parts(sorted(uids)):
        session.execute(NOWHERE.where(*_here(place, InboundMessage.uid.in_(part))))


def forget_beyond(session: Session, place: Place, last: int) -> None:
    """Forget that mail was taken in under any UID above `last`: the server gives them to other mail."""
    session.execute(NOWHERE.where(*_here(place, InboundMessage.uid > last)))


def known_mails(session: Session, place: Place, uids: Collection[int]) -> dict[int, KnownMail]:
    """What the ledger has under `uids`."""
    found: dict[int, KnownMail] = {}
    for part in _parts(sorted(uids)):
        for row in session.execute(select(*COLUMNS).where(*_here(place, InboundMessage.uid.in_(part)))):
            found[row.uid] = KnownMail(
                inbound_id=row.id,
                is_whole=not row.notes,
                told_size=row.told_size,
                internal_date=row.internal_date,
                received_at=row.received_at,
            )
    return found


def keep_dates(session: Session, dates: Mapping[int, datetime | None]) -> None:
    """Keep what the server says now of mails, by their ids in the ledger: when it got them."""
    rows = [{"id": inbound_id, "internal_date": moment} for inbound_id, moment in sorted(dates.items())]
    if rows:
        session.execute(update(InboundMessage), rows)


def known_uids(session: Session, place: Place, first: int, last: int) -> set[int]:
    """The UIDs from `first` to `last` that the ledger has."""
    here = _here(place, InboundMessage.uid.between(first, last))
    return {uid for uid in session.scalars(select(InboundMessage.uid).where(*here)) if uid is not None}


def _here(place: Place, condition: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (
        InboundMessage.mailbox_id == place.mailbox_id,
        InboundMessage.folder == place.folder,
        InboundMessage.uidvalidity == place.uidvalidity,
        condition,
    )


def _parts(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), AT_ONCE):
        yield uids[start : start + AT_ONCE]
