"""What people see and do when mail does not go out: alarms, the command `outbox`, and the buttons of the portal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from intake.outbox_commands import outbox as command
from shared import schema
from shared.alerts import open_alerts
from shared.config import Settings
from shared.database import Database
from shared.errors import UserError
from shared.models import Alert, Delivery, DeliveryState, Mailbox, Ticket, User
from shared.outgoing_alarms import watch_queue, watch_servers
from shared.tokens import Tokens
from tests.outgoing import Clock, SendingDesk
from tests.visitors import Visitor

MINUTES = 15


@pytest.fixture
def desk(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> SendingDesk:
    return SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(now))


def alarms(desk: SendingDesk) -> list[str]:
    """What the upkeep finds wrong now."""
    with desk.database.transaction() as session:
        watch_queue(session, desk.clock(), MINUTES)
        watch_servers(session, desk.tokens, desk.clock())
    with desk.database.reading() as session:
        return [alert.sentence for alert in open_alerts(session, desk.clock())]


def change(desk: SendingDesk, **values: object) -> None:
    with desk.database.transaction() as session:
        session.execute(update(Delivery).values(**values))


def test_a_queue_that_grows_old_raises_an_alarm_that_ends_when_it_is_young_again(desk: SendingDesk) -> None:
    desk.open_ticket()
    desk.clock.pass_by(minutes=MINUTES - 1)
    assert alarms(desk) == []
    desk.clock.pass_by(minutes=2)
    (said,) = alarms(desk)
    assert said == "1 mail waits to go out, the oldest since 21 November at 08:30 UTC. No try has been made yet."
    change(desk, state=DeliveryState.DEFERRED, last_error="The outgoing server said: 451 later")
    assert "The outgoing server said: 451 later" in alarms(desk)[0]
    change(desk, state=DeliveryState.SENT)
    assert alarms(desk) == []
    with desk.database.reading() as session:
        assert session.scalars(select(Alert)).one().sentence == "Mail goes out again: none waits for long."


def test_what_a_person_sends_again_after_days_raises_no_alarm_at_once(desk: SendingDesk) -> None:
    desk.open_ticket()
    desk.clock.pass_by(days=3)
    change(desk, state=DeliveryState.QUEUED, due_at=desk.clock())
    assert alarms(desk) == []


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNKNOWN])
def test_what_waits_for_a_person_is_no_old_queue(desk: SendingDesk, state: DeliveryState) -> None:
    desk.open_ticket()
    change(desk, state=state)
    desk.clock.pass_by(days=3)
    assert alarms(desk) == []


def test_a_server_of_a_mailbox_that_cannot_be_decrypted_is_an_alarm_until_it_is_set_again(desk: SendingDesk) -> None:
    desk.open_ticket(acknowledge=False)
    for secret, count in ((Tokens("another key, long enough").encrypt("smtp://x"), 1), (desk.tokens.encrypt("x"), 0)):
        with desk.database.transaction() as session:
            session.execute(update(Mailbox).values(outgoing_secret=secret))
        said = alarms(desk)
        assert len(said) == count
        assert all("Mail from support@desk.example does not go out" in sentence for sentence in said)


# ------------------------------------------------------------------ the command


@pytest.fixture
def run(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `letterdesk outbox …` on a desk with five mails, one in each state but queued."""
    url = f"sqlite:///{tmp_path / 'command.db'}"
    for name, value in (("DATABASE_URL", url), ("SECRET_KEY", settings.secret_key), ("DATA_DIR", str(tmp_path))):
        monkeypatch.setenv(f"LETTERDESK_{name}", value)
    database = Database(url)
    schema.migrate(database)
    now = datetime.fromisoformat("2026-11-21T08:30:00+00:00")
    made = SendingDesk(database=database, tokens=Tokens(settings.secret_key), settings=settings, clock=Clock(now))
    states = (DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.UNKNOWN, DeliveryState.SENT)
    for _ in states:
        made.open_ticket()
    with database.transaction() as session:
        for number, state in enumerate(states, 1):
            later = now + timedelta(days=9000)
            sent_at = now + timedelta(minutes=1) if state is DeliveryState.SENT else None
            session.execute(
                update(Delivery)
                .where(Delivery.id == number)
                .values(state=state, due_at=later, last_error=f"so {number}", sent_at=sent_at)
            )
    database.close()
    return lambda *arguments: CliRunner().invoke(command, list(arguments))


