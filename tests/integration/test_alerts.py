"""Alerts: told to the administrators once as they begin and once as they end, by mail and by post."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from intake.alert_posts import post_news
from intake.upkeep import keep_up
from shared import accounts
from shared.alerts import DISK, end_alert, locked_news, open_alerts, raise_alert
from shared.config import MAX_MINUTES, Settings
from shared.database import Database
from shared.mailbox_alarms import watch_mailboxes
from shared.mailbox_health import State, health_of
from shared.mailboxes import Change, NewMailbox, add_mailbox, change, ensure_desk_mailbox, find_mailbox, poll_soon
from shared.models import Alert, Delivery, DeliveryCause, Mailbox, Role, User
from shared.outbox import queue_notice
from shared.status import collect
from shared.tokens import Tokens
from tests.web_server import Request, Response, running_web_server

ADMIN = "jonas@desk.example"
SALES = "sales@desk.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings under which it is no fault that nobody sends the notices of these tests."""
    return settings.model_copy(update={"queue_alarm_minutes": MAX_MINUTES})


@pytest.fixture
def desk(database: Database, settings: Settings, now: datetime) -> Database:
    """A desk with an administrator and an agent."""
    with database.transaction() as session:
        for email, role in ((ADMIN, Role.ADMIN), ("mira@desk.example", Role.AGENT)):
            details = accounts.Details(email=email, name="", username=None, role=role, password_hash="x")
            accounts.create(session, details, now=now)
        ensure_desk_mailbox(session, settings.address, "Desk", now)
    return database


@pytest.fixture
def sales(desk: Database, tokens: Tokens, now: datetime) -> Database:
    """A desk that polls sales@ once a minute, and has just done so."""
    new = NewMailbox(address=SALES, imap_url="imaps://sales@imap.example.org", password="correct horse")
    with desk.transaction() as session:
        box = add_mailbox(session, tokens, new, now)
        box.last_poll_at = box.last_ok_at = now
    return desk


def mailbox(session: object) -> Mailbox:
    found = find_mailbox(session, SALES)  # type: ignore[arg-type]
    assert found is not None
    return found


def told(database: Database) -> list[tuple[str, str, list[str]]]:
    """The notices that were queued: to whom, by which mailbox, in which sentences."""
    with database.reading() as session:
        notices = session.scalars(select(Delivery).where(Delivery.cause == DeliveryCause.NOTICE).order_by(Delivery.id))
        return [(n.recipient, session.get_one(Mailbox, n.mailbox_id).address, n.context["sentences"]) for n in notices]


def said(database: Database) -> list[str]:
    return [sentence for _, _, sentences in told(database) for sentence in sentences]


def begun(database: Database, now: datetime) -> list[str]:
    with database.reading() as session:
        return [alert.sentence for alert in open_alerts(session, now)]


def test_a_mailbox_that_fails_for_long_is_told_by_the_desks_own_mailbox_to_administrators_alone(
    sales: Database, settings: Settings, now: datetime
) -> None:
    with sales.transaction() as session:
        box = mailbox(session)
        box.last_error, box.failing_since, box.failures = "imap.example.org:993 refused the password", now, 3
    keep_up(sales, settings, now + 14 * MINUTE)
    assert told(sales) == []
    for minutes in (15, 16, 17):
        keep_up(sales, settings, now + minutes * MINUTE)
    [(recipient, sender, [sentence])] = told(sales)
    assert (recipient, sender) == (ADMIN, settings.address)
    for words in (SALES, "21 November 2026, 08:30 UTC", "refused the password", f"letterdesk mailbox test {SALES}"):
        assert words in sentence


