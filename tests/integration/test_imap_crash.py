"""A poll that is killed in its middle: afterwards everything is there, and once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from intake.receiving.imap import poll
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.models import InboundMessage
from shared.tokens import Tokens
from tests.dovecot import PASSWORD, Dovecot
from tests.dying_poll import POINTS
from tests.receiving import DESK, content_of, imap_mailbox, polling, stored

ROOT = Path(__file__).parents[2]
KEY = "a key for the poll that dies"
MAILS = 200


@pytest.fixture
def dovecot(dovecot: Dovecot) -> Dovecot:
    with dovecot.client() as client:
        for number in range(MAILS):
            client.append("INBOX", b"Subject: Mail %d\r\n\r\n" % number + b"x" * 5000 + b"\r\n")
    return dovecot


def start_poll(database: Database, mailbox: int, point: str, ahead: int) -> subprocess.Popen[bytes]:
    url = database.url.render_as_string(hide_password=False)
    words = [sys.executable, "-m", "tests.dying_poll", url, str(mailbox), KEY, point, str(ahead)]
    return subprocess.Popen(words, cwd=ROOT)


def later(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def count(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(InboundMessage)) or 0


def assert_each_is_there_once(database: Database) -> None:
    assert [content_of(row)[:40].split(b"\r\n")[0] for row in stored(database)] == [
        b"Subject: Mail %d" % number for number in range(MAILS)
    ]


@pytest.mark.parametrize("point", POINTS[:-1])
def test_a_poll_killed_at_a_named_point_is_finished_by_the_next(
    database: Database, dovecot: Dovecot, point: str
) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy="delete")
    mailbox = imap_mailbox(database, Tokens(KEY), new)
    assert start_poll(database, mailbox, point, 0).wait(60) == -signal.SIGKILL
    assert count(database) == (100 if point == "before the commit" else 150)
    desk = polling(database, Tokens(KEY))
    assert poll(mailbox, desk).polled is False  # the dead one's lease has not run out
    result = poll(mailbox, replace(desk, clock=lambda: later(31)))
    assert result.fault is None
    assert_each_is_there_once(database)
    assert dovecot.uids() == []


def test_a_poll_killed_again_and_again_doubles_nothing(database: Database, dovecot: Dovecot) -> None:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy="move:Done")
    mailbox = imap_mailbox(database, Tokens(KEY), new)
    for life in range(4):
        before = count(database)
        child = start_poll(database, mailbox, "never", life * 60)
        while child.poll() is None and count(database) == before:
            time.sleep(0.01)
        child.kill()
        child.wait(60)
    result = poll(mailbox, replace(polling(database, Tokens(KEY)), clock=lambda: later(600)))
    assert result.fault is None
    assert_each_is_there_once(database)
    assert (dovecot.uids(), len(dovecot.uids("Done"))) == ([], MAILS)
