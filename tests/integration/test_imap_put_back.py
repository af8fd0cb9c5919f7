"""Servers that give UIDs for a second time, because their files were put back from a backup, and that say nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from intake.receiving.imap import poll
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import CONNECTED, DESK, content_of, imap_mailbox, mailbox_of, polling, stored

AFTER = CONNECTED + timedelta(days=1)


def put(dovecot: Dovecot, *subjects: str) -> None:
    with dovecot.client() as client:
        for subject in subjects:
            client.append("INBOX", f"Subject: {subject}\r\n\r\nText\r\n".encode(), msg_time=AFTER)


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
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy="move:" + "x" * 150 + "/" * 20)
    mailbox, desk = imap_mailbox(database, tokens, new), polling(database, tokens)
    put(dovecot, "one")
    dovecot.back_up(tmp_path / "copy")
    put(dovecot, "second", "third")
    assert "“move” failed" in (poll(mailbox, desk).note or "")
    dovecot.put_back(tmp_path / "copy")
    put(dovecot, "another")
    assert poll(mailbox, desk).stored == 1
    assert subjects(database)[-1] == "another"


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
