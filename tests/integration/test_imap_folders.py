"""Several folders: each for itself, and what is wrong with one stops no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from intake.receiving import imap_folder
from intake.receiving.imap import Desk, poll
from intake.receiving.imap_cursor import Cursor
from intake.receiving.imap_ledger import Ending, record_end
from intake.receiving.imap_reconcile import is_due
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.models import FolderCursor, InboundMessage, InboundRaw, Mailbox
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import CONNECTED, DESK, content_of, imap_mailbox, mailbox_of, polling, stored

FOLDERS = ("INBOX", "Orders", "Büro & Co")


@pytest.fixture
def dovecot(dovecot: Dovecot) -> Dovecot:
    """An account with three folders; two mails in each."""
    with dovecot.client() as client:
        for folder in FOLDERS:
            if folder != "INBOX":
                client.create_folder(folder)
            for number in range(2):
                client.append(folder, f"Subject: {folder} {number}\r\n\r\nText\r\n".encode(), msg_time=AFTER)
    return dovecot


AFTER = CONNECTED + timedelta(days=1)


def connect(
    database: Database, tokens: Tokens, dovecot: Dovecot, policy: str = "keep", *, from_now: bool = False
) -> int:
    new = NewMailbox(
        address=DESK, imap_url=dovecot.url, password=PASSWORD, folders=FOLDERS, policy=policy, from_now=from_now
    )
    return imap_mailbox(database, tokens, new)


def later(desk: Desk, **ahead: float) -> Desk:
    moment = datetime.now(UTC) + timedelta(**ahead)
    return replace(desk, clock=lambda: moment)


def places(database: Database) -> list[tuple[str | None, int | None]]:
    return [(row.folder, row.uid) for row in stored(database)]


def test_each_folder_is_taken_in_and_has_its_cursor(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = connect(database, tokens, dovecot, "move:Done"), polling(database, tokens)
    first, second = poll(mailbox, desk), poll(mailbox, desk)
    assert (first.stored, first.note, second.stored, second.known) == (6, None, 0, 0)
    assert places(database) == [(folder, uid) for folder in FOLDERS for uid in (1, 2)]
    assert [dovecot.uids(folder) for folder in FOLDERS] == [[], [], []]
    assert len(dovecot.uids("Done")) == 6


def test_a_folder_that_was_renamed_is_said_and_stops_no_other(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    poll(mailbox, desk)
    well = mailbox_of(database, mailbox).last_ok_at
    with dovecot.client() as client:
        client.rename_folder("Orders", "Old orders")
        client.append("Büro & Co", b"Subject: new\r\n\r\nText\r\n")
    result = poll(mailbox, desk)
    assert (result.stored, result.fault) == (1, None)
    assert result.note is not None
    assert "The folder “Orders” cannot be opened" in result.note
    assert "letterdesk mailbox set" in result.note
    box = mailbox_of(database, mailbox)
    assert (box.failures, box.last_error, box.last_ok_at) == (0, result.note, well)
    assert box.failing_since is None  # the others are read
    assert box.incomplete_since is not None
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).folders = ["INBOX", "Old orders", "Büro & Co"]
    again = poll(mailbox, desk)
    assert (again.stored, again.note) == (2, None)
    renamed = [content_of(row) for row in stored(database) if row.folder in {"Orders", "Old orders"}]
    assert renamed[:2] == renamed[2:]  # by their fingerprints they are known when they are processed
    assert mailbox_of(database, mailbox).incomplete_since is None


def test_a_pass_that_was_cut_short_or_failed_does_not_say_that_nothing_is_missing_any_more(
    database: Database, tokens: Tokens
) -> None:
    new = NewMailbox(address=DESK, imap_url="imaps://anna@imap.example.org", password=PASSWORD)
    mailbox = imap_mailbox(database, tokens, new)

    def end(minute: int, ending: Ending) -> datetime | None:
        with database.transaction() as session:
            record_end(session, mailbox, AFTER + timedelta(minutes=minute), ending)
            return session.get_one(Mailbox, mailbox).incomplete_since

    assert end(1, Ending(note="UID 7 is missing", is_behind=True, is_incomplete=True)) == AFTER + timedelta(minutes=1)
    assert end(2, Ending(is_behind=True)) == AFTER + timedelta(minutes=1)
    assert end(3, Ending(fault="It did not answer", is_behind=True)) == AFTER + timedelta(minutes=1)
    assert end(4, Ending()) is None


def test_since_when_a_mailbox_fails_is_never_later_than_now(database: Database, tokens: Tokens) -> None:
    new = NewMailbox(address=DESK, imap_url="imaps://anna@imap.example.org", password=PASSWORD)
    mailbox = imap_mailbox(database, tokens, new)
    fault = Ending(fault="It did not answer", is_behind=True, is_incomplete=True, is_unsettled=True)
    for moment in (AFTER + timedelta(days=30), AFTER, AFTER + timedelta(minutes=5)):  # the clock ran ahead at first
        with database.transaction() as session:
            record_end(session, mailbox, moment, fault)

    box = mailbox_of(database, mailbox)
    assert {box.failing_since, box.incomplete_since, box.unsettled_since} == {AFTER}


def test_where_no_folder_can_be_opened_the_poll_has_failed(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).folders = ["One", "Two"]
    result = poll(mailbox, desk)
    assert "The folder “One”" in (result.fault or "")
    assert "The folder “Two”" in (result.fault or "")
    assert mailbox_of(database, mailbox).failures == 1


def test_a_password_that_is_changed_is_said_and_all_is_well_when_it_is_right_again(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    for word in ("wrong", "still wrong"):
        with database.transaction() as session:
            session.get_one(Mailbox, mailbox).imap_secret = tokens.encrypt(word)
        fault = poll(mailbox, desk).fault or ""
        assert "refused the user name or the password" in fault
        assert fault.endswith(f"Where it was changed, give the new one: letterdesk mailbox password {DESK}")
    failing = mailbox_of(database, mailbox)
    assert failing.failures == 2
    assert failing.failing_since is not None
    assert failing.last_poll_at is not None
    assert failing.failing_since < failing.last_poll_at
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).imap_secret = tokens.encrypt(PASSWORD)
    assert poll(mailbox, desk).stored == 6
    box = mailbox_of(database, mailbox)
    assert (box.failures, box.failing_since, box.last_error) == (0, None, None)


def test_a_clock_that_was_set_back_holds_nothing_up(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    assert poll(mailbox, later(desk, days=400)).stored == 6
    with dovecot.client() as client:
        client.append("INBOX", b"Subject: new\r\n\r\nText\r\n")
    assert poll(mailbox, desk).stored == 1
    box = mailbox_of(database, mailbox)
    assert box.last_ok_at is not None
    assert box.last_ok_at < datetime.now(UTC)


# ------------------------------------------------------------------ reconciliation


def forget(database: Database, folder: str, uid: int) -> None:
    """Lose a mail as a database does that is put back from a backup."""
    with database.transaction() as session:
        row = next(row for row in session.query(InboundMessage) if (row.folder, row.uid) == (folder, uid))
        session.execute(delete(InboundRaw).where(InboundRaw.inbound_id == row.id))
        session.execute(delete(InboundMessage).where(InboundMessage.id == row.id))


def test_what_the_ledger_has_lost_is_found_within_a_day_and_fetched_once(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    poll(mailbox, desk)
    forget(database, "Orders", 1)
    assert poll(mailbox, later(desk, hours=23)).stored == 0
    found = poll(mailbox, later(desk, hours=25))
    assert found.stored == 1
    assert found.note == "1 mail in the folder “Orders” was not in the ledger and is fetched now"
    assert mailbox_of(database, mailbox).last_error == found.note
    after = poll(mailbox, later(desk, hours=50))
    assert (after.stored, after.known, after.note) == (0, 0, None)
    assert sorted(places(database)) == sorted((folder, uid) for folder in FOLDERS for uid in (1, 2))


def test_a_cursor_that_is_too_far_ahead_costs_no_mail_and_the_policy_is_applied(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = connect(database, tokens, dovecot, "delete"), polling(database, tokens)
    poll(mailbox, desk)
    with dovecot.client() as client:
        client.append("INBOX", b"Subject: passed over\r\n\r\nText\r\n")
    with database.transaction() as session:
        session.get_one(FolderCursor, (mailbox, "INBOX")).last_uid = 3
    assert poll(mailbox, desk).stored == 0
    assert poll(mailbox, later(desk, hours=25)).stored == 1
    assert dovecot.uids() == []


def test_reconciling_leaves_alone_what_is_from_before_the_connection(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    with dovecot.client() as client:
        for days in (1, 400):
            client.append("INBOX", b"Subject: old\r\n\r\nText\r\n", msg_time=CONNECTED - timedelta(days=days))
    mailbox, desk = connect(database, tokens, dovecot, from_now=True), polling(database, tokens)
    assert poll(mailbox, desk).stored == 6
    forget(database, "INBOX", 2)
    found = poll(mailbox, later(desk, hours=25))
    assert found.stored == 1
    assert poll(mailbox, later(desk, hours=50)).note is None
    assert ("INBOX", 3) not in places(database)


def test_a_large_folder_is_compared_piece_by_piece(
    database: Database, tokens: Tokens, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_folder, "SEARCH_WINDOW", 7)
    with dovecot.client() as client:
        for number in range(30):
            client.append("INBOX", b"Subject: %d\r\n\r\nText\r\n" % number, msg_time=AFTER)
    mailbox, desk = connect(database, tokens, dovecot), polling(database, tokens)
    assert poll(mailbox, desk).stored == 36
    for uid in (1, 7, 8, 31, 32):
        forget(database, "INBOX", uid)
    assert poll(mailbox, later(desk, hours=25)).stored == 5
    assert len(set(places(database))) == len(places(database)) == 36


def test_a_folder_is_compared_each_day_and_where_the_clock_was_set_back() -> None:
    assert is_due(Cursor(), CONNECTED)
    assert not is_due(Cursor(reconciled_at=CONNECTED), CONNECTED + timedelta(hours=23))
    assert is_due(Cursor(reconciled_at=CONNECTED), CONNECTED + timedelta(hours=24))
    assert is_due(Cursor(reconciled_at=CONNECTED), CONNECTED - timedelta(hours=1))


# ------------------------------------------------------------------ UIDVALIDITY


def test_a_folder_that_is_numbered_anew_keeps_its_policy(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = connect(database, tokens, dovecot, "delete"), polling(database, tokens)
    poll(mailbox, desk)
    with dovecot.client() as client:
        client.append("INBOX", b"Subject: new\r\n\r\nText\r\n")
    with database.transaction() as session:
        cursor = session.get_one(FolderCursor, (mailbox, "INBOX"))
        cursor.uidvalidity, cursor.unsettled, cursor.missing = 1, "1:100", "5"
    result = poll(mailbox, desk)
    assert result.stored == 1
    assert "has numbered the mails of the folder “INBOX” anew" in (result.note or "")
    assert dovecot.uids() == []


def test_a_server_with_another_uidvalidity_each_time_makes_no_loop(database: Database, tokens: Tokens) -> None:
    selects: list[bytes] = []

    def select(line: bytes) -> bytes:
        selects.append(line)
        return (
            b"* 1 EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT 2] x\r\n" % len(selects)
            + b"%(tag)s OK [READ-WRITE] done\r\n"
        )

    listed = b"* 1 FETCH (UID 1 RFC822.SIZE 9 %s BODY[] {9}\r\nSubject:2)\r\n"
    answers = WELL | {
        b"SELECT": select,
        b"FETCH": listed % b'INTERNALDATE "01-Apr-2026 10:00:00 +0000"' + b"%(tag)s OK done\r\n",
    }
    with bad_imap(answers=answers) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://anna@127.0.0.1:{port}", password=PASSWORD)
        mailbox = imap_mailbox(database, tokens, new)
        desk = polling(database, tokens)
        first, second, *others = [poll(mailbox, later(desk, minutes=minutes)) for minutes in range(0, 60, 6)]
        assert (first.stored, second.stored, {each.stored for each in others}) == (1, 1, {0})
        assert "numbered the mails of the folder “INBOX” anew" in (others[-1].fault or "")
        assert poll(mailbox, later(desk, minutes=67)).stored == 1
