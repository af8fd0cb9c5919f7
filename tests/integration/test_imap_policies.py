"""What happens on the server to mail that is stored: only after the commit, and again when it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from intake.receiving.imap import poll
from intake.receiving.imap_policy import MOST_REFUSALS, settle
from shared.database import Database
from shared.mailboxes import NewMailbox
from shared.models import FolderCursor, Mailbox, Policy
from shared.tokens import Tokens
from tests.dovecot import PASSWORD, Dovecot
from tests.receiving import CONNECTED, DESK, imap_mailbox, mailbox_of, polling, stored


@pytest.fixture
def dovecot(dovecot: Dovecot) -> Dovecot:
    with dovecot.client() as client:
        for number in range(5):
            client.append("INBOX", b"Subject: %d\r\n\r\nText\r\n" % number)
    return dovecot


def mailbox_with(database: Database, tokens: Tokens, dovecot: Dovecot, policy: str, *, from_now: bool = False) -> int:
    new = NewMailbox(address=DESK, imap_url=dovecot.url, password=PASSWORD, policy=policy, from_now=from_now)
    return imap_mailbox(database, tokens, new)


def set_policy(database: Database, mailbox: int, policy: Policy, move_to: str | None) -> None:
    with database.transaction() as session:
        box = session.get_one(Mailbox, mailbox)
        box.policy, box.move_to = policy, move_to


def test_keep_leaves_everything_as_it_is(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    poll(mailbox_with(database, tokens, dovecot, "keep"), polling(database, tokens))
    assert dovecot.uids(criteria="UNSEEN") == [1, 2, 3, 4, 5]


def test_seen_marks_what_is_stored(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    poll(mailbox_with(database, tokens, dovecot, "seen"), polling(database, tokens))
    assert dovecot.uids(criteria="SEEN") == [1, 2, 3, 4, 5]


def test_seen_does_not_fight_with_a_person_who_marks_a_mail_as_unread(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, "seen"), polling(database, tokens)
    poll(mailbox, desk)
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.remove_flags([2], [b"\\Seen"])
    poll(mailbox, desk)
    assert dovecot.uids(criteria="UNSEEN") == [2]


def test_move_moves_into_a_folder_that_is_made(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    poll(mailbox_with(database, tokens, dovecot, "move:Done.2026"), polling(database, tokens))
    assert dovecot.uids() == []
    assert len(dovecot.uids("Done.2026")) == 5
    assert len(stored(database)) == 5


def mark_deleted(dovecot: Dovecot, *uids: int) -> None:
    """Do what a person's mail client does that has not expunged yet."""
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.delete_messages(uids)


@pytest.mark.parametrize("policy", ["delete", "move:Done", "seen", "keep"])
def test_a_policy_removes_no_mail_that_was_not_taken_in_though_a_person_marked_it_as_deleted(
    database: Database, tokens: Tokens, dovecot: Dovecot, policy: str
) -> None:
    with dovecot.client() as client:
        client.append("INBOX", b"Subject: old\r\n\r\nText\r\n", msg_time=CONNECTED - timedelta(days=1))
        client.append("INBOX", b"Subject: new\r\n\r\nText\r\n")
    mark_deleted(dovecot, 6)
    poll(mailbox_with(database, tokens, dovecot, policy, from_now=True), polling(database, tokens))
    assert len(stored(database)) == 6
    assert 6 in dovecot.uids(criteria="DELETED")
    assert dovecot.uids() == ([6] if policy in {"delete", "move:Done"} else [1, 2, 3, 4, 5, 6, 7])


