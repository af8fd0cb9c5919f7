"""Mail of ours that comes back: where it is noted, who is told, and which address gets no automatic mail any more."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from shared import deliveries, people, returned, tickets
from shared.alerts import open_alerts
from shared.database import Database
from shared.models import (
    Address,
    Article,
    Delivery,
    DeliveryCause,
    DeliveryState,
    EventKind,
    InboundState,
    Role,
    Status,
    Ticket,
    User,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, BOB, DESK, EVE, Mailroom, mail, report

JONAS = "jonas@desk.example"
MIRA = "mira@desk.example"


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def reply(desk: Mailroom) -> None:
    """Jonas answers ticket 1, and all mail of ours is sent."""
    jonas = desk.person(JONAS, Role.ADMIN).id
    with desk.database.transaction() as session:
        author = session.get_one(User, jonas)
        ticket = session.get_one(Ticket, 1)
        tickets.reply(session, ticket, author=author, text="We come.", now=desk.clock(), tokens=desk.tokens)
        for delivery in session.scalars(select(Delivery)):
            delivery.state = DeliveryState.SENT


def answered(desk: Mailroom) -> list[Delivery]:
    """A ticket of Anna's, Bob in copy, that was answered to both: [acknowledgement, to Anna, to Bob], all sent."""
    desk.take(mail(to=f"{DESK}, {BOB}"))
    reply(desk)
    return desk.every(Delivery)


def back(desk: Mailroom, copy: Delivery) -> str:
    """The envelope sender of a copy, where its bounces go."""
    return f"support+{desk.tokens.bounce_suffix(copy.id)}@desk.example"


def come_back(desk: Mailroom, copy: Delivery, recipient: str, **options: str) -> None:
    """Take in a bounce that was sent to the copy's own envelope sender."""
    to = back(desk, copy)
    desk.take(report(copy.message_id, recipient, to=to, **options), to=to, envelope_from="")


def bounced(desk: Mailroom) -> list[str]:
    return [delivery.recipient for delivery in desk.every(Delivery) if delivery.bounced_at is not None]


def notices(desk: Mailroom) -> list[Delivery]:
    return [delivery for delivery in desk.every(Delivery) if delivery.cause is DeliveryCause.NOTICE]


def suspended(desk: Mailroom) -> dict[str, str | None]:
    return {address.key: address.suspended_why for address in desk.every(Address) if address.suspended_at is not None}


def alerts(desk: Mailroom) -> list[str]:
    with desk.database.reading() as session:
        return [alert.key for alert in open_alerts(session, desk.clock())]


# ------------------------------------------------------------------ where it is noted


