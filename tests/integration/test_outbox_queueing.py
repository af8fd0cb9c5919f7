"""What is queued to be sent, and what the caps suppress, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from intake.pipeline import Pipeline
from shared import caps, outbox, tickets
from shared.alerts import open_alerts, raise_alert
from shared.caps import DEFAULT_CAPS, Caps
from shared.database import Database
from shared.models import (
    Alert,
    Article,
    Delivery,
    DeliveryCause,
    EventKind,
    InboundState,
    Mailbox,
    Role,
    Status,
    Ticket,
    User,
)
from shared.notices import tell_administrators
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, EVE, Mailroom, mail


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def test_a_reached_cap_suppresses_acknowledgements_says_so_on_the_ticket_and_resets_itself(desk: Mailroom) -> None:
    most = DEFAULT_CAPS.address_hour
    desk.put(*(mail(subject=f"Matter {n}") for n in range(most + 2)))
    desk.work()

    assert len(desk.every(Article)) == most + 2
    assert [delivery.ticket_id for delivery in desk.every(Delivery)] == list(range(1, most + 1))
    for number in (most + 1, most + 2):
        (event,) = desk.events(number, EventKind.CAPPED)
        until = datetime.fromisoformat(event.detail.pop("until"))
        assert until == desk.clock() + timedelta(hours=1)
        assert event.detail == {
            "suppressed": "acknowledgement",
            "cap": f"to {ANNA}",
            "within": "an hour",
            "most": most,
        }

    desk.clock.advance(hours=1, minutes=1)
    assert desk.take(mail(subject="Later")).state is InboundState.PROCESSED
    assert len(desk.every(Delivery)) == most + 1


def test_mail_of_a_clock_that_ran_ahead_fills_no_cap(desk: Mailroom) -> None:
    most = DEFAULT_CAPS.address_hour
    desk.clock.advance(days=30)
    desk.put(*(mail(subject=f"Matter {n}") for n in range(most + 1)))
    desk.work()
    desk.clock.advance(days=-30)
    desk.take(mail(subject="Set right"))

    assert len(desk.every(Delivery)) == most + 1


def test_all_plus_addresses_of_one_address_share_its_cap(desk: Mailroom) -> None:
    name, _, domain = ANNA.partition("@")
    for number in range(DEFAULT_CAPS.address_hour + 3):
        sender = f"{name.upper()}+{number}@{domain}"
        desk.put(mail(sender=sender, subject=f"Matter {number}"), envelope_from=sender)
    desk.work()

    assert len(desk.every(Article)) == DEFAULT_CAPS.address_hour + 3
    assert len(desk.every(Delivery)) == DEFAULT_CAPS.address_hour


def test_a_cap_for_one_address_leaves_the_others_alone(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}") for n in range(DEFAULT_CAPS.address_hour + 1)))
    desk.put(mail(sender=EVE), envelope_from=EVE)
    desk.work()

    assert desk.every(Delivery)[-1].recipient == EVE


def test_a_reply_goes_to_the_requester_and_the_copied_under_one_message_id_and_no_cap_stops_it(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}", to=f"{DESK}, {BOB}") for n in range(DEFAULT_CAPS.address_hour + 1)))
    desk.work()
    agent = desk.person("mira@desk.example", Role.AGENT)
    capped = DEFAULT_CAPS.address_hour + 1
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, capped)
        tickets.reply(session, ticket, author=agent, text="We come.", now=desk.clock(), tokens=desk.tokens)

    copies = [delivery for delivery in desk.every(Delivery) if delivery.cause is DeliveryCause.REPLY]
    assert [copy.recipient for copy in copies] == [ANNA, BOB]
    assert {copy.message_id for copy in copies} == {desk.articles(capped)[-1].message_id}
    assert desk.tokens.ticket_of_message_id(copies[0].message_id) == capped


def test_a_single_reply_to_of_the_requester_is_where_the_reply_goes(desk: Mailroom) -> None:
    desk.take(mail(headers={"Reply-To": "anna.home@elsewhere.example"}))
    agent = desk.person("mira@desk.example", Role.AGENT)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        tickets.reply(session, ticket, author=agent, text="We come.", now=desk.clock(), tokens=desk.tokens)

    assert desk.every(Delivery)[-1].recipient == "anna.home@elsewhere.example"


def test_what_is_rolled_back_queues_nothing(desk: Mailroom) -> None:
    desk.take(mail())
    admin = desk.person("jonas@desk.example", Role.ADMIN)

    def fail_late() -> None:
        with desk.database.transaction() as session:
            ticket = session.get_one(Ticket, 1)
            tickets.set_status(session, ticket, Status.RESOLVED, actor=admin, now=desk.clock(), tokens=desk.tokens)
            raise RuntimeError("the page failed")

    with pytest.raises(RuntimeError):
        fail_late()
    assert desk.ticket(1).status is Status.NEW
    assert [delivery.cause for delivery in desk.every(Delivery)] == [DeliveryCause.ACKNOWLEDGEMENT]


def test_whoever_writes_in_the_name_of_an_administrator_does_not_keep_alarms_from_them(desk: Mailroom) -> None:
    desk.person("jonas@desk.example", Role.ADMIN)
    desk.put(*(mail(sender="jonas@desk.example", subject=f"Matter {n}") for n in range(50)))
    desk.work()
    assert len(desk.every(Delivery)) == DEFAULT_CAPS.address_hour
    with desk.database.transaction() as session:
        raise_alert(session, "disk", "The disk is full.", desk.clock())
        assert tell_administrators(session, session.get_one(Mailbox, desk.mailboxes[DESK]), desk.clock()) == 1


def test_the_administrators_are_told_that_the_desk_is_flooded(desk: Mailroom) -> None:
    desk.person("jonas@desk.example", Role.ADMIN)
    few = Caps(desk_hour=10)
    desk.put(*(mail(sender=f"stranger{n}@brightmill.example", subject=f"Matter {n}") for n in range(12)))
    pipeline = Pipeline(desk.database, desk.tokens, desk.clock, caps=few)
    while pipeline.run_once():
        pass
    assert list(open_keys(desk)) == ["cap:desk"]
    with desk.database.transaction() as session:
        mailbox = session.get_one(Mailbox, desk.mailboxes[DESK])
        assert tell_administrators(session, mailbox, desk.clock(), few) == 1
    assert "10 automatic mails of the whole desk" in desk.every(Delivery)[-1].context["sentences"][0]


# ------------------------------------------------------------------ all automatic mail counts


def resolve(desk: Mailroom, number: int, status: Status) -> bool:
    jonas = desk.person("jonas@desk.example", Role.ADMIN).id
    with desk.database.transaction() as session:
        ticket, actor = session.get_one(Ticket, number), session.get_one(User, jonas)
        return tickets.set_status(session, ticket, status, actor=actor, now=desk.clock(), tokens=desk.tokens)


def tell(desk: Mailroom, user_id: int, ticket: int | None = None, *, is_urgent: bool = False) -> bool:
    with desk.database.transaction() as session:
        told = outbox.queue_notice(
            session,
            session.get_one(User, user_id),
            mailbox=session.get_one(Mailbox, desk.mailboxes[DESK]),
            headline="Something needs you",
            sentences=["Look."],
            path="/mail",
            ticket=session.get(Ticket, ticket) if ticket else None,
            now=desk.clock(),
            is_urgent=is_urgent,
        )
    return told is not None


def open_keys(desk: Mailroom) -> dict[str, datetime | None]:
    with desk.database.reading() as session:
        return {alert.key: alert.until for alert in open_alerts(session, desk.clock())}


def test_notices_of_a_status_count_and_keep_acknowledgements_back(desk: Mailroom) -> None:
    desk.take(mail())
    for status in (Status.OPEN, Status.PENDING, Status.RESOLVED, Status.OPEN):
        assert resolve(desk, 1, status)
    desk.take(mail(subject="Another matter"))

    assert [event.detail["suppressed"] for event in desk.events(2, EventKind.CAPPED)] == ["acknowledgement"]


def test_an_administrator_who_tidies_up_tells_everybody_up_to_four_times_the_cap(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}") for n in range(25)))
    desk.work()
    told = [resolve(desk, number, Status.RESOLVED) for number in range(1, 26)]

    assert told == [True] * 15 + [False] * 10, "with the five acknowledgements these are twenty mails to one address"
    assert desk.ticket(25).status is Status.RESOLVED
    assert [event.detail["suppressed"] for event in desk.events(25, EventKind.CAPPED)] == ["acknowledgement", "status"]


def test_notices_to_an_agent_are_capped_and_said_on_the_ticket_and_to_the_desk(desk: Mailroom) -> None:
    desk.take(mail())
    jonas = desk.person("jonas@desk.example", Role.ADMIN).id
    assert [tell(desk, jonas, ticket=1) for _ in range(6)] == [True] * 5 + [False]

    (event,) = desk.events(1, EventKind.CAPPED)
    assert (event.detail["suppressed"], event.detail["cap"]) == ("notice", "to jonas@desk.example")
    assert open_keys(desk) == {"cap:address:jonas@desk.example": desk.clock() + timedelta(hours=1)}


def test_the_cap_of_a_ticket_is_open_again_when_its_oldest_mail_is_a_day_old(desk: Mailroom) -> None:
    desk.take(mail())
    first = desk.clock()
    agents = [desk.person(f"agent{n}@desk.example", Role.AGENT).id for n in range(11)]
    for agent in agents[:9]:
        desk.clock.advance(hours=1)
        assert tell(desk, agent, ticket=1)
    assert not tell(desk, agents[9], ticket=1)

    (event,) = desk.events(1, EventKind.CAPPED)
    until = datetime.fromisoformat(event.detail["until"])
    assert until == first + timedelta(days=1)
    assert open_keys(desk) == {"cap:ticket:1": until}
    desk.clock.advance(hours=14, minutes=59)
    assert not tell(desk, agents[9], ticket=1)
    desk.clock.advance(minutes=1)
    assert tell(desk, agents[9], ticket=1)
    assert open_keys(desk) == {}
    assert not tell(desk, agents[10], ticket=1)


def test_many_who_queue_at_one_moment_keep_to_the_cap(desk: Mailroom) -> None:
    jonas = desk.person("jonas@desk.example", Role.ADMIN).id
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: tell(desk, jonas), range(16)))

    assert sum(told) == DEFAULT_CAPS.address_hour
    assert len(desk.every(Delivery)) == DEFAULT_CAPS.address_hour


def test_a_cap_of_nothing_sends_nothing_and_raises_no_alarm(desk: Mailroom) -> None:
    desk.take(mail())
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        none = Caps(ticket_day=0)
        assert outbox.queue_acknowledgement(session, ticket, tokens=desk.tokens, now=desk.clock(), caps=none) is None

    (event,) = desk.events(1, EventKind.CAPPED)
    assert (event.detail["most"], event.detail["until"]) == (0, None)
    assert open_keys(desk) == {}


def test_alerts_of_caps_are_forgotten_a_day_after_they_ended(desk: Mailroom) -> None:
    desk.put(*(mail(subject=f"Matter {n}") for n in range(6)))
    desk.work()
    for hours, left in ((24, 1), (2, 0)):
        desk.clock.advance(hours=hours)
        with desk.database.transaction() as session:
            caps.forget(session, desk.clock() - timedelta(days=1))
        assert len(desk.every(Alert)) == left


def test_the_administrators_are_told_of_all_that_is_wrong_in_one_mail_and_later_where_a_cap_forbids_it(
    desk: Mailroom,
) -> None:
    jonas = desk.person("jonas@desk.example", Role.ADMIN).id
    before = 4 * DEFAULT_CAPS.address_hour
    assert all(tell(desk, jonas, is_urgent=True) for _ in range(before))
    with desk.database.transaction() as session:
        mailbox = session.get_one(Mailbox, desk.mailboxes[DESK])
        for key in ("disk", "queue"):
            raise_alert(session, key, f"The {key} is full.", desk.clock())
        assert tell_administrators(session, mailbox, desk.clock()) == 0
    desk.clock.advance(hours=1)
    with desk.database.transaction() as session:
        mailbox = session.get_one(Mailbox, desk.mailboxes[DESK])
        assert tell_administrators(session, mailbox, desk.clock()) == 2

    told = desk.every(Delivery)[before:]
    assert [delivery.context["sentences"] for delivery in told] == [["The disk is full.", "The queue is full."]]
