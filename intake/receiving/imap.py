"""Poll a mailbox: all its folders in turn, and where the server has IDLE stay connected and wait for the next mail.

Each pass over the folders is recorded for itself. A fault of a pass makes the pauses grow. Where a connection that
was kept breaks, nothing was lost by it: the next poll opens another.
"""

from __future__ import annotations

import logging

from imapclient import IMAPClient
from sqlalchemy.exc import SQLAlchemyError

from intake.receiving.imap_connection import CONNECTION_FAULTS, ImapFault
from intake.receiving.imap_desk import Desk, PollResult, Tally
from intake.receiving.imap_folder import GARBAGE, Folder, FolderFault
from intake.receiving.imap_idle import pause, wait_for_mail
from intake.receiving.imap_ledger import Account, Ending, read_account, record_end
from intake.receiving.imap_literals import limit_literals
from intake.receiving.imap_login import logged_in
from intake.receiving.imap_pass import FolderPass, Visit
from intake.receiving.lease import Lease, leased
from intake.receiving.oauth import proof_of
from intake.receiving.patience import Patience

__all__ = ["Desk", "PollResult", "attend", "poll"]

logger = logging.getLogger(__name__)

MOST_IN_VAIN = 12


def poll(mailbox_id: int, desk: Desk) -> PollResult:
    """Pass over a mailbox once and record how it ended. Faults of the server are in the result, never raised.

    Raises only what the database raises.
    """
    return _poll(mailbox_id, desk, is_staying=False)


def attend(mailbox_id: int, desk: Desk) -> PollResult:
    """Like `poll`; but stay, and pass over the mailbox again when mail comes or the next poll is due.

    Returns how the last pass ended that was recorded: at a fault, when the desk stops or the mailbox's settings
    change, or at once where the server has no IDLE.
    """
    return _poll(mailbox_id, desk, is_staying=True)


def _poll(mailbox_id: int, desk: Desk, *, is_staying: bool) -> PollResult:
    if not desk.has_room():
        return PollResult(mailbox_id=mailbox_id, polled=False)
    with leased(desk.database, mailbox_id, desk.owner, desk.clock) as lease:
        if lease is None:
            return PollResult(mailbox_id=mailbox_id, polled=False)
        return _Poll(mailbox_id, desk, lease).run(is_staying=is_staying)


class _Poll:
    """From the login to the logout."""

    def __init__(self, mailbox_id: int, desk: Desk, lease: Lease) -> None:
        self._mailbox_id = mailbox_id
        self._desk = desk
        self._lease = lease
        self._tally = Tally()
        self._patience: Patience | None = None
        self._last_uid = 0  # of the first folder
        self._in_vain = 0  # how often in a row mail was announced, and none was there

    def run(self, *, is_staying: bool) -> PollResult:
        try:
            account = self._read()
            proof = proof_of(account, self._desk.database, self._desk.tokens, self._desk.clock)
            with logged_in(account, proof, self._desk.tls) as client:
                limit_literals(client, self._desk.max_message_bytes)
                self._patience = Patience(client.socket(), self._desk.monotonic)
                self._lease.watch = self._patience.check
                result = self._pass(client, account)
                return self._stay(client, account, result) if is_staying else result
        except ImapFault as error:
            return self._record(str(error))
        except SQLAlchemyError:
            raise
        except Exception as error:  # whatever a server can make imapclient raise
            logger.exception("mailbox=%d: its server cannot be understood", self._mailbox_id)
            return self._record(f"The server's answers cannot be understood ({type(error).__name__})")

    def _read(self) -> Account:
        with self._desk.database.reading() as session:
            return read_account(session, self._mailbox_id, self._desk.tokens)

    def _is_over(self) -> bool:
        """Whether nothing more may be begun; asked between any two steps."""
        if self._patience is not None:
            self._patience.renew()
        return self._desk.is_stopping() or self._lease.is_lost or not self._desk.has_room()

    # ------------------------------------------------------------------ one pass

    def _pass(self, client: IMAPClient, account: Account) -> PollResult:
        """Pass over all folders and record it. A folder that cannot be read does not stop the others."""
        self._tally = Tally()
        visit = Visit(client=client, account=account, desk=self._desk, is_over=self._is_over)
        faults = []
        for number, name in enumerate(account.folders):
            try:
                last = FolderPass(visit, name, self._tally).run()
                self._last_uid = self._last_uid if number else last
            except FolderFault as error:
                faults.append(str(error))
        if len(faults) == len(account.folders):
            raise FolderFault("; ".join(faults))
        for fault in faults:
            self._tally.note(fault)
            self._tally.is_behind = self._tally.is_incomplete = True
        if not self._desk.has_room():
            self._tally.note("The disk is almost full, so mail waits on its server")
        return self._record()

    def _record(self, fault: str | None = None) -> PollResult:
        tally, note = self._tally, "; ".join(self._tally.notes) or None
        ending = Ending(
            fault=fault,
            note=note,
            is_behind=bool(fault) or tally.is_behind,
            is_incomplete=tally.is_incomplete,
            is_unsettled=tally.is_unsettled,
        )
        with self._desk.database.transaction() as session:
            record_end(session, self._mailbox_id, self._desk.clock(), ending)
        if fault or tally.stored:
            logger.info("polled mailbox=%d stored=%d fault=%s", self._mailbox_id, tally.stored, fault)
        return PollResult(
            mailbox_id=self._mailbox_id,
            stored=tally.stored,
            known=tally.known,
            skipped=tally.skipped,
            fault=fault,
            note=note,
        )

    # ------------------------------------------------------------------ between two passes

    def _stay(self, client: IMAPClient, account: Account, result: PollResult) -> PollResult:
        """Pass over the mailbox again and again, as long as the connection holds and the settings are the same."""
        try:
            while self._wait(client, account) and (now := self._read()) == account:
                result = self._pass(client, now)
        except (*CONNECTION_FAULTS, *GARBAGE, FolderFault) as error:
            logger.info("mailbox=%d: the connection was not kept: %s", self._mailbox_id, error)
        return result

    def _wait(self, client: IMAPClient, account: Account) -> bool:
        """Wait for mail in the first folder, or until the next poll is due; False where there is no waiting."""
        if self._is_over() or not client.has_capability("IDLE"):
            return False
        folder = Folder(client, account.folders[0])
        in_vain = 0 if self._tally.stored else self._in_vain
        pause(min(2**in_vain - 1, account.poll_seconds), self._is_over, self._desk.sleep)
        is_there = any(folder.uids_after(self._last_uid))
        is_told = is_there or wait_for_mail(client, account.poll_seconds, self._is_over)
        self._in_vain = min(in_vain + 1, MOST_IN_VAIN) if is_told else 0
        return not self._is_over()