def test_a_bounce_to_the_signed_envelope_sender_is_recorded_on_that_delivery(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    row = desk.take(report("unknown@elsewhere.example", BOB, to=back(desk, to_bob)), to=back(desk, to_bob))

    assert (row.state, row.action, row.ticket_number) == (InboundState.PROCESSED, "record_bounce", 1)
    assert bounced(desk) == [BOB]
    with desk.database.reading() as session:
        failed = session.get_one(Delivery, to_bob.id)
    assert failed.state is DeliveryState.FAILED
    assert "unknown user" in (failed.last_error or "")


def test_a_bounce_that_names_our_message_id_is_recorded_on_the_copy_to_that_recipient(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    desk.take(report(to_bob.message_id, BOB.upper()), envelope_from="")

    assert bounced(desk) == [BOB]
    (event,) = desk.events(1, EventKind.BOUNCED)
    assert (event.detail["recipient"], event.detail["status"], event.detail["action"]) == (BOB, "5.1.1", "failed")


def test_a_bounce_makes_no_article_and_no_ticket(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    articles = len(desk.every(Article))
    come_back(desk, to_bob, BOB)

    assert len(desk.every(Article)) == articles
    assert len(desk.every(Ticket)) == 1


def test_a_delay_is_noted_once_and_fails_nothing(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    for _ in range(2):
        come_back(desk, to_bob, BOB, action="delayed")

    assert [delivery.state for delivery in desk.every(Delivery)] == [DeliveryState.SENT] * 3
    assert [event.detail["action"] for event in desk.events(1, EventKind.BOUNCED)] == ["delayed"]
    assert suspended(desk) == {}


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.SENDING])
def test_a_forged_bounce_of_a_copy_that_still_waits_does_not_keep_it_from_going_out(
    desk: Mailroom, state: DeliveryState
) -> None:
    to_bob = answered(desk)[-1]
    with desk.database.transaction() as session:
        session.get_one(Delivery, to_bob.id).state = state
    desk.take(report(to_bob.message_id, BOB), envelope_from="")

    assert desk.every(Delivery)[-1].state is state
    assert (bounced(desk), desk.events(1, EventKind.BOUNCED), suspended(desk)) == ([], [], {})


def test_a_bounce_that_comes_before_the_sending_is_noted_leaves_the_copy_in_nobodys_hands(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    with desk.database.transaction() as session:
        copy = session.get_one(Delivery, to_bob.id)
        copy.state, copy.handed_over_at = DeliveryState.SENDING, desk.clock()
        copy.lease_by, copy.lease_until = "a worker", desk.clock()
    desk.take(report(to_bob.message_id, BOB), envelope_from="")

    (returned_copy,) = [delivery for delivery in desk.every(Delivery) if delivery.id == to_bob.id]
    assert returned_copy.state is DeliveryState.FAILED
    assert (returned_copy.lease_by, returned_copy.lease_until) == (None, None)


def test_a_bounce_of_nothing_that_we_sent_is_kept_and_opens_nothing(desk: Mailroom) -> None:
    row = desk.take(report("unknown@elsewhere.example", BOB), envelope_from="")

    assert (row.state, row.action, row.kind) == (InboundState.PROCESSED, "record_bounce", "bounce")
    assert desk.every(Ticket) == []
    assert desk.every(Delivery) == []


def test_a_bounce_that_returns_our_whole_mail_with_its_loop_mark_is_a_bounce(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    mark = desk.tokens.loop_mark(DESK)
    whole = report(to_bob.message_id, BOB).replace(
        b"Subject: Re: The", f"X-Letterdesk-Loop: {mark}\r\nSubject: Re: The".encode()
    )
    assert desk.take(whole, envelope_from="").action == "record_bounce"
    assert bounced(desk) == [BOB]


# ------------------------------------------------------------------ who is told


def test_the_author_of_the_reply_is_told_once(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    for _ in range(3):
        come_back(desk, to_bob, BOB)

    (notice,) = notices(desk)
    assert (notice.recipient, notice.ticket_id) == (JONAS, 1)
    assert notice.context["path"] == f"/tickets/1#a{to_bob.article_id}"
    assert any("unknown user" in sentence for sentence in notice.context["sentences"])
    assert len(desk.events(1, EventKind.BOUNCED)) == 1


def test_what_comes_back_after_it_was_sent_again_is_told_again(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    come_back(desk, to_bob, BOB)
    with desk.database.transaction() as session:
        again = session.get_one(Delivery, to_bob.id)
        again.state, again.bounced_at = DeliveryState.SENT, None
    come_back(desk, to_bob, BOB)

    assert len(notices(desk)) == 2


def test_where_the_author_is_gone_the_assignee_is_told(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    mira = desk.person(MIRA, Role.AGENT)
    with desk.database.transaction() as session:
        session.get_one(Ticket, 1).assignee_id = mira.id
        author = people.user_of_address(session, JONAS)
        assert author
        author.disabled_at = desk.clock()
    come_back(desk, to_bob, BOB)

    assert [notice.recipient for notice in notices(desk)] == [MIRA]


def test_the_address_that_bounced_is_never_written_to_because_of_it(desk: Mailroom) -> None:
    desk.take(mail(sender=JONAS))
    reply(desk)
    come_back(desk, desk.every(Delivery)[-1], JONAS)

    assert notices(desk) == []
    assert alerts(desk) == ["returned:ticket:1"]


def test_an_agent_to_whom_the_mail_was_forwarded_in_vain_is_not_written_to(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    come_back(desk, to_bob, JONAS)

    assert bounced(desk) == [BOB]
    assert notices(desk) == []


def test_a_bounce_of_a_notice_is_shown_and_told_to_nobody_by_mail(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    come_back(desk, to_bob, BOB)
    (notice,) = notices(desk)
    with desk.database.transaction() as session:
        session.get_one(Delivery, notice.id).state = DeliveryState.SENT
    desk.take(report(notice.message_id, JONAS), envelope_from="")

    assert len(notices(desk)) == 1
    assert alerts(desk) == [f"returned:{JONAS}"]
    assert suspended(desk) == {BOB: "550 5.1.1 unknown user"}


def test_a_bounce_of_an_acknowledgement_is_shown_and_told_to_nobody_by_mail(desk: Mailroom) -> None:
    acknowledgement = answered(desk)[0]
    desk.take(report(acknowledgement.message_id, ANNA), envelope_from="")

    assert bounced(desk) == [ANNA]
    assert notices(desk) == []
    assert alerts(desk) == ["returned:automatic"]


def test_what_our_own_server_refuses_for_good_is_noted_and_told_like_a_bounce(desk: Mailroom) -> None:
    to_bob = answered(desk)[-1]
    with desk.database.transaction() as session:
        refused = session.get_one(Delivery, to_bob.id)
        refused.state, refused.last_error = DeliveryState.FAILED, "550 no such domain"
        returned.not_sent(session, refused, desk.clock())

    (event,) = desk.events(1, EventKind.NOT_SENT)
    assert event.detail == {"recipient": BOB, "diagnostic": "550 no such domain"}
    assert [notice.recipient for notice in notices(desk)] == [JONAS]
    assert suspended(desk) == {}


# ------------------------------------------------------------------ suspended addresses


def test_a_proven_permanent_failure_keeps_automatic_mail_away_and_lets_replies_go(desk: Mailroom) -> None:
    to_anna = answered(desk)[1]
    come_back(desk, to_anna, ANNA)
    assert suspended(desk) == {ANNA: "550 5.1.1 unknown user"}
    (event,) = desk.events(1, EventKind.SUSPENDED)
    assert event.detail == {"address": ANNA, "diagnostic": "550 5.1.1 unknown user"}

    known = len(desk.every(Delivery))
    desk.take(mail("I am here", subject="Another matter"))
    jonas = desk.person(JONAS, Role.ADMIN)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 2)
        wanted = Status.PENDING
        told = tickets.set_status(session, ticket, wanted, actor=jonas, now=desk.clock(), tokens=desk.tokens)
        assert not told
        tickets.reply(session, ticket, author=jonas, text="Are you?", now=desk.clock(), tokens=desk.tokens)
    assert [(copy.cause, copy.recipient) for copy in desk.every(Delivery)[known:]] == [(DeliveryCause.REPLY, ANNA)]
    assert set(suspended(desk)) == {ANNA}, "mail that says it comes from there may be forged"


def test_automatic_mail_to_a_suspended_address_goes_again_only_where_it_is_named(desk: Mailroom) -> None:
    acknowledgement, to_anna, _ = answered(desk)
    come_back(desk, to_anna, ANNA)
    with desk.database.transaction() as session:
        session.get_one(Delivery, acknowledgement.id).state = DeliveryState.FAILED
        assert deliveries.retry_failed(session, desk.clock()) == 1
        queued = select(Delivery.id).where(Delivery.state == DeliveryState.QUEUED, Delivery.recipient == ANNA)
        assert session.scalars(queued).all() == [to_anna.id], "a person's reply may try"
        assert deliveries.retry_failed(session, desk.clock(), [acknowledgement.id]) == 1


def test_a_person_takes_a_suspension_back(desk: Mailroom) -> None:
    to_anna = answered(desk)[1]
    come_back(desk, to_anna, ANNA)
    jonas = desk.person(JONAS, Role.ADMIN)
    with desk.database.transaction() as session:
        address = session.get_one(Address, ANNA)
        assert returned.resume(session, address, actor=session.get_one(User, jonas.id), now=desk.clock())
        assert not returned.resume(session, address, actor=session.get_one(User, jonas.id), now=desk.clock())

    assert suspended(desk) == {}
    (event,) = desk.events(1, EventKind.RESUMED)
    assert (event.detail, event.actor_id) == ({"address": ANNA}, jonas.id)
    desk.take(mail("Again", subject="Another matter"))
    assert desk.every(Delivery)[-1].cause is DeliveryCause.ACKNOWLEDGEMENT


@pytest.mark.parametrize("case", ["no token", "another's token", "wrong recipient", "delay", "forged token"])
def test_what_is_not_proven_or_not_permanent_suspends_nothing(desk: Mailroom, case: str) -> None:
    _, to_anna, to_bob = answered(desk)
    forged = Tokens("another secret key altogether").bounce_suffix(to_anna.id)
    to = {
        "no token": DESK,
        "another's token": back(desk, to_bob),
        "forged token": f"support+{forged}@desk.example",
    }.get(case, back(desk, to_anna))
    recipient = EVE if case == "wrong recipient" else ANNA
    action = "delayed" if case == "delay" else "failed"
    desk.take(report(to_anna.message_id, recipient, to=to, action=action), to=to, envelope_from="")

    assert suspended(desk) == {}
    assert desk.events(1, EventKind.SUSPENDED) == []


def test_an_address_that_belongs_to_nobody_is_not_suspended(desk: Mailroom) -> None:
    desk.take(mail(headers={"Reply-To": "anna.home@elsewhere.example"}))
    reply(desk)
    come_back(desk, desk.every(Delivery)[-1], "anna.home@elsewhere.example")

    assert bounced(desk) == ["anna.home@elsewhere.example"]
    assert suspended(desk) == {}
