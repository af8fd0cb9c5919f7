"""What the database knows of a polled mailbox: how it is reached, when its next poll is due, how polls ended."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from intake.receiving.imap_connection import ImapFault
from intake.receiving.lease import is_free
from shared import queue
from shared.mailboxes import ImapServer, MailboxError, parse_imap_url
from shared.models import Mailbox, Policy
from shared.tokens import Tokens

LONGEST_PAUSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All that a poll needs to know of a mailbox. As long as it stays the same, so may the connection."""

    mailbox_id: int
    address: str
    server: ImapServer
    password: str = field(repr=False)
    is_oauth: bool = False
    folders: tuple[str, ...]
    policy: Policy
    move_to: str | None
    from_now: bool
    connected_at: datetime | None
    poll_seconds: int = 60
    is_active: bool = True
    failures: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a pass over a mailbox ended. Only a `fault` makes the pauses grow; a `note` is for people.

    `is_behind`: not all that the server held is stored. `is_incomplete`: since some of it is not to be had.
    `is_unsettled`: the server refused what shall happen to stored mail.
    """

    fault: str | None = None
    note: str | None = None
    is_behind: bool = False
    is_incomplete: bool = False
    is_unsettled: bool = False


def read_account(session: Session, mailbox_id: int, tokens: Tokens) -> Account:
    """Read a mailbox for polling. Raises ImapFault where its settings do not allow it."""
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is None or mailbox.imap_url is None:
        raise ImapFault("The mailbox has no IMAP server")
    password = tokens.decrypt(mailbox.imap_secret) if mailbox.imap_secret else None
    if password is None:
        raise ImapFault("The stored password cannot be read with this LETTERDESK_SECRET_KEY; set the password again")
    try:
        server = parse_imap_url(mailbox.imap_url)
    except MailboxError as error:
        raise ImapFault(str(error)) from error
    return Account(
        mailbox_id=mailbox.id,
        address=mailbox.address,
        server=server,
        password="" if mailbox.oauth else password,
        is_oauth=mailbox.oauth is not None,
        folders=tuple(mailbox.folders),
        policy=mailbox.policy,
        move_to=mailbox.move_to,
        from_now=mailbox.from_now,
        connected_at=mailbox.connected_at,
        poll_seconds=mailbox.poll_seconds,
        is_active=mailbox.is_active,
        failures=mailbox.failures,
    )


def due_mailboxes(session: Session, now: datetime) -> list[int]:
    """The mailboxes whose next poll has come and that nobody is polling."""
    polled = Mailbox.is_active, Mailbox.imap_url.is_not(None), is_free(now)
    mailboxes = session.scalars(select(Mailbox).where(*polled).order_by(Mailbox.last_poll_at.nulls_first()))
    return [mailbox.id for mailbox in mailboxes if is_due(mailbox, now)]


def is_due(mailbox: Mailbox, now: datetime) -> bool:
    """Whether the pause since the last poll is over; each failure doubles it, up to 15 minutes, ±10 % by chance."""
    if mailbox.last_poll_at is None or mailbox.last_poll_at > now:  # or the clock was set back
        return True
    pause = timedelta(seconds=mailbox.poll_seconds)
    if mailbox.failures:
        grown = queue.pause(mailbox.failures + 1, first=pause, longest=LONGEST_PAUSE, chance=_chance(mailbox))
        pause = max(pause, grown)
    return mailbox.last_poll_at + pause <= now


def _chance(mailbox: Mailbox) -> float:
    """A number from 0 to 1 that stays the same until the next poll, so that mailboxes do not come all at once."""
    return zlib.crc32(f"{mailbox.id} {mailbox.last_poll_at}".encode()) / 2**32


def _began(since: datetime | None, now: datetime) -> datetime:
    """Since when something is so; what is later than now was written by a clock that ran ahead."""
    return now if since is None else min(since, now)


def record_end(session: Session, mailbox_id: int, now: datetime, ending: Ending) -> None:
    """Note how a pass over a mailbox ended."""
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is None:
        return
    mailbox.last_poll_at, mailbox.last_error = now, ending.fault or ending.note
    mailbox.failures = mailbox.failures + 1 if ending.fault else 0
    mailbox.failing_since = _began(mailbox.failing_since, now) if ending.fault else None
    if ending.is_incomplete:
        mailbox.incomplete_since = _began(mailbox.incomplete_since, now)
    if ending.is_unsettled:
        mailbox.unsettled_since = _began(mailbox.unsettled_since, now)
    elif not ending.fault:
        mailbox.unsettled_since = None
    if not ending.is_behind:  # a pass that was cut short has not seen whether mail is missing still
        mailbox.last_ok_at, mailbox.incomplete_since = now, None
