"""Servers that give UIDs for a second time, because their files were put back from a backup, and that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from intake.receiving.imap import poll
from intake.receiving.imap_reconcile import LATEST
from shared.database import Database
from shared.mailboxes import NewMailbox, reconcile_soon
from shared.models import InboundMessage, Mailbox, Policy
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import CONNECTED, DESK, content_of, imap_mailbox, mailbox_of, polling, stored

AFTER = CONNECTED + timedelta(days=1)
LATER = CONNECTED + timedelta(days=2)
REFUSED = "move:" + "x" * 150 + "/" * 20  # no server makes such a folder


def put(dovecot: Dovecot, *subjects: str, at: datetime = AFTER) -> None:
    with dovecot.client() as client:
        for subject in subjects:
            client.append("INBOX", f"Subject: {subject}\r\n\r\nText\r\n".encode(), msg_time=at)


def named(word: str, count: int) -> list[str]:
    """Subjects of mails that are all of one size."""
    return [f"{word:5} {number:03}" for number in range(count)]


def take_then_put_back(dovecot: Dovecot, take: Callable[[], object], copy: Path, lost: int = 5) -> list[str]:
    """Five mails are taken in, and `lost` more, which the server then knows nothing of; returns their subjects."""
    old, gone = named("old", 5), named("lost", lost)
    put(dovecot, *old)
    take()
    dovecot.back_up(copy)
    put(dovecot, *gone)
    take()
    dovecot.put_back(copy)
    return [*old, *gone]


def delete(dovecot: Dovecot, uids: list[int]) -> None:
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.delete_messages(uids)
        client.expunge(uids)


def subjects(database: Database) -> list[str]:
    return [content_of(row).split(b"\r\n")[0].decode().removeprefix("Subject: ") for row in stored(database)]


@pytest.mark.parametrize("policy", ["keep", "seen", "delete"])
def test_mail_that_comes_after_the_mail_store_was_put_back_is_taken_in(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path, policy: str
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=policy)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    put(dovecot, "one")
    poll(mailbox, desk)
    dovecot.back_up(tmp_path / "copy")
    put(dovecot, "second", "third one", "the fourth")
    poll(mailbox, desk)
    dovecot.put_back(tmp_path / "copy")
    put(dovecot, "another")
    assert (poll(mailbox, desk).stored, poll(mailbox, desk).stored) == (1, 0)
    put(dovecot, "yet another one")
    assert (poll(mailbox, desk).stored, poll(mailbox, desk).stored) == (1, 0)
    assert subjects(database) == ["one", "second", "third one", "the fourth", "another", "yet another one"]
    assert len(dovecot.uids()) == (0 if policy == "delete" else 3)


def test_a_policy_that_was_left_to_do_is_not_done_to_another_mail(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=REFUSED)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    put(dovecot, "one")
    dovecot.back_up(tmp_path / "copy")
    put(dovecot, "second", "third")
    assert "“move” failed" in (poll(mailbox, desk).note or "")
    dovecot.put_back(tmp_path / "copy")
    put(dovecot, "another")
    assert poll(mailbox, desk).stored == 1
    assert subjects(database)[-1] == "another"


@pytest.mark.parametrize("policy", ["keep", "seen", "delete"])
def test_mail_that_overtakes_the_cursor_after_the_mail_store_was_put_back_is_taken_in(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path, policy: str
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=policy)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    before = take_then_put_back(dovecot, lambda: poll(mailbox, desk), tmp_path / "copy")
    queued = named("new", 8)
    put(dovecot, *queued, at=LATER)
    result = poll(mailbox, desk)
    assert (result.stored, poll(mailbox, desk).stored) == (8, 0)
    assert "5 mails" in (result.note or "")
    assert sorted(subjects(database)) == sorted([*before, *queued])
    assert len(dovecot.uids()) == (0 if policy == "delete" else 13)
    assert len(dovecot.uids(criteria="UNSEEN")) == (13 if policy == "keep" else 0)


def test_a_delete_that_was_left_to_do_is_not_done_to_another_mail_under_the_same_uid(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=REFUSED)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    before = take_then_put_back(dovecot, lambda: poll(mailbox, desk), tmp_path / "copy")
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).policy = Policy.DELETE
    queued = named("new", 5)
    put(dovecot, *queued, at=LATER)
    assert poll(mailbox, desk).stored == 5
    assert sorted(subjects(database)) == sorted([*before, *queued])
    assert not dovecot.uids()


def test_a_store_that_was_put_back_is_noticed_also_where_the_latest_mail_is_gone(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    take_then_put_back(dovecot, lambda: poll(mailbox, desk), tmp_path / "copy")
    put(dovecot, *named("new", 6), at=LATER)
    delete(dovecot, [8, 9, 10])
    assert poll(mailbox, desk).stored == 3


def test_a_store_that_was_put_back_is_noticed_by_reconciling_where_all_late_mail_is_gone(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    take_then_put_back(dovecot, lambda: poll(mailbox, desk), tmp_path / "copy", lost=LATEST + 3)
    put(dovecot, *named("new", LATEST + 4), at=LATER)
    delete(dovecot, list(range(9, LATEST + 9)))
    assert poll(mailbox, desk).stored == 1
    with database.transaction() as session:
        reconcile_soon(session.get_one(Mailbox, mailbox))
    assert poll(mailbox, desk).stored == 3
    assert subjects(database)[-4:] == ["new   023", "new   000", "new   001", "new   002"]


def test_a_store_that_was_put_back_is_noticed_by_mail_that_an_older_version_took_in(
    database: Database, tokens: Tokens, dovecot: Dovecot, tmp_path: Path
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    take_then_put_back(dovecot, lambda: poll(mailbox, desk), tmp_path / "copy")
    with database.transaction() as session:
        session.execute(update(InboundMessage).values(told_size=None, internal_date=None))
    put(dovecot, *named("new", 8), at=datetime.now(UTC) + timedelta(hours=1))
    assert poll(mailbox, desk).stored == 8


def test_a_store_whose_files_were_copied_without_their_dates_is_known_again(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    put(dovecot, *named("old", 5))
    poll(mailbox, desk)
    dovecot.forget_dates(LATER)
    result = poll(mailbox, desk)
    assert (result.stored, result.known, result.note) == (0, 0, None)
    assert {row.internal_date for row in stored(database)} == {LATER}


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(b'RFC822.SIZE 8 INTERNALDATE "02-Mar-2026 12:00:%02d +0000"', id="dates change"),
        pytest.param(b'RFC822.SIZE 90%02d INTERNALDATE "02-Mar-2026 12:00:00 +0000"', id="sizes are guessed"),
    ],
)
def test_a_server_that_says_something_else_of_the_same_mail_is_not_gone_through_at_each_poll(
    database: Database, tokens: Tokens, standing: bytes
) -> None:
    fetched: list[bytes] = []

    def answer(line: bytes) -> bytes:
        fetched.append(line)
        section = b"BODY[]<0>" if b"<" in line else b"BODY[]"
        said = standing % len(fetched) if b"SIZE" in line else section + b" {8}\r\nA: b\r\n\r\n"
        return b"* 1 FETCH (UID 1 %s)\r\n%%(tag)s OK done\r\n" % said

    with bad_imap(answers=WELL | {b"FETCH": answer}) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://x@127.0.0.1:{port}/", password=PASSWORD)
        mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
        assert [poll(mailbox, desk).stored for _ in range(3)] == [1, 0, 0]
    assert len([line for line in fetched if b"BODY.PEEK[])" in line]) == 1


def test_a_server_that_is_wrong_about_its_next_uid_is_not_gone_through_again(
    database: Database, tokens: Tokens
) -> None:
    answers = {
        b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 1] x\r\n%(tag)s OK [READ-WRITE] done\r\n",
        b"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE 8 BODY[] {8}\r\nA: b\r\n\r\n)\r\n%(tag)s OK done\r\n",
    }
    with bad_imap(answers=WELL | answers) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://x@127.0.0.1:{port}/", password=PASSWORD)
        mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
        assert [poll(mailbox, desk).stored for _ in range(3)] == [1, 0, 0]


def test_a_mail_of_which_the_server_says_nothing_is_not_taken_for_an_empty_one_and_deleted(
    database: Database, tokens: Tokens
) -> None:
    said: list[bytes] = []

    def nothing(line: bytes) -> bytes:
        said.append(line)
        return b'* 1 FETCH (UID 1 BODY[] "")\r\n%(tag)s OK done\r\n' if b"BODY" in line else b"%(tag)s OK done\r\n"

    with bad_imap(answers=WELL | {b"FETCH": nothing, b"STORE": nothing}) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://x@127.0.0.1:{port}/", password=PASSWORD, policy="delete")
        mailbox = imap_mailbox(database, tokens, new)
        assert poll(mailbox, polling(database, tokens)).stored == 0
    assert not [line for line in said if b"STORE" in line]
    assert "does not hand out 1 mail in the folder “INBOX” (UID 1)" in (mailbox_of(database, mailbox).last_error or "")
