"""A mailbox that is polled by a desk which dies in the middle of it: every mail once, none twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.e2e.desk import ADDRESS, Desk, mail, running_desk

MAILS = 200
WORDS = "It boils and boils, and nobody knows why it does not stop.\n" * 300


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with running_dovecot() as running:
        yield running


@pytest.fixture
def mailbox(server: Dovecot) -> Dovecot:
    """An account with 200 mails by as many people."""
    account = server.fresh()
    with account.client() as client:
        client.create_folder("Archive")
        for number in range(MAILS):
            sender = f"person{number}@brightmill.example"
            client.append("INBOX", mail(sender, f"Kettle {number}", WORDS, Message_ID=f"<{number}@brightmill.example>"))
    return account


def connect(desk: Desk, mailbox: Dovecot, policy: str) -> None:
    desk.done(
        *("mailbox", "add", ADDRESS, "--imap", mailbox.url, "--password-stdin"),
        *("--policy", policy, "--interval", "10"),
        given=f"{PASSWORD}\n",
    )


def stored(desk: Desk) -> int:
    """How many mails the desk has taken in, read without asking the desk."""
    with closing(sqlite3.connect(f"file:{desk.home}/var/letterdesk.db?mode=ro", uri=True, timeout=30)) as database:
        return int(database.execute("SELECT count(*) FROM inbound_message").fetchone()[0])


@pytest.mark.crash
@pytest.mark.parametrize("policy", ["keep", "move:Archive"])
def test_a_desk_that_is_killed_while_it_polls_has_every_mail_once_in_the_end(
    tmp_path: Path, mailbox: Dovecot, policy: str
) -> None:
    with running_desk(tmp_path / "desk") as desk:
        connect(desk, mailbox, policy)
        desk.until(lambda: stored(desk) > 0, "No mail was fetched")
        desk.kill()
        assert stored(desk) > 0  # on a fast machine perhaps all: the points between are killed at in test_imap_crash
        desk.start()
        counts = desk.settled(MAILS)
        assert counts["inbound"]["processed"] == sum(counts["inbound"].values()) == MAILS
        assert counts["articles"] == sum(counts["tickets"].values()) == MAILS
        if policy == "keep":
            assert len(mailbox.uids()) == MAILS
        else:
            desk.until(lambda: len(mailbox.uids("Archive")) == MAILS, "Not every mail was moved")
            assert mailbox.uids() == []