TROUBLES = {
    "incomplete_since": "Not all mail for sales@desk.example has come in since 21 November 2026, 08:30 UTC. So it is.",
    "unsettled_since": "All mail for sales@desk.example comes in, but since 21 November 2026, 08:30 UTC its server",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_mailbox_that_is_read_but_not_well_for_long_is_told_and_not_that_no_mail_comes_in(
    sales: Database, settings: Settings, now: datetime, trouble: str
) -> None:
    def poll_at(moment: datetime, **fields: object) -> None:
        with sales.transaction() as session:
            box = mailbox(session)
            box.last_poll_at = moment
            for name, value in fields.items():
                setattr(box, name, value)
        keep_up(sales, settings, moment)

    poll_at(now, last_error="So it is", **{trouble: now})
    poll_at(now + 14 * MINUTE)
    assert told(sales) == []
    poll_at(now + 15 * MINUTE)
    [sentence] = said(sales)
    assert sentence.startswith(TROUBLES[trouble])
    assert "So it is." in sentence
    assert "No mail" not in sentence
    poll_at(now + 16 * MINUTE, last_error=None, **{trouble: None})
    assert said(sales)[1:] == [f"{SALES} works again: its mail comes in."]


def test_a_mailbox_that_fails_a_moment_ago_says_what_has_been_wrong_for_long(sales: Database, now: datetime) -> None:
    with sales.reading() as session:
        box = mailbox(session)
        box.incomplete_since, box.failing_since = now - timedelta(hours=1), now - MINUTE
        lasting, later = health_of(box, now, 15), health_of(box, now + 15 * MINUTE, 15)
        box.incomplete_since = None
        beginning = health_of(box, now, 15)
        session.rollback()
    assert (lasting.state, lasting.since, lasting.is_lasting) == (State.INCOMPLETE, now - timedelta(hours=1), True)
    assert (later.state, later.since, later.is_lasting) == (State.FAILING, now - MINUTE, True)
    assert (beginning.state, beginning.is_lasting) == (State.FAILING, False)


def test_a_mailbox_that_works_again_is_told_once(sales: Database, settings: Settings, now: datetime) -> None:
    with sales.transaction() as session:
        mailbox(session).failing_since = now
    keep_up(sales, settings, now + 15 * MINUTE)
    with sales.transaction() as session:
        box = mailbox(session)
        box.failing_since, box.last_poll_at, box.last_ok_at = None, now + 16 * MINUTE, now + 16 * MINUTE
    for minutes in (17, 18):
        keep_up(sales, settings, now + minutes * MINUTE)
    assert said(sales)[1:] == [f"{SALES} works again: its mail comes in."]
    assert begun(sales, now + 18 * MINUTE) == []


def test_a_new_password_alone_does_not_say_that_it_works_again(
    sales: Database, settings: Settings, now: datetime
) -> None:
    with sales.transaction() as session:
        mailbox(session).failing_since = now
    keep_up(sales, settings, now + 15 * MINUTE)
    with sales.transaction() as session:
        poll_soon(mailbox(session))
    keep_up(sales, settings, now + 16 * MINUTE)
    assert len(begun(sales, now + 16 * MINUTE)) == len(said(sales)) == 1


def test_a_mailbox_that_nobody_polls_is_told_but_not_because_the_desk_was_off_for_the_night(
    sales: Database, settings: Settings, now: datetime
) -> None:
    morning = now + timedelta(hours=9)
    keep_up(sales, settings, morning)
    assert told(sales) == []
    keep_up(sales, settings, morning + 15 * MINUTE)
    assert "letterdesk intake" in said(sales)[0]


def test_a_mailbox_that_nobody_polls_because_the_disk_is_full_is_not_forgotten(
    sales: Database, settings: Settings, now: datetime
) -> None:
    with sales.transaction() as session:
        raise_alert(session, DISK, "The disk is full.", now)
    for minutes in (60, 90):
        keep_up(sales, settings, now + minutes * MINUTE)
    assert said(sales) == ["The disk is full."]


def test_a_mailbox_whose_poll_goes_on_for_hours_is_not_forgotten(
    sales: Database, settings: Settings, now: datetime
) -> None:
    for hours in (1, 2, 3):
        with sales.transaction() as session:
            mailbox(session).lease_until = now + timedelta(hours=hours, seconds=20)
        keep_up(sales, settings, now + timedelta(hours=hours))
    assert told(sales) == []


def test_a_mailbox_that_is_switched_off_is_not_watched(
    sales: Database, settings: Settings, tokens: Tokens, now: datetime
) -> None:
    with sales.transaction() as session:
        mailbox(session).failing_since = now
    keep_up(sales, settings, now + 15 * MINUTE)
    with sales.transaction() as session:
        change(mailbox(session), tokens, Change(active=False), desk_address=settings.address)
    keep_up(sales, settings, now + 16 * MINUTE)
    keep_up(sales, settings, now + timedelta(days=1))
    assert "switched off" in said(sales)[1]
    assert len(said(sales)) == 2


def test_the_end_of_a_password_is_told_14_3_and_1_days_ahead_and_when_it_has_come(
    sales: Database, settings: Settings, now: datetime
) -> None:
    ends = now + timedelta(days=20)
    with sales.transaction() as session:
        mailbox(session).secret_expires_at = ends
    counts = []
    for hours in range(0, 21 * 24, 6):
        moment = now + timedelta(hours=hours)
        with sales.transaction() as session:
            mailbox(session).last_poll_at = mailbox(session).last_ok_at = moment
        keep_up(sales, settings, moment)
        counts.append((len(said(sales)), (ends - moment) / timedelta(days=1)))
    told_at = [days for (count, days), (before, _) in zip(counts[1:], counts, strict=False) if count > before]
    assert told_at == [14, 3, 1, 0]
    assert ["ended" in sentence for sentence in said(sales)] == [False, False, False, True]
    assert all("11 December 2026" in s and f"letterdesk mailbox password {SALES}" in s for s in said(sales))


def test_what_comes_and_goes_is_told_once_an_hour_at_most(desk: Database, settings: Settings, now: datetime) -> None:
    for minutes in range(0, 120, 2):
        with desk.transaction() as session:
            raise_alert(session, "disk", "The disk is full.", now + minutes * MINUTE)
        keep_up(desk, settings, now + minutes * MINUTE)
        with desk.transaction() as session:
            end_alert(session, "disk", now + (minutes + 1) * MINUTE, "There is room again.")
        keep_up(desk, settings, now + (minutes + 1) * MINUTE)
    assert said(desk) == ["The disk is full.", "There is room again."] * 2


def test_what_began_before_it_was_noticed_says_so_and_is_news_when_it_comes_again(
    desk: Database, settings: Settings, now: datetime
) -> None:
    def fail(since: datetime, noticed: datetime) -> datetime:
        with desk.transaction() as session:
            return raise_alert(session, "disk", "The disk is full.", noticed, since=since).since

    assert fail(now - 15 * MINUTE, now) == now - 15 * MINUTE
    keep_up(desk, settings, now)
    with desk.transaction() as session:
        end_alert(session, "disk", now + 60 * MINUTE, "There is room again.")
    keep_up(desk, settings, now + 61 * MINUTE)
    assert fail(now + 60 * MINUTE, now + 150 * MINUTE) > now + 60 * MINUTE
    keep_up(desk, settings, now + 150 * MINUTE)
    assert said(desk) == ["The disk is full.", "There is room again.", "The disk is full."]


def test_mail_is_queued_while_the_mailboxes_are_watched(sales: Database, settings: Settings, now: datetime) -> None:
    if sales.is_sqlite:
        pytest.skip("only one transaction writes at a time")
    with sales.transaction() as watching, sales.transaction() as session:
        mailbox(watching).failing_since = now
        watch_mailboxes(watching, now + 20 * MINUTE, 15)
        session.execute(text("SET LOCAL lock_timeout = '5s'"))
        admin = session.scalars(select(User).where(User.role == Role.ADMIN)).one()
        box = mailbox(session)
        queued = queue_notice(session, admin, mailbox=box, headline="x", sentences=["y"], path="/mail", now=now)
        assert queued is not None
    assert len(begun(sales, now + 20 * MINUTE)) == 1


def test_what_somebody_changes_just_now_is_told_the_next_time(desk: Database, now: datetime) -> None:
    if desk.is_sqlite:
        pytest.skip("only one transaction writes at a time")
    with desk.transaction() as session:
        for key in ("disk", "outgoing"):
            raise_alert(session, key, "Something is wrong.", now)
    with desk.transaction() as watching, desk.transaction() as telling:
        raise_alert(watching, "disk", "It is still wrong.", now)
        telling.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert [alert.key for alert in locked_news(telling, now, Alert.told_at)] == ["outgoing"]


def test_what_was_noticed_by_a_clock_ahead_is_told_once(desk: Database, settings: Settings, now: datetime) -> None:
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", now + MINUTE)
    keep_up(desk, settings, now)
    keep_up(desk, settings, now + 90 * MINUTE)
    assert said(desk) == ["The disk is full."]


def test_a_clock_that_ran_ahead_and_was_set_right_silences_no_alarm(
    desk: Database, settings: Settings, now: datetime
) -> None:
    ahead = now + timedelta(days=30)
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", ahead)
    keep_up(desk, settings, ahead)
    with desk.transaction() as session:
        end_alert(session, "disk", now, "There is room again.")
    keep_up(desk, settings, now)
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full again.", now + 75 * MINUTE)
    keep_up(desk, settings, now + 75 * MINUTE)
    keep_up(desk, settings, now + 200 * MINUTE)

    assert said(desk) == ["The disk is full.", "There is room again.", "The disk is full again."]


def test_what_a_clock_that_ran_ahead_has_told_is_not_told_again(
    desk: Database, settings: Settings, now: datetime
) -> None:
    ahead = now + timedelta(days=30)
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", ahead)
    keep_up(desk, settings, ahead)
    for minutes in (0, 90, 180):
        with desk.transaction() as session:
            raise_alert(session, "disk", "The disk is full.", now + minutes * MINUTE)
        keep_up(desk, settings, now + minutes * MINUTE)

    assert said(desk) == ["The disk is full."]


def test_what_is_wrong_stands_in_the_status(desk: Database, now: datetime) -> None:
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", now)
        raise_alert(session, "cap", "Too much mail.", now, until=now + MINUTE)
    with desk.reading() as session:
        alerts = collect(session, now + MINUTE)["alerts"]
    assert alerts == [{"key": "disk", "sentence": "The disk is full.", "since": now.isoformat()}]


def test_alerts_are_posted_once_as_they_begin_and_once_as_they_end(
    desk: Database, settings: Settings, now: datetime
) -> None:
    with running_web_server(lambda _: Response(status=204, content=b"")) as server:
        posting = settings.model_copy(update={"alert_url": f"{server.url}/hook"})
        with desk.transaction() as session:
            raise_alert(session, "disk", "Die Platte ist voll.", now)
        counts = [post_news(desk, posting, now), post_news(desk, posting, now + MINUTE)]
        with desk.transaction() as session:
            end_alert(session, "disk", now + 2 * MINUTE, "There is room again.")
        counts += [post_news(desk, posting, now + 2 * MINUTE), post_news(desk, posting, now + 3 * MINUTE)]
    assert counts == [1, 0, 1, 0]
    first, second = (request.json for request in server.requests)
    assert first["text"] == "support@desk.example: Die Platte ist voll."
    assert first["alerts"][0] | {"key": "disk", "state": "open", "since": now.isoformat()} == first["alerts"][0]
    assert (second["alerts"][0]["state"], second["alerts"][0]["sentence"]) == ("ended", "There is room again.")


def test_a_post_that_fails_comes_again(desk: Database, settings: Settings, now: datetime) -> None:
    answers = iter(
        [Response(status=500), Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), Response()]
    )

    def answer(_: Request) -> Response:
        return next(answers)

    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", now)
    closed = settings.model_copy(update={"alert_url": "http://127.0.0.1:1/"})
    assert post_news(desk, closed, now) == 0
    with running_web_server(answer) as server:
        posting = settings.model_copy(update={"alert_url": server.url})
        assert [post_news(desk, posting, now + minutes * MINUTE) for minutes in (1, 2, 3, 4)] == [0, 0, 1, 0]
    assert len(server.requests) == 3