def test_the_list_names_what_did_not_go_out_and_why(run: Callable[..., Result]) -> None:
    said = run("list").output.splitlines()
    assert said[0].startswith(
        "3  unknown  anna@brightmill.example  acknowledgement ticket 3, 2026-11-21 08:30 UTC: so 3"
    )
    assert [line.split()[0] for line in said[:-1]] == ["3", "2", "1"]
    assert said[-1] == "0 queued, 0 sending, 1 sent, 1 deferred, 1 failed, 1 unknown"


def test_retry_all_sends_what_failed_and_waits_but_never_what_may_have_arrived(run: Callable[..., Result]) -> None:
    said = run("retry", "--all").output
    assert said == "2 mails are tried again.\n1 may have arrived; to send them again all the same, give --unknown.\n"
    assert run("list").output.endswith("1 queued, 0 sending, 1 sent, 1 deferred, 0 failed, 1 unknown\n")
    assert run("retry", "3").output.startswith("0 mails are tried again.")
    assert run("retry", "3", "--unknown").output == "1 mail is tried again.\n"


def test_retry_says_why_a_mail_that_was_named_does_not_go_out_again(run: Callable[..., Result]) -> None:
    sent = "Mail 4 was sent on 21 November 2026, 08:31 UTC."
    assert run("retry", "4", "--unknown").output.splitlines() == ["0 mails are tried again.", sent]
    assert run("retry", "1", "4").output.splitlines() == ["1 mail is tried again.", sent]
    assert run("retry", "1").output.splitlines() == ["0 mails are tried again.", "Mail 1 waits to go out already."]


def test_retry_of_a_mail_that_is_not_there_is_refused_and_nothing_is_done(run: Callable[..., Result]) -> None:
    before = run("list").output
    refused = run("retry", "1", "99").exception
    assert isinstance(refused, UserError)  # which ends the command with one sentence and exit status 1
    assert str(refused) == "There is no outgoing mail 99; nothing was done."
    assert run("list").output == before


def test_retry_wants_numbers_or_all(run: Callable[..., Result]) -> None:
    assert run("retry").exit_code == 2
    assert run("retry", "1", "--all").exit_code == 2


# ------------------------------------------------------------------ the portal


def test_the_mail_page_sends_all_again_that_failed_and_asks_before_what_may_have_arrived(
    portal: Visitor, agent: User, opened: Callable[..., Ticket], requester: User, database: Database
) -> None:
    states = (DeliveryState.FAILED, DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.DEFERRED)
    for number, state in enumerate(states, 1):
        opened(requester, "Printer", acknowledge=True)
        with database.transaction() as session:
            session.execute(update(Delivery).where(Delivery.id == number).values(state=state, last_error="so"))
    page = portal.sign_in(agent).get("/mail").text
    assert "Send all 2 again that failed" in page
    assert "Try 1 that waits now" in page
    assert (
        "Going out: 2 mails that failed." in portal.submit("/deliveries/failed/again", {}, follow_redirects=True).text
    )
    with database.transaction() as session:
        session.execute(update(Delivery).where(Delivery.id == 1).values(state=DeliveryState.FAILED))
    assert "Send the one again that failed" in portal.get("/mail").text
    assert (
        "Going out: 1 mail that waited" in portal.submit("/deliveries/deferred/again", {}, follow_redirects=True).text
    )
    assert "tick the box" in portal.submit("/deliveries/unknown/again", {}, follow_redirects=True).text
    with database.reading() as session:
        assert session.get_one(Delivery, 3).state is DeliveryState.UNKNOWN
    said = portal.submit("/deliveries/unknown/again", {"sure": "yes"}, follow_redirects=True).text
    assert "Going out: 1 mail whose fate was unknown." in said


def test_requesters_send_nothing_again(portal: Visitor, requester: User) -> None:
    portal.sign_in(requester)
    for which in ("failed", "deferred", "unknown"):
        assert portal.submit(f"/deliveries/{which}/again", {"sure": "yes"}).status_code == 403
