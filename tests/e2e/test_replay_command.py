"""`letterdesk replay`, beside a running desk and without one."""

from __future__ import annotations

import sqlite3
from email.message import EmailMessage

import pytest
from click.testing import CliRunner

from intake.ledger_commands import replay
from tests.e2e.desk import ADDRESS, Desk

ANNA = "anna@brightmill.example"


def mail(text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = (
        ANNA,
        ADDRESS,
        "Fire",
        f"<{text}@x.example>",
    )
    message.set_content(text)
    return message.as_bytes()


def spoil(desk: Desk) -> None:
    """Let all articles look as if an older version had read them badly."""
    with sqlite3.connect(next(desk.home.rglob("letterdesk.db"))) as database:
        database.execute("UPDATE article SET text = '?', reply_text = ''")
    database.close()


def texts(desk: Desk) -> list[str]:
    with sqlite3.connect(next(desk.home.rglob("letterdesk.db"))) as database:
        found = [text for (text,) in database.execute("SELECT reply_text FROM article ORDER BY id")]
    database.close()
    return found


def test_mail_is_read_again_beside_a_running_desk_and_without_one(desk: Desk) -> None:
    for text in ("One", "Two", "Three"):
        desk.send(mail(text), ANNA)
    before = desk.settled(3)

    spoil(desk)
    assert desk.done("replay", "2") == "mail 2: read again: article 2 of ticket 2.\n"
    assert texts(desk) == ["", "Two", ""]
    assert desk.stop() == 0
    assert desk.done("replay", "--processed", "--from", "3") == "1 mail was read again.\n"
    assert texts(desk) == ["", "Two", "Three"]
    assert desk.done("replay", "--quarantined") == "No mail is quarantined.\n"
    unknown = desk.command("replay", "1", "7")
    assert (unknown.returncode, unknown.stderr) == (1, "letterdesk: There is no mail 7; nothing was done.\n")

    ages = {"oldest_undelivered_seconds", "mailboxes"}
    after = desk.status()
    assert {k: v for k, v in after.items() if k not in ages} == {k: v for k, v in before.items() if k not in ages}


@pytest.mark.parametrize(
    "wrong",
    [(), ("1", "--quarantined"), ("1", "--since", "2026-01-01"), ("0",), ("--processed", "--since", "x")],
    ids=str,
)
def test_wrong_usage_is_refused_before_anything_is_opened(wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(replay, wrong).exit_code == 2
