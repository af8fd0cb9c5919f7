"""What `letterdesk status` counts and says: where every mail is, what waits for how long, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from intake.reading import Stored
from intake.types import Arrival
from shared import inbound
from shared.alerts import raise_alert
from shared.commands import print_status
from shared.database import Database
from shared.models import InboundMessage, InboundState, Mailbox
from shared.status import collect
from shared.status_words import duration, in_words, which_desk
from shared.tokens import Tokens
from tests.mailroom import EVE, Mailroom, mail

SINCE = datetime(2026, 11, 18, 8, 30, tzinfo=UTC)


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def counted(desk: Mailroom) -> dict[str, Any]:
    with desk.database.reading() as session:
        return collect(session, desk.clock())


def broken(_: Stored) -> Arrival:
    raise RecursionError("too deep")


def quarantine(desk: Mailroom, content: bytes) -> None:
    """Let a mail fail until it is put aside."""
    (number,) = desk.put(content)
    while desk.row(number).state is InboundState.RECEIVED:
        desk.clock.moment = max(desk.clock(), desk.row(number).due_at)
        desk.work(broken)


def test_every_mail_is_counted_in_one_state_and_what_waits_has_its_age(desk: Mailroom) -> None:
    first = mail()
    desk.take(first)
    quarantine(desk, mail("poison"))
    desk.take(mail("Me too", sender=EVE, subject="Re: [#1] Fire"), envelope_from=EVE)
    desk.clock.advance(hours=3)
    desk.take(first)
    desk.put(mail("broken"))
    desk.work(broken)
    desk.clock.advance(minutes=2)

    counts = counted(desk)
    assert counts["inbound"] == {"received": 1, "processed": 1, "held": 1, "quarantined": 1, "discarded": 1}
    assert (counts["oldest_unprocessed_seconds"], counts["oldest_held_seconds"]) == (120.0, 3 * 3600 + 120.0)
    assert counts["retrying"] == 1
    words = "\n".join(in_words(counts))
    assert "1 received, 1 processed, 1 held, 1 quarantined, 1 discarded; the oldest unprocessed waits for 2 " in words
    assert "the oldest held for 3 hours; 1 failed and will be tried again" in words
    assert "Alarms     none" in words


def test_old_mail_that_is_read_again_does_not_look_like_mail_that_was_never_processed(desk: Mailroom) -> None:
    row = desk.take(mail())
    desk.clock.advance(days=100)
    with desk.database.transaction() as session:
        inbound.again(session, session.get_one(InboundMessage, row.id), actor=None, now=desk.clock())
    desk.clock.advance(seconds=1)

    assert counted(desk)["oldest_unprocessed_seconds"] == 1.0


def test_what_is_wrong_now_and_which_mailbox_fails_is_said(desk: Mailroom) -> None:
    with desk.database.transaction() as session:
        raise_alert(session, "disk", "The disk is nearly full.", desk.clock())
        box = session.get_one(Mailbox, desk.mailboxes["sales@desk.example"])
        box.imap_url, box.failing_since, box.last_error = "imaps://sales@imap.example", desk.clock(), "login refused"

    words = "\n".join(in_words(counted(desk)))
    assert "Alarms     The disk is nearly full. (since 2026-11-21 08:30 UTC)" in words
    assert "sales@desk.example, failing since 2026-11-21 08:30 UTC: login refused; no good poll yet" in words
    assert "support@desk.example, over SMTP" in words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "last good poll 3 days ago"),
        (
            {"incomplete_since": SINCE},
            "not all its mail comes in since 2026-11-18 08:30 UTC: so; last good poll 3 days",
        ),
        ({"unsettled_since": SINCE}, "its policy fails since 2026-11-18 08:30 UTC: so; last good poll 3 days"),
        ({"failing_since": SINCE, "is_active": False}, "switched off"),
    ],
)
def test_a_mailbox_that_is_polled_but_not_all_is_well_says_what_is_wrong_and_when_all_was_well(
    desk: Mailroom, fields: dict[str, object], words: str
) -> None:
    with desk.database.transaction() as session:
        box = session.get_one(Mailbox, desk.mailboxes["sales@desk.example"])
        box.imap_url, box.last_poll_at, box.last_ok_at = "imaps://sales@imap.example", desk.clock(), SINCE
        box.last_error = "so"
        for name, value in fields.items():
            setattr(box, name, value)

    assert f"sales@desk.example, {words}" in "\n".join(in_words(counted(desk)))


def test_what_is_wrong_with_a_mailbox_is_said_with_its_moment_once(desk: Mailroom) -> None:
    with desk.database.transaction() as session:
        raise_alert(session, "mailbox:2", "No mail has come in since 21 November.", desk.clock())

    assert "Alarms     No mail has come in since 21 November." in list(in_words(counted(desk)))


def test_the_desk_is_named_by_its_address_and_its_database_without_a_password() -> None:
    url = make_url("postgresql+psycopg://desk:geheim@db.example/desk?password=geheim")
    assert list(which_desk("support@desk.example", url, is_new=False)) == [
        "Desk       support@desk.example",
        "Database   postgresql+psycopg://desk:***@db.example/desk",
    ]


def test_status_in_a_folder_without_a_desk_says_that_it_made_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (CliRunner().invoke(print_status, []).output.splitlines()[1] for _ in range(2))
    assert second == f"Database   sqlite:///{tmp_path}/var/letterdesk.db"
    assert first == f"{second}; new: made just now, since there was none"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a second"), (1.9, "1 second"), (59, "59 seconds"), (3600, "1 hour"), (200000, "2 days")],
)
def test_a_length_of_time_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words
