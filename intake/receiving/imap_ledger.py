"""What the database knows of a polled mailbox: how it is reached, how far it was read, how polls ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from intake.receiving.imap_connection import ImapFault
from intake.receiving.lease import is_free
from shared.mailboxes import ImapServer, MailboxError, parse_imap_url
from shared.models import FolderCursor, InboundMessage, Mailbox, Policy
from shared.tokens import Tokens

LONGEST_PAUSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All that a poll needs to know of a mailbox."""

    mailbox_id: int
    server: ImapServer
    password: str = field(repr=False)
    is_oauth: bool = False
    folder: str
    policy: Policy
    move_to: str | None
    from_now: bool
    connected_at: datetime | None
    last_ok_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder under its present UIDVALIDITY; a UID means the same mail only within it."""

    mailbox_id: int
    folder: str
    uidvalidity: int


def read_account(session: Session, mailbox_id: int, tokens: Tokens) -> Account:
    """Read a mailbox for polling. Raises ImapFault where its settings do not allow it."""
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is None or mailbox.imap_url is None:
        raise ImapFault("The mailbox has no IMAP server")
    password = tokens.decrypt(mailbox.imap_secret) if mailbox.imap_secret else None
    if password is None:
        raise ImapFault("The stored password cannot be read with this SECRET_KEY; set the password again")
    try:
        server = parse_imap_url(mailbox.imap_url)
    except MailboxError as error:
        raise ImapFault(str(error)) from error
    return Account(
        mailbox_id=mailbox.id,
        server=server,
        password="" if mailbox.oauth else password,
        is_oauth=mailbox.oauth is not None,
        folder=mailbox.folders[0],
        policy=mailbox.policy,
        move_to=mailbox.move_to,
        from_now=mailbox.from_now,
        connected_at=mailbox.connected_at,
        last_ok_at=mailbox.last_ok_at,
    )


def due_mailboxes(session: Session, now: datetime) -> list[int]:
    """The mailboxes whose next poll has come and that nobody is polling."""
    polled = Mailbox.is_active, Mailbox.imap_url.is_not(None), is_free(now)
    mailboxes = session.scalars(select(Mailbox).where(*polled).order_by(Mailbox.last_poll_at.nulls_first()))
    return [mailbox.id for mailbox in mailboxes if is_due(mailbox, now)]


def is_due(mailbox: Mailbox, now: datetime) -> bool:
    """Whether the pause since the last poll is over; each failure doubles it, up to 15 minutes."""
    if mailbox.last_poll_at is None or mailbox.last_poll_at > now:  # or the clock was set back
        return True
    pause = timedelta(seconds=mailbox.poll_seconds)
    if mailbox.failures:
        pause = max(pause, min(pause * 2 ** min(mailbox.failures, 12), LONGEST_PAUSE))
    return mailbox.last_poll_at + pause <= now


def read_cursor(session: Session, place: Place) -> int:
    """The last UID that was taken in; 0 where the folder, or its UIDVALIDITY, is new."""
    cursor = session.get(FolderCursor, (place.mailbox_id, place.folder))
    return cursor.last_uid if cursor is not None and cursor.uidvalidity == place.uidvalidity else 0


def write_cursor(session: Session, place: Place, last_uid: int) -> None:
    cursor = session.get(FolderCursor, (place.mailbox_id, place.folder))
    if cursor is None:
        cursor = FolderCursor(mailbox_id=place.mailbox_id, folder=place.folder)
        session.add(cursor)
    cursor.uidvalidity, cursor.last_uid = place.uidvalidity, last_uid


def known_uids(session: Session, place: Place, uids: Sequence[int]) -> set[int]:
    """Which of `uids` (a batch) the ledger has."""
    return {uid for uid in session.scalars(_uids(place, InboundMessage.uid.in_(uids))) if uid is not None}


def pending_uids(session: Session, place: Place, since: datetime | None) -> list[int]:
    """What was stored since the last poll that ended well: its policy may not have been applied."""
    recent = () if since is None else (InboundMessage.received_at >= since,)
    return [uid for uid in session.scalars(_uids(place, *recent)) if uid is not None]


def record_end(session: Session, mailbox_id: int, now: datetime, *, fault: str | None, note: str | None) -> None:
    """Note how a poll ended. A fault counts as a failure; a note alone does not make the pauses grow."""
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is None:
        return
    mailbox.last_poll_at, mailbox.last_error = now, fault or note
    mailbox.failures = mailbox.failures + 1 if fault else 0


def record_success(session: Session, mailbox_id: int, now: datetime) -> None:
    """Note that everything up to now is stored and its policy applied."""
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is not None:
        mailbox.last_ok_at = now


def _uids(place: Place, *conditions: ColumnElement[bool]) -> Select[int | None]:
    here = (
        InboundMessage.mailbox_id == place.mailbox_id,
        InboundMessage.folder == place.folder,
        InboundMessage.uidvalidity == place.uidvalidity,
    )
    return select(InboundMessage.uid).where(*here, *conditions).order_by(InboundMessage.uid)
