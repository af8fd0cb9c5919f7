"""Servers that say something else of the same mails at each look: they make no mail come again and again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from intake.receiving.imap import Desk, poll
from shared.database import Database
from shared.mailboxes import NewMailbox, reconcile_soon
from shared.models import Mailbox, Policy
from shared.tokens import Tokens
from tests.bad_imap import FickleFolder, bad_imap, everything, nothing
from tests.dovecot import PASSWORD
from tests.receiving import CONNECTED, DESK, imap_mailbox, polling, stored

AFTER = CONNECTED + timedelta(days=30)
SAID = "gives UIDs for a second time"


@contextmanager
def connected(database: Database, tokens: Tokens, folder: FickleFolder, policy: str = "keep") -> Iterator[int]:
    with bad_imap(answers=folder.answers) as port:
        new = NewMailbox(address=DESK, imap_url=f"imap://x@127.0.0.1:{port}/", password=PASSWORD, policy=policy)
        yield imap_mailbox(database, tokens, new)


def stored_at(mailbox: int, desk: Desk, minutes: Iterable[int]) -> list[int]:
    """How many mails a poll stores at each of these minutes."""
    return [poll(mailbox, at(desk, minute)).stored for minute in minutes]


def at(desk: Desk, minute: int) -> Desk:
    moment = AFTER + timedelta(minutes=minute)
    return replace(desk, clock=lambda: moment)


def full_fetches(folder: FickleFolder) -> int:
    return sum(b"BODY.PEEK[])" in line for line in folder.lines)


def test_mails_whose_dates_change_and_whose_beginnings_are_refused_are_stored_once(
    database: Database, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    folder, desk = FickleFolder(refuses=everything), polling(database, tokens)
    day = 24 * 60
    with connected(database, tokens, folder) as mailbox:
        assert stored_at(mailbox, desk, [0, 1, 2, 3, 61, 62, day, 2 * day]) == [3, 0, 0, 0, 0, 0, 0, 0]
    assert (len(stored(database)), full_fetches(folder)) == (3, 1)
    assert SAID not in caplog.text


def test_mails_that_change_at_each_look_come_again_once_an_hour_at_most(
    database: Database, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    folder, desk = FickleFolder(is_changing=True), polling(database, tokens)
    with caplog.at_level(logging.WARNING), connected(database, tokens, folder) as mailbox:
        assert stored_at(mailbox, desk, [0, 1, 2, 10, 30, 50, 58, 59]) == [6, 0, 0, 0, 0, 0, 0, 0]
        assert caplog.text.count(SAID) == 1
        assert stored_at(mailbox, desk, [60, 61, 119, 120]) == [3, 0, 0, 3]
        assert caplog.text.count(SAID) == 3


def test_mails_that_change_while_their_policy_is_refused_come_again_once_an_hour_at_most(
    database: Database, tokens: Tokens
) -> None:
    folder, desk = FickleFolder(is_changing=True), polling(database, tokens)
    with connected(database, tokens, folder, "seen") as mailbox:
        assert stored_at(mailbox, desk, [0, 1, 2, 10, 30, 50, 58, 59]) == [6, 0, 0, 0, 0, 0, 0, 0]
        assert stored_at(mailbox, desk, [60, 61]) == [3, 0]


def test_a_mail_that_may_be_another_is_never_deleted(database: Database, tokens: Tokens) -> None:
    folder, desk = FickleFolder(refuses=everything), polling(database, tokens)
    with connected(database, tokens, folder, "seen") as mailbox:
        stored_at(mailbox, desk, [0])
        with database.transaction() as session:
            session.get_one(Mailbox, mailbox).policy = Policy.DELETE
        folder.lines.clear()
        stored_at(mailbox, desk, [1, 2])
    told = [line for line in folder.lines if b"STORE" in line]
    assert told
    assert not [line for line in told if b"SEEN" not in line.upper()]


def test_a_beginning_that_is_refused_hides_no_other_mail(database: Database, tokens: Tokens) -> None:
    folder, desk = FickleFolder(), polling(database, tokens)
    with connected(database, tokens, folder) as mailbox:
        assert stored_at(mailbox, desk, [0]) == [3]
        folder.is_changing, folder.refuses = True, lambda line: b"FETCH 1 " not in line and b"FETCH 3 " not in line
        assert stored_at(mailbox, desk, [1]) == [2]


def test_what_was_refused_is_compared_once_it_is_handed_out(database: Database, tokens: Tokens) -> None:
    folder, desk = FickleFolder(), polling(database, tokens)
    with connected(database, tokens, folder) as mailbox:
        assert stored_at(mailbox, desk, [0]) == [3]
        folder.is_changing, folder.refuses = True, everything
        assert stored_at(mailbox, desk, [1]) == [0]
        folder.refuses = nothing
        assert stored_at(mailbox, desk, [2]) == [3]


def test_all_can_be_compared_by_hand_within_the_hour(database: Database, tokens: Tokens) -> None:
    folder, desk = FickleFolder(is_changing=True), polling(database, tokens)
    with connected(database, tokens, folder) as mailbox:
        stored_at(mailbox, desk, [0])
        with database.transaction() as session:
            reconcile_soon(session.get_one(Mailbox, mailbox))
        assert stored_at(mailbox, desk, [1, 2]) == [3, 0]
