"""One pass over a folder: take in what is new, by UID, oldest first.

In each step the mails are committed first, then the cursor, then the mailbox's policy is applied. A crash between
any two of them costs nothing: mails beyond the cursor that the ledger has already are not taken again, and the
cursor names the mails whose policy may not have been applied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from imapclient import IMAPClient

from intake.receiving import imap_reconcile as reconcile
from intake.receiving.imap_connection import sentence
from intake.receiving.imap_cursor import (
    PASSES_APART,
    Place,
    forget_beyond,
    forget_mails,
    is_recent,
    known_mails,
    read_cursor,
    write_cursor,
)
from intake.receiving.imap_desk import Desk, Tally
from intake.receiving.imap_fetch import Fetching
from intake.receiving.imap_folder import BATCH_MAILS, SIZES_AT_ONCE, Folder, FolderFault, Standing, batches
from intake.receiving.imap_ledger import Account
from intake.receiving.imap_policy import settle
from shared.models import Policy

logger = logging.getLogger(__name__)

RENEWED = (
    "The server has numbered the mails of the folder “{folder}” anew (UIDVALIDITY); it is gone through again, "
    "and what was taken in before makes no second article"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A connection to a mailbox. `is_over` says that nothing more may be taken in."""

    client: IMAPClient
    account: Account
    desk: Desk
    is_over: Callable[[], bool]


