"""IDLE: mail is taken in as it comes; and whatever becomes of IDLE, the polls go on and nothing is a fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from imapclient import SocketTimeout

from intake.receiving.imap import Desk, PollResult, attend, poll
from intake.receiving.imap_connection import ImapFault, connected
from intake.receiving.imap_idle import wait_for_mail
from shared.database import Database
from shared.mailboxes import ImapServer, NewMailbox, Security
from shared.models import Mailbox, Policy
from shared.tokens import Tokens
from tests.bad_imap import IDLING, Answer, bad_imap
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import DESK, imap_mailbox, mailbox_of, polling, stored

ENOUGH = 20  # seconds after which a test gives up


def connect(
    database: Database, tokens: Tokens, url: str, poll_seconds: int = 3600, folders: tuple[str, ...] = ()
) -> int:
    new = NewMailbox(address=DESK, imap_url=url, password=PASSWORD, folders=folders)
    mailbox = imap_mailbox(database, tokens, new)
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).poll_seconds = poll_seconds
    return mailbox


def put(dovecot: Dovecot, subject: str, folder: str = "INBOX") -> None:
    with dovecot.client() as client:
        client.append(folder, f"Subject: {subject}\r\n\r\nText\r\n".encode())


def is_there(database: Database, mails: int) -> bool:
    return len(stored(database)) == mails


def until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + ENOUGH
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def attended(database: Database, mailbox: int, desk: Desk) -> Iterator[list[PollResult]]:
    """A mailbox that is attended in a thread, after the first pass; stopped at the end."""
    results: list[PollResult] = []
    stopping = threading.Event()
    staying = replace(desk, is_stopping=stopping.is_set)
    thread = threading.Thread(target=lambda: results.append(attend(mailbox, staying)), daemon=True)
    thread.start()
    try:
        until(lambda: mailbox_of(database, mailbox).last_poll_at is not None, "There was no first pass")
        yield results
    finally:
        stopping.set()
        thread.join(ENOUGH)
        assert not thread.is_alive()


def test_a_mail_is_taken_in_when_it_comes_and_not_at_the_next_poll(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox = connect(database, tokens, dovecot.url)
    with attended(database, mailbox, polling(database, tokens)) as results:
        assert stored(database) == []
        for number in range(3):
            put(dovecot, f"Mail {number}")
            until(partial(is_there, database, number + 1), "The mail was not taken in")
        box = mailbox_of(database, mailbox)
        assert box.lease_by == "test"
        assert results == []
    box = mailbox_of(database, mailbox)
    assert (box.lease_by, box.last_error, box.failures, box.failing_since) == (None, None, 0, None)
    assert [row.uid for row in stored(database)] == [1, 2, 3]
    assert results[0].fault is None


def test_other_folders_are_polled_on_the_same_connection(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    with dovecot.client() as client:
        client.create_folder("Other")
    mailbox = connect(database, tokens, dovecot.url, poll_seconds=1, folders=("INBOX", "Other"))
    with attended(database, mailbox, polling(database, tokens)):
        put(dovecot, "elsewhere", "Other")
        until(lambda: len(stored(database)) == 1, "The other folder was not polled")
        assert mailbox_of(database, mailbox).lease_by == "test"
    assert stored(database)[0].folder == "Other"


def test_a_policy_is_applied_to_mail_that_came_by_idle(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox = connect(database, tokens, dovecot.url)
    with database.transaction() as session:
        session.get_one(Mailbox, mailbox).policy = Policy.DELETE
    with attended(database, mailbox, polling(database, tokens)):
        put(dovecot, "one")
        until(lambda: dovecot.uids() == [] and is_there(database, 1), "The mail was not deleted")
    assert [row.uid for row in stored(database)] == [1]
    assert dovecot.uids() == []


@pytest.mark.parametrize("change", [{"is_active": False}, {"folders": ["INBOX", "Other"]}, {"imap_secret": "new"}])
def test_changed_settings_end_the_connection(
    database: Database, tokens: Tokens, dovecot: Dovecot, change: Mapping[str, object]
) -> None:
    mailbox = connect(database, tokens, dovecot.url)
    with attended(database, mailbox, polling(database, tokens)) as results:
        with database.transaction() as session:
            box = session.get_one(Mailbox, mailbox)
            for name, value in change.items():
                setattr(box, name, tokens.encrypt("another") if value == "new" else value)
        put(dovecot, "wakes the poll up")
        until(lambda: bool(results), "The old connection was kept")
    assert stored(database) == []
    assert mailbox_of(database, mailbox).failures == 0


BROKEN: dict[str, dict[bytes, Answer | None]] = {
    "has no IDLE": {b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n%(tag)s OK done\r\n"},
    "refuses IDLE": {b"IDLE": b"%(tag)s NO not today\r\n"},
    "hangs up at IDLE": {b"IDLE": None},
    "hangs up in IDLE": {b"IDLE": b"+ idling\r\n* BYE too long\r\n", b"DONE": None},
    "says garbage for IDLE": {b"IDLE": b"\xff\xfe\r\n"},
    "says garbage in IDLE": {b"IDLE": b"+ idling\r\n) \xff (\r\n"},
    "announces nonsense": {b"IDLE": b"+ idling\r\n* 1 EXISTS (((\r\n"},
    "refuses DONE": {b"DONE": b"%(tag)s BAD what\r\n"},
}


@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN.keys())
def test_where_idle_does_not_work_the_mailbox_is_polled_and_that_is_no_fault(
    database: Database, tokens: Tokens, bad: dict[bytes, Answer | None]
) -> None:
    answers = {word: answer for word, answer in (IDLING | bad).items() if answer is not None}
    with bad_imap(answers=answers) as port:
        mailbox = connect(database, tokens, f"imap://anna@127.0.0.1:{port}", poll_seconds=1)
        result = attend(mailbox, polling(database, tokens))
    assert (result.polled, result.fault) == (True, None)
    box = mailbox_of(database, mailbox)
    assert (box.failures, box.failing_since, box.last_error, box.lease_by) == (0, None, None, None)
    assert box.last_ok_at is not None


def test_a_server_that_never_says_anything_in_idle_is_polled_all_the_same(database: Database, tokens: Tokens) -> None:
    passes = []

    def select(line: bytes) -> bytes:
        passes.append(line)
        return b"* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n%(tag)s OK [READ-WRITE] done\r\n"

    with bad_imap(answers=IDLING | {b"SELECT": select}) as port:
        mailbox = connect(database, tokens, f"imap://anna@127.0.0.1:{port}", poll_seconds=1)
        desk = replace(polling(database, tokens), is_stopping=lambda: len(passes) > 6)
        assert attend(mailbox, desk).fault is None
    assert len(passes) > 6


def test_a_server_that_announces_mail_in_vain_is_listened_to_less_and_less(database: Database, tokens: Tokens) -> None:
    events: list[str] = []

    def select(_line: bytes) -> bytes:
        events.append("select")
        return b"* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n%(tag)s OK [READ-WRITE] done\r\n"

    with bad_imap(answers=IDLING | {b"SELECT": select, b"IDLE": b"+ idling\r\n* 1 EXISTS\r\n"}) as port:
        mailbox = connect(database, tokens, f"imap://anna@127.0.0.1:{port}")
        desk = replace(
            polling(database, tokens),
            sleep=lambda _seconds: events.append("sleep"),
            is_stopping=lambda: events.count("sleep") >= 30,
        )
        assert attend(mailbox, desk).fault is None
    pauses = [len(run) for run in "".join("s" if event == "sleep" else " " for event in events).split()]
    assert pauses == [2, 6, 14, 8]  # half a second each; the last one was cut short by the stop


@pytest.mark.parametrize("word", [b"IDLE", b"DONE"])
def test_idle_and_its_end_are_waited_for_only_so_long(word: bytes) -> None:
    with bad_imap(answers=IDLING | {word: b""}) as port:
        server = ImapServer(user="anna", host="127.0.0.1", port=port, security=Security.PLAIN)
        with pytest.raises(ImapFault, match="did not answer in time"):
            idle(server)


def idle(server: ImapServer) -> None:
    with connected(server, PASSWORD, timeout=SocketTimeout(connect=5, read=0.2)) as client:
        client.select_folder("INBOX")
        wait_for_mail(client, 0, lambda: False, patience=0.2)


def test_no_mail_is_fetched_while_the_disk_is_full(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    put(dovecot, "waits")
    mailbox = connect(database, tokens, dovecot.url)
    full = replace(polling(database, tokens), has_room=lambda: False)
    assert poll(mailbox, full).polled is False
    answers = iter([True, False])
    filling = poll(mailbox, replace(full, has_room=lambda: next(answers, False)))
    assert (filling.stored, filling.note) == (0, "The disk is almost full, so mail waits on its server")
    assert mailbox_of(database, mailbox).last_ok_at is None
    assert poll(mailbox, polling(database, tokens)).stored == 1