def test_a_policy_that_failed_is_applied_at_the_next_poll_and_mail_is_taken_meanwhile(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, "move:Done"), polling(database, tokens)
    set_policy(database, mailbox, Policy.MOVE, "broken..name")
    failed = poll(mailbox, desk)
    assert (failed.stored, failed.fault) == (5, None)
    assert failed.note is not None
    assert "“move” failed" in failed.note
    box = mailbox_of(database, mailbox)
    assert (box.failures, box.failing_since, box.last_error) == (0, None, failed.note)
    assert box.unsettled_since is not None  # which is told when it lasts
    assert box.last_ok_at is not None  # all mail is stored
    assert unsettled(database, mailbox) == "1:5"
    assert len(dovecot.uids()) == 5
    set_policy(database, mailbox, Policy.MOVE, "Done")
    again = poll(mailbox, desk)
    assert (again.stored, again.note) == (0, None)
    assert (dovecot.uids(), len(dovecot.uids("Done"))) == ([], 5)
    assert mailbox_of(database, mailbox).unsettled_since is None
    assert unsettled(database, mailbox) == ""


def test_another_policy_leaves_alone_what_was_kept_before(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, "keep"), polling(database, tokens)
    poll(mailbox, desk)
    set_policy(database, mailbox, Policy.DELETE, None)
    with dovecot.client() as client:
        client.append("INBOX", b"Subject: new\r\n\r\nText\r\n")
    poll(mailbox, desk)
    assert dovecot.uids() == [1, 2, 3, 4, 5]


class OldServer(IMAPClient):
    """A client that believes its server knows neither MOVE nor UIDPLUS."""

    def has_capability(self, capability: str) -> bool:
        return capability not in {"MOVE", "UIDPLUS"} and bool(super().has_capability(capability))


def test_an_old_server_copies_and_marks_and_a_repeat_copies_nothing_twice(dovecot: Dovecot) -> None:
    with OldServer("127.0.0.1", dovecot.port, ssl=False, timeout=20) as client:
        client.login(dovecot.user, PASSWORD)
        client.select_folder("INBOX")
        settle(client, Policy.MOVE, "Done", [1, 2])
        settle(client, Policy.MOVE, "Done", [1, 2])
        settle(client, Policy.DELETE, None, [3])
    assert len(dovecot.uids("Done")) == 2
    assert dovecot.uids() == [1, 2, 3, 4, 5], "it cannot expunge these alone"
    assert dovecot.uids(criteria="UNDELETED") == [4, 5]


def test_a_poll_that_died_before_the_policy_is_made_good(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox, desk = mailbox_with(database, tokens, dovecot, "keep"), polling(database, tokens)
    poll(mailbox, desk)
    with database.transaction() as session:
        box = session.get_one(Mailbox, mailbox)
        box.policy = Policy.DELETE
        box.lease_by, box.lease_until = "dead", datetime(2026, 1, 1, tzinfo=UTC)
        session.get_one(FolderCursor, (mailbox, "INBOX")).unsettled = "2:4"
    assert poll(mailbox, replace(desk, owner="next")).fault is None
    assert dovecot.uids() == [1, 5]


class Refusing(IMAPClient):
    """A client whose server refuses to touch a mail."""

    refused = frozenset({3})

    def add_flags(self, messages: Sequence[int], flags: object, silent: bool = False) -> object:
        if self.refused.intersection(messages):
            raise IMAPClientError("NO that one is mine")
        return super().add_flags(messages, flags, silent)


def test_one_mail_that_the_server_refuses_to_touch_does_not_hold_up_the_others(dovecot: Dovecot) -> None:
    with Refusing("127.0.0.1", dovecot.port, ssl=False, timeout=20) as client:
        client.login(dovecot.user, PASSWORD)
        client.select_folder("INBOX")
        outcome = settle(client, Policy.DELETE, None, [1, 2, 3, 4, 5])
    assert outcome.uids == {1, 2, 4, 5}
    assert "that one is mine" in str(outcome.refusal)
    assert dovecot.uids() == [3]


def test_a_server_that_refuses_everything_is_not_asked_for_each_mail(dovecot: Dovecot) -> None:
    with Refusing("127.0.0.1", dovecot.port, ssl=False, timeout=20) as client:
        client.refused = frozenset(range(1, 2001))
        outcome = settle(client, Policy.SEEN, None, range(1, 2001))
    assert outcome.uids == set()
    assert outcome.refusals == MOST_REFUSALS // 4


def unsettled(database: Database, mailbox: int) -> str:
    with database.reading() as session:
        return session.get_one(FolderCursor, (mailbox, "INBOX")).unsettled
