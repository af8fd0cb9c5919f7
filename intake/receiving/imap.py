"""Poll a mailbox: take in what is new in its folder, by UID, oldest first.

In each step the mails are committed first, then the cursor, then the mailbox's policy is applied. A crash
between any two of them costs nothing: mails beyond the cursor that the ledger has already are not taken
again, and the policy is applied again to everything that was stored since the last poll that ended well
(`last_ok_at`), so that no table has to remember what is pending.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from intake.receiving.imap_connection import ImapFault, connected, sentence
from intake.receiving.imap_folder import SIZES_AT_ONCE, Folder, Standing, batches
from intake.receiving.imap_ledger import (
    Account,
    Place,
    known_uids,
    pending_uids,
    read_account,
    read_cursor,
    record_end,
    record_success,
    write_cursor,
)
from intake.receiving.imap_policy import apply_policy
from intake.receiving.lease import Clock, Lease, leased
from intake.receiving.oauth import proof_of
from intake.receiving.spool import Spool
from intake.types import FolderPosition, RawMessage, Source
from shared.database import Database
from shared.models import Policy
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

GARBAGE = (ValueError, LookupError, TypeError, AttributeError)  # what imapclient raises on answers that are none
OVERSIZE = 4  # a mail of so many times the size limit is still taken
CLOCK_SKEW = timedelta(minutes=5)  # the server's clock may be behind ours by this much


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """How a poll ended. `polled` is False where another process holds the mailbox.

    `stored` mails are new, `known` ones were in the ledger already, `skipped` ones were left alone: from
    before the connection, too large, or not to be had. `fault` ended the poll; `note` did not.
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
    """What has been counted so far."""

    stored: int = 0
    known: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    is_pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every poll of this process works with."""

    database: Database
    spool: Spool
    tokens: Tokens
    owner: str
    max_message_bytes: int = 25 * 1024 * 1024
    clock: Clock = lambda: datetime.now(UTC)
    tls: ssl.SSLContext | None = None
    is_stopping: Callable[[], bool] = lambda: False


def poll(mailbox_id: int, desk: Desk) -> PollResult:
    """Poll one mailbox and record how it ended. Faults of the server are in the result, never raised.

    Raises only what the database raises.
    """
    with leased(desk.database, mailbox_id, desk.owner, desk.clock) as lease:
        if lease is None:
            return PollResult(mailbox_id=mailbox_id, polled=False)
        tally, fault = Tally(), None
        try:
            with desk.database.reading() as session:
                account = read_account(session, mailbox_id, desk.tokens)
            _Poll(account, desk, lease, tally).run()
        except ImapFault as error:
            fault = str(error)
        except GARBAGE as error:
            logger.exception("mailbox=%d: its server cannot be understood", mailbox_id)
            fault = f"The server's answers cannot be understood ({type(error).__name__})"
        return _record(mailbox_id, desk, tally, fault)


def _record(mailbox_id: int, desk: Desk, tally: Tally, fault: str | None) -> PollResult:
    note, now = "; ".join(tally.notes) or None, desk.clock()
    with desk.database.transaction() as session:
        record_end(session, mailbox_id, now, fault=fault, note=note)
        if fault is None and not tally.is_pending:
            record_success(session, mailbox_id, now)
    if fault or tally.stored:
        logger.info("polled mailbox=%d stored=%d fault=%s", mailbox_id, tally.stored, fault)
    return PollResult(
        mailbox_id=mailbox_id,
        stored=tally.stored,
        known=tally.known,
        skipped=tally.skipped,
        fault=fault,
        note=note,
    )


class _Poll:
    """One pass over a folder."""

    def __init__(self, account: Account, desk: Desk, lease: Lease, tally: Tally) -> None:
        self._account = account
        self._desk = desk
        self._lease = lease
        self._tally = tally
        self._is_held = False
        self._largest = OVERSIZE * desk.max_message_bytes

    def run(self) -> None:
        proof = proof_of(self._account, self._desk.database, self._desk.tokens, self._desk.clock)
        with connected(self._account.server, proof, self._desk.tls) as client:
            folder = Folder(client, self._account.folder)
            place = Place(mailbox_id=self._account.mailbox_id, folder=folder.name, uidvalidity=folder.uidvalidity)
            with self._desk.database.reading() as session:
                last = read_cursor(session, place)
                keeps = self._account.policy is Policy.KEEP
                pending = [] if keeps else pending_uids(session, place, self._account.last_ok_at)
            self._apply_policy(client, pending)
            for batch in batches(self._standings(folder, last)):
                if self._desk.is_stopping() or self._lease.is_lost:
                    self._tally.is_pending = True
                    return
                self._take(client, folder, place, batch)
            self._note_too_large(folder)

    def _standings(self, folder: Folder, last: int) -> Iterator[Standing]:
        uids = folder.uids_after(last)
        while part := list(islice(uids, SIZES_AT_ONCE)):
            yield from folder.standings(part)

    def _take(self, client: IMAPClient, folder: Folder, place: Place, batch: list[Standing]) -> None:
        """One step: commit the mails, then the cursor, then apply the policy."""
        with self._desk.database.reading() as session:
            known = known_uids(session, place, [standing.uid for standing in batch])
        wanted = [each for each in batch if each.uid not in known and self._is_wanted(each)]
        contents = _contents(folder, wanted)
        mails = [self._raw(place, each, contents[each.uid]) for each in wanted if each.uid in contents]
        ids = self._desk.spool.accept_now(mails)
        missing = folder.still_there([each.uid for each in wanted if each.uid not in contents])
        self._move_cursor(place, batch[-1].uid, missing)
        new = sum(number is not None for number in ids)
        self._tally.stored += new
        self._tally.known += len(known) + len(ids) - new
        self._tally.skipped += len(batch) - len(known) - len(ids)
        self._apply_policy(client, sorted(known | contents.keys()))

    def _move_cursor(self, place: Place, last: int, missing: list[int]) -> None:
        """Note how far the folder is taken in: never past a mail that the server did not hand out.

        So every poll asks for that mail again, and says so, while what comes behind it is taken in once,
        by the ledger.
        """
        if not self._is_held:
            with self._desk.database.transaction() as session:
                write_cursor(session, place, missing[0] - 1 if missing else last)
        if missing:
            self._is_held = True
            names = ", ".join(map(str, missing))
            self._tally.notes.append(f"The server does not hand out mail UID {names} in {place.folder}")

    def _is_wanted(self, standing: Standing) -> bool:
        if standing.size > self._largest:
            return False
        return not (self._account.from_now and self._is_old(standing, CLOCK_SKEW))

    def _is_old(self, standing: Standing, margin: timedelta = timedelta()) -> bool:
        """Whether the server had the mail before the mailbox was connected."""
        connected_at, got_at = self._account.connected_at, standing.internal_date
        return connected_at is not None and got_at is not None and got_at < connected_at - margin

    def _raw(self, place: Place, standing: Standing, content: bytes) -> RawMessage:
        position = FolderPosition(folder=place.folder, uidvalidity=place.uidvalidity, uid=standing.uid)
        return RawMessage(
            content=content,
            source=Source.IMAP,
            mailbox_id=place.mailbox_id,
            received_at=self._desk.clock(),
            position=position,
            quiet=self._is_old(standing),
        )

    def _apply_policy(self, client: IMAPClient, uids: list[int]) -> None:
        """Apply the policy; a server that refuses does not stop the mail from being taken in."""
        account = self._account
        if not uids or account.policy is Policy.KEEP:
            return
        try:
            apply_policy(client, account.policy, account.move_to, uids)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            self._tally.is_pending = True
            said = f"All mail is stored, but “{account.policy.value}” failed: {sentence(error, account.server)}"
            if said not in self._tally.notes:
                self._tally.notes.append(said)

    def _note_too_large(self, folder: Folder) -> None:
        """Say at every poll which mails are too large to be taken, for as long as they are there."""
        if uids := folder.larger_than(self._largest):
            names = ", ".join(map(str, uids[:10]))
            self._tally.notes.append(
                f"{len(uids)} mail over {self._largest} bytes stays on the server, not taken in: "
                f"UID {names} in {folder.name}"
            )


def _contents(folder: Folder, wanted: list[Standing]) -> dict[int, bytes]:
    """Fetch mails; an empty answer counts only where the mail is said to be empty."""
    contents = folder.contents([each.uid for each in wanted]) if wanted else {}
    return {
        each.uid: contents[each.uid]
        for each in wanted
        if contents.get(each.uid) or (each.uid in contents and not each.size)
    }
