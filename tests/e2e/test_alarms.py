"""A mailbox whose password was changed: people are told by another way than the broken one, and when it is well."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.e2e.conftest import ADMIN
from tests.e2e.desk import ADDRESS, Client, Desk, running_desk, text_of

SALES = "sales@desk.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with running_dovecot() as running:
        yield running


def restart(desk: Desk) -> None:
    """Stop the desk and start it: what comes once a minute comes at once."""
    desk.stop()
    desk.start()


def alerts(desk: Desk) -> list[str]:
    return [alert["sentence"] for alert in desk.status()["alerts"]]


def metrics(desk: Desk) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{desk.ops_port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def test_a_mailbox_whose_password_was_changed_is_told_until_it_has_the_new_one(tmp_path: Path, server: Dovecot) -> None:
    account = server.fresh()
    with running_desk(tmp_path / "desk", MAILBOX_ALARM_MINUTES="0.001") as desk:
        desk.add_user(ADMIN, "admin")
        admin = Client(desk)
        admin.sign_in(ADMIN)
        added = ("mailbox", "add", SALES, "--imap", account.url, "--interval", "5", "--password-stdin")
        desk.done(*added, given="the old one\n")
        desk.until(lambda: "failing" in desk.done("mailbox", "list"), "The desk did not notice that it is refused")
        restart(desk)
        notice = desk.mail_to(ADMIN)
        assert ADDRESS in notice["From"]
        for told in (text_of(notice), admin.get("/tickets").text, " ".join(alerts(desk))):
            assert "refused the user name or the password" in told
            assert SALES in told
        assert "letterdesk_alerts 1.0" in metrics(desk)
        assert "refused the user name or the password" in admin.get("/mailboxes").text

        with account.client() as client:
            client.append("INBOX", b"From: anna@brightmill.example\r\nSubject: Kettle\r\n\r\nIt boils.\r\n")
        desk.done("mailbox", "password", SALES, "--password-stdin", given=f"{PASSWORD}\n")
        desk.settled(1)
        restart(desk)
        assert f"{SALES} works again" in text_of(desk.mail_to(ADMIN, 2))
        assert alerts(desk) == []
        assert "letterdesk_alerts 0.0" in metrics(desk)
        assert 'class="alarms"' not in admin.get("/tickets").text