class FolderPass:
    """One pass. `run` raises FolderFault where this folder cannot be read, and what the connection raises."""

    def __init__(self, visit: Visit, name: str, tally: Tally) -> None:
        self._visit = visit
        self._desk = visit.desk
        self._account = visit.account
        self._tally = tally
        self._is_careful = visit.account.failures > 0
        self._folder = Folder(visit.client, name)
        self._place = Place(mailbox_id=visit.account.mailbox_id, folder=name, uidvalidity=self._folder.uidvalidity)
        self._fetching = Fetching(self._desk, self._account, self._folder, self._place)
        with self._desk.database.reading() as session:
            self._cursor = self._saved = read_cursor(session, self._place)
        self._was_put_back = is_recent(self._cursor.put_back_at, self._desk.clock())

    def run(self) -> int:
        """Take in all that is to be had; returns the highest UID that was looked at."""
        self._begin()
        self._go_back()
        self._settle_again()
        missing = self._cursor.missing
        if self._take(self._folder.uids_after(self._cursor.last_uid)):
            self._ask_again(missing | self._reconcile())
        self._save()
        return self._cursor.last_uid

    def _begin(self) -> None:
        """Go through the folder again where its UIDVALIDITY is another, but not again and again."""
        if self._account.policy is Policy.KEEP:
            self._cursor = replace(self._cursor, unsettled=frozenset())
        if not self._cursor.is_renewed:
            return
        now, last = self._desk.clock(), self._cursor.renewed_at
        if last is not None and is_recent(last, now):
            raise FolderFault(
                f"The server has numbered the mails of the folder “{self._place.folder}” anew twice within an hour "
                f"(UIDVALIDITY); it is gone through again at {last + PASSES_APART:%H:%M} UTC, nothing is lost"
            )
        self._cursor = replace(self._cursor, renewed_at=now, is_renewed=False)
        self._say(RENEWED.format(folder=self._place.folder))

    def _say(self, sentence: str) -> None:
        logger.warning("mailbox=%d: %s", self._place.mailbox_id, sentence)
        self._tally.note(sentence)

    def _go_back(self) -> None:
        """Where the server's mail was put back from a backup, later mails get UIDs that the ledger has.

        Those that are still to be given are forgotten; those that have been given are found by reconciling, now.
        Not again within the hour, since there are servers whose mails are others at each look.
        """
        database, place = self._desk.database, self._place
        last = None if self._was_put_back else reconcile.put_back_to(database, self._folder, place, self._cursor)
        if last is None:
            return
        self._note_put_back()
        self._cursor = self._cursor.back_to(last)
        with database.transaction() as session:
            forget_beyond(session, place, last)
            write_cursor(session, place, self._cursor)
        self._saved = self._cursor

    def _note_put_back(self) -> None:
        """Keep when the server was found to give UIDs for a second time, and say so, each once an hour."""
        now = self._desk.clock()
        if not is_recent(self._cursor.put_back_at, now):
            self._cursor = replace(self._cursor, put_back_at=now)
            said = "mailbox=%d: %s gives UIDs for a second time; it is not gone through for this again before %s UTC"
            logger.warning(said, self._place.mailbox_id, self._place.folder, f"{now + PASSES_APART:%H:%M}")

    def _take(self, uids: Iterable[int]) -> bool:
        """Take mails in, batch by batch; False where this was ended before its time."""
        for batch in self._batches(self._standings(iter(uids))):
            if self._visit.is_over():
                self._tally.is_behind = True
                return False
            self._step(batch)
        return True

    def _batches(self, standings: Iterator[Standing]) -> Iterator[list[Standing]]:
        """Batches; after a poll that failed the first mails one by one, since one of them may be why it failed."""
        if self._is_careful:
            yield from ([each] for each in islice(standings, BATCH_MAILS))
        yield from batches(standings)

    def _standings(self, uids: Iterator[int]) -> Iterator[Standing]:
        while part := list(islice(uids, SIZES_AT_ONCE)):
            yield from self._folder.standings(part)

    def _step(self, batch: list[Standing]) -> None:
        """Commit the mails, then the cursor, then apply the policy."""
        uids = {standing.uid for standing in batch}
        known = self._known(batch)
        wanted = [each for each in batch if each.uid not in known and not self._fetching.is_left_alone(each)]
        if self._is_careful and wanted:  # what breaks the connection now is passed over the next time
            self._move_cursor(uids, [each.uid for each in wanted], ())
        mails = self._fetching.mails(wanted)
        ids = self._desk.spool.accept_now(list(mails.values()))
        lost = self._folder.still_there([each.uid for each in wanted if each.uid not in mails])
        stored = known | {uid: not mail.notes for uid, mail in mails.items()}
        self._move_cursor(uids, lost, stored)
        new = sum(number is not None for number in ids)
        self._tally.stored += new
        self._tally.known += len(known) + len(ids) - new
        self._tally.skipped += len(batch) - len(known) - len(ids)
        self._settle(stored)

    def _known(self, standings: Sequence[Standing]) -> dict[int, bool]:
        """Which of these mails the ledger has, and whether whole and without doubt.

        What it has of others under their UIDs it forgets, but within the hour not for what the policy waits for.
        """
        with self._desk.database.reading() as session:
            known = known_mails(session, self._place, [each.uid for each in standings])
        compared = reconcile.compare(self._desk.database, self._folder, standings, known)
        others = compared.others - (self._cursor.unsettled if self._was_put_back else frozenset())
        doubtful = compared.doubtful | compared.others
        if others:
            self._note_put_back()
            with self._desk.database.transaction() as session:
                forget_mails(session, self._place, others)
        return {uid: mail.is_whole and uid not in doubtful for uid, mail in known.items() if uid not in others}

    def _move_cursor(self, uids: set[int], lost: list[int], stored: Collection[int]) -> None:
        pending = frozenset() if self._account.policy is Policy.KEEP else frozenset(stored)
        self._cursor = replace(
            self._cursor,
            last_uid=max(self._cursor.last_uid, *uids),
            missing=(self._cursor.missing - uids) | frozenset(lost),
            unsettled=self._cursor.unsettled | pending,
        )
        self._save()

    def _save(self) -> None:
        if self._cursor != self._saved:
            with self._desk.database.transaction() as session:
                write_cursor(session, self._place, self._cursor)
            self._saved = self._cursor

    # ------------------------------------------------------------------ what is missing

    def _reconcile(self) -> frozenset[int]:
        """Now and then compare all that the server holds with the ledger, and fetch what the ledger lacks."""
        now = self._desk.clock()
        if not reconcile.is_due(self._cursor, now):
            return frozenset()
        database, place, cursor = self._desk.database, self._place, self._cursor
        found = reconcile.lacking(database, self._folder, place, cursor, self._fetching.since)
        if self._account.from_now:
            standings = self._standings(iter(sorted(found)))
            found = frozenset(each.uid for each in standings if not self._fetching.is_left_alone(each))
        found |= reconcile.given_anew(database, self._folder, place, cursor.last_uid)
        if found:
            self._say(reconcile.said_of_found(len(found), place.folder))
        self._cursor = replace(cursor, missing=cursor.missing | found, reconciled_at=now)
        self._save()
        return found

    def _ask_again(self, uids: frozenset[int]) -> None:
        """Ask again for what is missing, as long as the server has it; say so where it does not hand it out.

        Not after a poll that failed: asking may be why it failed, and then no poll would come to its end.
        """
        there = self._folder.still_there(sorted(uids))
        self._cursor = replace(self._cursor, missing=self._cursor.missing - uids | frozenset(there))
        if not self._is_careful and not self._take(there):
            return
        if self._cursor.missing:
            self._tally.is_behind = self._tally.is_incomplete = True
            self._tally.note(reconcile.said_of_missing(sorted(self._cursor.missing), self._place.folder))

    # ------------------------------------------------------------------ what happens on the server

    def _settle_again(self) -> None:
        """Apply the policy to what is stored, but may have been left as it was; never to another mail in its place."""
        if not self._cursor.unsettled:
            return
        standings = list(self._standings(iter(sorted(self._cursor.unsettled))))
        stored = self._known(standings)
        others = frozenset(each.uid for each in standings) - frozenset(stored)
        self._cursor = replace(self._cursor, unsettled=frozenset(stored), missing=self._cursor.missing | others)
        self._settle(stored)

    def _settle(self, stored: Mapping[int, bool]) -> None:
        """Apply the policy, as far as we may; one in doubt or not stored whole is never moved or deleted."""
        account = self._account
        if account.policy is Policy.KEEP:
            return
        for policy, is_whole in ((account.policy, True), (Policy.SEEN, False)):
            uids = [uid for uid, whole in stored.items() if whole is is_whole]
            outcome = settle(self._visit.client, policy, account.move_to, uids)
            self._cursor = replace(self._cursor, unsettled=self._cursor.unsettled - outcome.uids)
            if outcome.refusal is not None:
                self._tally.is_unsettled = True
                why = sentence(outcome.refusal, account.server)
                self._tally.note(f"“{policy.value}” failed in the folder “{self._place.folder}”: {why}")
