"""Stored mail that is processed again: nothing is doubled, nobody is mailed, links stay good; on both databases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, inspect
from sqlalchemy.exc import IntegrityError

from intake.reading import Reader, Stored, read
from intake.replaying import QUARANTINED, Fate, Replay, ReplayError, processed
from intake.types import Arrival, Kind
from shared import inbound, ticket_properties, tickets
from shared.database import Base, Database
from shared.models import (
    Article,
    Attachment,
    Delivery,
    DeliveryState,
    Event,
    Fingerprint,
    InboundMessage,
    InboundRaw,
    InboundState,
    MessageRef,
    Participant,
    Role,
    Ticket,
    User,
)
from shared.tokens import Tokens
from tests.mailroom import ANNA, EVE, Mailroom, mail, report

FILES = """--b\r
Content-Type: text/plain\r
\r
Please look at these.\r
--b\r
Content-Type: text/csv; name=one.csv\r
Content-Disposition: attachment; filename=one.csv\r
\r
a,b\r
--b\r
Content-Type: text/csv; name=two.csv\r
Content-Disposition: attachment; filename=two.csv\r
\r
c,d\r
--b--"""
WITH_FILES = {"MIME-Version": "1.0", "Content-Type": "multipart/mixed; boundary=b"}
UNTOUCHED: tuple[type[Base], ...] = (Ticket, Participant, Delivery, Event, Fingerprint, MessageRef, User)
OF_THE_TRY = {"attempts", "due_at", "started_at"}


@pytest.fixture
def desk(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def replay(desk: Mailroom, *numbers: int, reader: Reader | None = None) -> list[Fate]:
    """Replay mails; whoever waits lets the clock go on."""

    def sleep(seconds: float) -> None:
        desk.clock.advance(seconds=seconds)

    replaying = Replay(desk.database, desk.pipeline(reader), desk.clock, sleep)
    return list(replaying.again(replaying.known(numbers)))


def poorly(stored: Stored) -> Arrival:
    """A reader as it was before: it misses the second file, finds one that is none, and reads the rest badly."""
    arrival = read(stored)
    first, *_ = arrival.message.attachments or (None,)
    found = () if first is None else (replace(first, filename="odd", inline=True), replace(first, part="99"))
    message = replace(
        arrival.message, attachments=found, text="?", reply_text="", html="<p>?</p>", subject="?", to=(), cc=(),
        kind=Kind.AUTO_REPLY, defects=("It could not be read well.",),
    )  # fmt: skip
    return replace(arrival, message=message)


def broken(_: Stored) -> Arrival:
    raise RecursionError("too deep")


def rows(desk: Mailroom, *models: type[Base], but: Collection[str] = ()) -> list[dict[str, Any]]:
    """All that stands in some tables, but for some columns."""
    return [
        {column.key: getattr(row, column.key) for column in inspect(model).column_attrs if column.key not in but}
        for model in models
        for row in desk.every(model)
    ]


def taken(desk: Mailroom, *contents: bytes, reader: Reader | None = None) -> list[int]:
    numbers = desk.put(*contents)
    desk.work(reader)
    return numbers


# ------------------------------------------------------------------ mail that was processed


def test_after_an_upgrade_an_article_is_read_anew_and_nothing_else_changes(desk: Mailroom) -> None:
    (number,) = taken(desk, mail(FILES, headers=WITH_FILES), reader=poorly)
    kept = rows(desk, *UNTOUCHED)
    (kept_file,) = (file.id for file in desk.every(Attachment) if file.part != "99")
    desk.clock.advance(days=1)

    (fate,) = replay(desk, number)
    assert (fate.is_well, fate.sentence) == (True, "read again: article 1 of ticket 1.")
    (article,) = desk.every(Article)
    assert (article.text, article.reply_text) == ("Please look at these.", "Please look at these.")
    assert (article.html, article.automatic, article.defects) == (None, False, [])
    assert (article.subject, article.to) == ("The printer is on fire", [["support@desk.example", ""]])
    files = {file.filename: file for file in desk.every(Attachment)}
    assert files.keys() == {"one.csv", "two.csv"}
    assert files["one.csv"].id == kept_file
    assert not files["one.csv"].inline
    row = desk.row(number)
    assert (row.state, row.action, row.subject, row.kind) == (
        InboundState.PROCESSED, "open_ticket", "The printer is on fire", "normal",
    )  # fmt: skip
    assert rows(desk, *UNTOUCHED) == kept


def test_reading_anew_twice_is_like_once(desk: Mailroom) -> None:
    numbers = taken(desk, mail(FILES, headers=WITH_FILES), mail("Plain"), reader=poorly)
    replay(desk, *numbers)
    once = rows(desk, Article, Attachment, *UNTOUCHED), rows(desk, InboundMessage, but=OF_THE_TRY)
    desk.clock.advance(days=1)
    replay(desk, *numbers, *numbers)

    assert (rows(desk, Article, Attachment, *UNTOUCHED), rows(desk, InboundMessage, but=OF_THE_TRY)) == once


def test_what_people_did_with_the_ticket_meanwhile_stays(desk: Mailroom) -> None:
    (number,) = taken(desk, mail())
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        ticket = session.get_one(Ticket, 1)
        ticket_properties.set_subject(session, ticket, "A better name", actor=admin, now=desk.clock())
    replay(desk, number)

    assert desk.ticket(1).subject == "A better name"
    assert [article.subject for article in desk.articles(1)] == ["The printer is on fire"]


def test_a_mail_that_cannot_be_read_any_more_stays_as_it_was(desk: Mailroom) -> None:
    (number,) = taken(desk, mail())
    before = rows(desk, Article, *UNTOUCHED)

    (fate,) = replay(desk, number, reader=broken)
    assert not fate.is_well
    assert "as it was before" in fate.sentence
    assert "too deep" in fate.sentence
    row = desk.row(number)
    assert (row.state, row.action, row.person_order) == (InboundState.PROCESSED, "open_ticket", None)
    assert "too deep" in (row.last_error or "")
    assert rows(desk, Article, *UNTOUCHED) == before
    replay(desk, number)
    assert desk.row(number).last_error is None


def test_a_bounce_is_only_read_again(desk: Mailroom) -> None:
    desk.take(mail())
    with desk.database.transaction() as session:
        sent = session.get_one(Delivery, desk.acknowledgement(1).id)
        sent.state, sent.sent_at = DeliveryState.SENT, desk.clock()
    row = desk.take(report(sent.message_id, ANNA), envelope_from="")
    assert desk.acknowledgement(1).bounced_at is not None
    before = rows(desk, Article, *UNTOUCHED)
    desk.clock.advance(days=1)

    (fate,) = replay(desk, row.id)
    assert fate.sentence == "read again; it is a bounce and has no article."
    assert rows(desk, Article, *UNTOUCHED) == before


def test_mail_whose_ticket_was_deleted_makes_no_article_again(desk: Mailroom) -> None:
    (number,) = taken(desk, mail())
    admin = desk.person("jonas@desk.example", Role.ADMIN)
    with desk.database.transaction() as session:
        tickets.delete(session, session.get_one(Ticket, 1), actor=admin, now=desk.clock())

    (fate,) = replay(desk, number)
    assert fate.sentence == "read again; its article has been deleted."
    assert desk.every(Article) == []


def test_a_person_lets_a_mail_be_read_again_and_the_worker_does_it(desk: Mailroom) -> None:
    (number,) = taken(desk, mail(), reader=poorly)
    agent = desk.person("mira@desk.example", Role.AGENT)
    with desk.database.transaction() as session:
        inbound.again(session, session.get_one(InboundMessage, number), actor=agent, now=desk.clock())
    assert desk.row(number).person_order == {"action": "refresh", "ticket": None, "by": agent.id}
    desk.work()

    assert [article.reply_text for article in desk.articles(1)] == ["Please come."]
    assert desk.row(number).state is InboundState.PROCESSED


def test_a_copy_that_comes_while_its_first_is_read_again_is_a_copy(desk: Mailroom) -> None:
    content = mail()
    (number,) = taken(desk, content)
    with desk.database.transaction() as session:
        inbound.again(session, session.get_one(InboundMessage, number), actor=None, now=desk.clock())
    desk.put(content)
    desk.put(content, mailbox="sales@desk.example")
    desk.work()

    assert [row.state.value for row in desk.every(InboundMessage)] == ["processed", "discarded", "discarded"]
    assert len(desk.every(Article)) == 1


# ------------------------------------------------------------------ mail that waits


def test_quarantined_mail_becomes_a_ticket_once_the_fault_is_gone(desk: Mailroom) -> None:
    (number,) = desk.put(mail())
    assert [fate.is_well for fate in replay(desk, number, reader=broken)] == [False]
    assert desk.row(number).state is InboundState.QUARANTINED

    (fate,) = replay(desk, number)
    assert (fate.is_well, fate.sentence) == (True, "opened ticket 1.")
    assert len(desk.every(Article)) == 1
    assert list(Replay(desk.database, desk.pipeline(), desk.clock).every(QUARANTINED)) == []


def test_mail_that_still_cannot_be_processed_is_quarantined_again_with_its_error(desk: Mailroom) -> None:
    (number,) = desk.put(mail())
    replay(desk, number, reader=broken)
    (fate,) = replay(desk, number, reader=broken)

    assert fate.sentence == "quarantined: RecursionError: too deep"
    assert not fate.is_well


def test_held_and_discarded_mail_goes_by_the_rules_again(desk: Mailroom) -> None:
    content = mail()
    desk.take(content)
    held = desk.take(mail("Me too", sender=EVE, subject="Re: [#1] Fire"), envelope_from=EVE)
    copy = desk.take(content)
    sent = len(desk.every(Delivery))

    assert [fate.is_well for fate in replay(desk, held.id, copy.id)] == [True, True]
    assert desk.row(held.id).state is InboundState.HELD
    assert desk.row(copy.id).state is InboundState.DISCARDED
    assert (len(desk.every(Article)), len(desk.every(Delivery))) == (1, sent)


def test_mail_that_waits_for_its_next_try_comes_at_once(desk: Mailroom) -> None:
    (number,) = desk.put(mail())
    desk.work(broken)
    assert desk.row(number).due_at > desk.clock()

    (fate,) = replay(desk, number)
    assert fate.sentence == "opened ticket 1."


# ------------------------------------------------------------------ whatever is asked for


def test_a_mail_that_is_in_no_ledger_is_named_and_nothing_is_done(desk: Mailroom) -> None:
    (number,) = taken(desk, mail(), reader=poorly)
    with pytest.raises(ReplayError, match=r"There is no mail 99; nothing was done\."):
        replay(desk, number, 99)
    assert desk.articles(1)[0].text == "?"


def test_a_mail_whose_bytes_were_erased_is_left_alone(desk: Mailroom) -> None:
    erased, other = taken(desk, mail(), mail("Other"))
    with desk.database.transaction() as session:
        session.execute(delete(InboundRaw).where(InboundRaw.inbound_id == erased))

    first, second = replay(desk, erased, other)
    assert first.sentence == f"The raw mail {erased} was erased; there is nothing left to read."
    assert (first.is_well, second.is_well) == (False, True)
    assert desk.row(erased).state is InboundState.PROCESSED


def test_a_worker_that_runs_beside_a_replay_does_no_mail_a_second_time(desk: Mailroom) -> None:
    (number,) = taken(desk, mail(), reader=poorly)
    beside: list[int] = []

    def watched(stored: Stored) -> Arrival:
        beside.append(desk.pipeline().run_once())
        return read(stored)

    assert [fate.is_well for fate in replay(desk, number, reader=watched)] == [True]
    assert beside == [0]


def test_a_replay_that_is_cut_off_is_finished_by_a_worker(desk: Mailroom) -> None:
    numbers = taken(desk, mail("One"), mail("Two"), reader=poorly)

    class Death(BaseException):
        pass

    def dying(_: Stored) -> Arrival:
        raise Death

    with pytest.raises(Death):
        replay(desk, *numbers, reader=dying)
    desk.clock.advance(seconds=31)
    desk.work()

    assert {row.state for row in desk.every(InboundMessage)} == {InboundState.PROCESSED}
    assert [article.reply_text for article in desk.every(Article)] == ["One", "Two"]


def test_many_mails_are_read_again_in_batches_from_a_day_or_a_mail_on(desk: Mailroom) -> None:
    first = taken(desk, *(mail(f"Old {n}") for n in range(3)))
    desk.clock.advance(days=2)
    later = taken(desk, *(mail(f"New {n}") for n in range(60)))
    replaying = Replay(desk.database, desk.pipeline(), desk.clock)

    assert [len(batch) for batch in replaying.every(processed())] == [50, 13]
    since = processed(since=desk.clock() - timedelta(days=1))
    assert [number for batch in replaying.every(since) for number in batch] == later
    assert replaying.count(since) == len(later)
    assert [number for batch in replaying.every(processed(first=first[1])) for number in batch] == first[1:] + later


def test_a_mail_makes_one_article_whatever_is_done_with_it(desk: Mailroom) -> None:
    (number,) = taken(desk, mail())
    for _ in range(3):
        with desk.database.transaction() as session:
            inbound.again(session, session.get_one(InboundMessage, number), actor=None, now=desk.clock())
        desk.work()
        replay(desk, number)
    assert len(desk.every(Article)) == 1

    (article,) = rows(desk, Article, but={"id"})
    with pytest.raises(IntegrityError), desk.database.transaction() as session:
        session.add(Article(**article))
