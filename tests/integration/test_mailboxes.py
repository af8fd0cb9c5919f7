"""Mailboxes in the database: added once, connected later, their secrets unreadable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from intake.receiving.spool import Spool
from shared.database import Database
from shared.mailboxes import (
    MailboxError,
    NewMailbox,
    add_mailbox,
    connect,
    ensure_desk_mailbox,
    find_mailbox,
    list_mailboxes,
    set_secret,
)
from shared.models import FolderCursor, Policy
from shared.tokens import Tokens
from tests.receiving import CONNECTED, DESK, raw_mail, stored

SALES = NewMailbox(
    address="Sales@desk.example",
    imap_url="imaps://sales@imap.example.org/Incoming",
    password="correct horse",
    policy="move:Done",
    from_now=True,
)


def test_the_desks_own_mailbox_is_made_once(database: Database) -> None:
    with database.transaction() as session:
        first = ensure_desk_mailbox(session, DESK, "Desk", CONNECTED)
        again = ensure_desk_mailbox(session, DESK.upper(), "Other", CONNECTED)
        assert first.id == again.id
        assert (again.address, again.name, again.plus) == (DESK, "Desk", True)


def test_an_imap_mailbox_keeps_its_password_encrypted(database: Database, tokens: Tokens) -> None:
    with database.transaction() as session:
        add_mailbox(session, tokens, SALES, CONNECTED)
    with database.reading() as session:
        [box] = list_mailboxes(session)
        assert box.imap_secret is not None
        assert "correct horse" not in box.imap_secret
        assert tokens.decrypt(box.imap_secret) == "correct horse"
        assert (box.folders, box.policy, box.move_to) == (["Incoming"], Policy.MOVE, "Done")
        assert (box.from_now, box.connected_at, box.plus, box.poll_seconds) == (True, CONNECTED, False, 60)


def test_an_address_is_a_mailbox_only_once_whatever_its_case(database: Database, tokens: Tokens) -> None:
    with database.transaction() as session:
        add_mailbox(session, tokens, SALES, CONNECTED)
    with (
        database.transaction() as session,
        pytest.raises(MailboxError, match=r"There is a mailbox Sales@desk\.example"),
    ):
        add_mailbox(session, tokens, replace(SALES, address="sales@DESK.example"), CONNECTED)


def test_the_desks_own_mailbox_can_be_connected_to_a_server(database: Database, tokens: Tokens) -> None:
    with database.transaction() as session:
        desk = ensure_desk_mailbox(session, DESK, "Desk", CONNECTED)
        connected = add_mailbox(session, tokens, replace(SALES, address=DESK, plus=True), CONNECTED)
        assert (connected.id, connected.name, connected.plus) == (desk.id, "Desk", True)
        assert connected.imap_url == SALES.imap_url


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SALES, address="no address"),
        replace(SALES, password=None),
        replace(SALES, password=""),
        replace(SALES, poll_seconds=1),
        replace(SALES, policy="move:Incoming"),
        replace(SALES, imap_url="imap://"),
    ],
)
def test_a_wrong_mailbox_is_refused_and_not_stored(database: Database, tokens: Tokens, wrong: NewMailbox) -> None:
    with database.transaction() as session, pytest.raises(MailboxError):
        add_mailbox(session, tokens, wrong, CONNECTED)
    with database.reading() as session:
        assert list_mailboxes(session) == []


def test_another_password_is_tried_at_once(database: Database, tokens: Tokens) -> None:
    with database.transaction() as session:
        box = add_mailbox(session, tokens, SALES, CONNECTED)
        box.last_poll_at, box.failures = CONNECTED, 5
        set_secret(box, tokens, "battery staple")
    with database.transaction() as session:
        found = find_mailbox(session, "SALES@desk.example")
        assert found is not None
        assert tokens.decrypt(found.imap_secret or "") == "battery staple"
        assert (found.last_poll_at, found.failures) == (None, 0)
        with pytest.raises(MailboxError):
            set_secret(found, tokens, "")


def test_another_server_forgets_the_positions_of_the_first_and_keeps_its_mail(
    database: Database, tokens: Tokens
) -> None:
    with database.transaction() as session:
        box = add_mailbox(session, tokens, SALES, CONNECTED)
        session.add(FolderCursor(mailbox_id=box.id, folder="Incoming", uidvalidity=7, last_uid=5))
    spool, same = Spool(database), raw_mail(box.id, uid=1)
    assert spool.accept_now([same]) != [None]
    for url, known in (("imaps://sales@imap.example.org:1993", True), ("imaps://sales@other.example", False)):
        with database.transaction() as session:
            found = find_mailbox(session, SALES.address)
            assert found is not None
            connect(session, found, tokens, replace(SALES, imap_url=url), CONNECTED)
            assert bool(found.cursors) is known
        assert (spool.accept_now([same]) == [None]) is known
    assert len(stored(database)) == 2