def test_what_ends_while_its_beginning_is_posted_is_posted_as_well(
    desk: Database, settings: Settings, now: datetime
) -> None:
    def answer(_: Request) -> Response:
        with desk.transaction() as session:  # by somebody whose clock is behind
            end_alert(session, "disk", now - timedelta(seconds=1), "There is room again.")
        return Response()

    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", now - MINUTE)
    with running_web_server(answer) as server:
        posting = settings.model_copy(update={"alert_url": server.url})
        assert [post_news(desk, posting, now + minutes * MINUTE) for minutes in (0, 1, 2)] == [1, 1, 0]
    assert [request.json["alerts"][0]["state"] for request in server.requests] == ["open", "ended"]


def test_what_one_process_posts_no_other_posts(desk: Database, settings: Settings, now: datetime) -> None:
    seconds: list[int] = []

    def answer(_: Request) -> Response:
        seconds.append(post_news(desk, posting, now))  # another process, while the first waits for the answer
        return Response()

    with running_web_server(answer) as server:
        posting = settings.model_copy(update={"alert_url": server.url})
        with desk.transaction() as session:
            raise_alert(session, "disk", "The disk is full.", now)
        assert post_news(desk, posting, now) == 1
    assert (seconds, len(server.requests)) == ([0], 1)


def test_without_an_alert_url_nothing_is_claimed(desk: Database, settings: Settings, now: datetime) -> None:
    with desk.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", now)
    assert post_news(desk, settings, now) == 0
    with desk.reading() as session:
        assert session.get_one(Alert, "disk").posting_until is None
