"""Polling a real Dovecot: everything once, oldest first, nothing marked as read, whatever happens between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from intake.receiving.imap import poll
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.models import FolderCursor
from shared.tokens import Tokens
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import CONNECTED, DESK, content_of, imap_mailbox, mailbox_of, polling, stored

BEFORE, AFTER = CONNECTED - timedelta(days=400), CONNECTED + timedelta(days=1)


def new_mailbox(dovecot: Dovecot) -> NewMailbox:
    return NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD)


def put(dovecot: Dovecot, numbers: range, at: datetime = AFTER, padding: int = 0) -> None:
    with dovecot.client() as client:
        for number in numbers:
            client.append("INBOX", mail(number, padding), msg_time=at)


def mail(number: int, padding: int = 0) -> bytes:
    line = b"From: anna@example.org\r\nSubject: Mail %d\r\n\r\nText\r\n" % number
    return line + b"x" * padding + (b"\r\n" if padding else b"")


def subjects(database: Database) -> list[int]:
    return [int(content_of(row).split(b"Subject: Mail ")[1].split(b"\r\n")[0]) for row in stored(database)]


def test_two_hundred_mails_are_taken_in_once_and_in_order(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    put(dovecot, range(200))
    mailbox = imap_mailbox(database, tokens, new_mailbox(dovecot))
    desk = polling(database, tokens)
    first, second = poll(mailbox, desk), poll(mailbox, desk)
    assert (first.stored, first.known, first.fault, first.note) == (200, 0, None, None)
    assert (second.stored, second.known, second.fault) == (0, 0, None)
    assert subjects(database) == list(range(200))
    row = stored(database)[0]
    assert (row.source, row.folder, row.uid, row.envelope_from, row.quiet) == ("imap", "INBOX", 1, None, False)
    assert content_of(row) == mail(0)
    assert dovecot.uids(criteria="UNSEEN") == list(range(1, 201))
    box = mailbox_of(database, mailbox)
    assert box.last_ok_at is not None
    assert (box.last_error, box.failures, box.lease_by, box.lease_until) == (None, 0, None, None)


def test_mail_that_a_person_has_read_is_taken_all_the_same(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    put(dovecot, range(3))
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.add_flags([1, 2], [b"\\Seen", b"\\Flagged"])
    poll(imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens))
    assert subjects(database) == [0, 1, 2]


def test_only_what_is_new_is_fetched_at_the_next_poll(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens)
    assert poll(mailbox, desk).stored == 0
    put(dovecot, range(2))
    assert poll(mailbox, desk).stored == 2
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([1])
        client.expunge()
    put(dovecot, range(2, 3))
    assert poll(mailbox, desk).stored == 1
    assert subjects(database) == [0, 1, 2]


def test_mail_from_before_the_connection_is_quiet(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    put(dovecot, range(2), at=BEFORE)
    put(dovecot, range(2, 4))
    poll(imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens))
    assert [row.quiet for row in stored(database)] == [True, True, False, False]


def test_from_now_leaves_old_mail_alone(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    put(dovecot, range(2), at=BEFORE)
    put(dovecot, range(2, 4))
    new = replace(new_mailbox(dovecot), from_now=True, policy="delete")
    result = poll(imap_mailbox(database, tokens, new), polling(database, tokens))
    assert (result.stored, result.skipped) == (2, 2)
    assert subjects(database) == [2, 3]
    assert dovecot.uids() == [1, 2]


def test_a_new_uidvalidity_is_said_and_goes_through_the_folder_again(
    database: Database, tokens: Tokens, dovecot: Dovecot, caplog: pytest.LogCaptureFixture
) -> None:
    put(dovecot, range(5))
    mailbox, desk = imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens)
    assert poll(mailbox, desk).stored == 5
    dovecot.replace_uidvalidity()
    put(dovecot, range(5, 6))
    again = poll(mailbox, desk)
    assert (again.stored, again.fault) == (6, None)  # fingerprints find the five again when they are processed
    said = "The server has numbered the mails of the folder “INBOX” anew (UIDVALIDITY); it is gone through again"
    assert (again.note or "").startswith(said)
    assert said in (mailbox_of(database, mailbox).last_error or "")
    assert said in caplog.text
    assert len({row.uidvalidity for row in stored(database)}) == 2
    last = poll(mailbox, desk)
    assert (last.stored, last.note) == (0, None)


def test_what_was_committed_before_the_cursor_is_not_taken_again(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    put(dovecot, range(5))
    mailbox, desk = imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens)
    poll(mailbox, desk)
    with database.transaction() as session:
        session.get_one(FolderCursor, (mailbox, "INBOX")).last_uid = 2
    result = poll(mailbox, desk)
    assert (result.stored, result.known) == (0, 3)
    assert subjects(database) == list(range(5))


def test_another_folder_can_be_polled(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    with dovecot.client() as client:
        client.create_folder("Büro & Co")
        client.append("Büro & Co", mail(7))
    put(dovecot, range(3))
    new = replace(new_mailbox(dovecot), folders=("Büro & Co",))
    poll(imap_mailbox(database, tokens, new), polling(database, tokens))
    assert subjects(database) == [7]


def test_a_mailbox_that_another_process_polls_is_left_alone(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    put(dovecot, range(1))
    mailbox, desk = imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens)
    with database.transaction() as session:
        box = mailbox_of(database, mailbox)
        session.add(box)
        box.lease_by, box.lease_until = "another", datetime.now(UTC) + timedelta(seconds=20)
    assert poll(mailbox, desk).polled is False
    later = replace(desk, clock=lambda: datetime.now(UTC) + timedelta(seconds=31))
    assert poll(mailbox, later).stored == 1
    assert mailbox_of(database, mailbox).lease_by is None


def test_a_stopping_desk_stops_between_two_steps_and_goes_on_later(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    put(dovecot, range(120))
    mailbox, desk = imap_mailbox(database, tokens, new_mailbox(dovecot)), polling(database, tokens)
    answers = iter([False, True])
    assert poll(mailbox, replace(desk, is_stopping=lambda: next(answers))).stored == 50
    assert poll(mailbox, desk).stored == 70
    assert subjects(database) == list(range(120))
