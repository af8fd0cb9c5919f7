"""Mail that came in and is not processed is said to the administrators, until it is."""

from __future__ import annotations

from datetime import datetime

import pytest

from intake.reading import Stored
from intake.types import Arrival
from intake.upkeep import keep_up
from shared.alerts import open_alerts
from shared.config import Settings
from shared.database import Database
from shared.models import Alert, InboundMessage, InboundState
from shared.tokens import Tokens
from tests.mailroom import Mailroom, mail

MINUTES = 12


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"queue_alarm_minutes": MINUTES})


@pytest.fixture
def room(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    return Mailroom(database, tokens, now)


def alarms(room: Mailroom, settings: Settings) -> list[str]:
    """What the upkeep finds wrong now with mail that came in."""
    keep_up(room.database, settings, room.clock())
    with room.database.reading() as session:
        return [alert.sentence for alert in open_alerts(session, room.clock()) if alert.key == "incoming"]


def test_mail_that_nobody_processes_is_an_alarm_until_it_is_processed(room: Mailroom, settings: Settings) -> None:
    room.put(mail())
    room.clock.advance(minutes=MINUTES - 1)
    room.put(mail(), mail())
    assert alarms(room, settings) == []
    room.clock.advance(minutes=1)
    assert alarms(room, settings)[0] == (
        "Mail that came in has not been processed since 21 November 2026, 08:30 UTC; 3 mails wait. None of it is lost. "
        "If it does not get less, start “letterdesk intake” again, and see in its log what held it up."
    )
    room.work()
    assert alarms(room, settings) == []
    with room.database.reading() as session:
        said = session.get_one(Alert, "incoming").sentence
    assert said == "Mail that comes in is processed again: none waits for long."


def test_one_mail_that_workers_die_over_is_counted_as_one(room: Mailroom, settings: Settings) -> None:
    room.put(mail())
    with room.database.transaction() as session:
        room.pipeline().claim(session)
    room.clock.advance(minutes=MINUTES)
    assert "; 1 mail waits. " in alarms(room, settings)[0]


def test_mail_that_was_decided_about_or_waits_for_a_person_is_not_overdue(room: Mailroom, settings: Settings) -> None:
    decided = [state for state in InboundState if state is not InboundState.RECEIVED]
    numbers = room.put(*(mail() for _ in decided))
    with room.database.transaction() as session:
        for number, state in zip(numbers, decided, strict=True):
            row = session.get_one(InboundMessage, number)
            row.state, row.processed_at = state, room.clock()
    room.clock.advance(minutes=MINUTES + 1)
    assert alarms(room, settings) == []


def test_mail_that_waits_for_its_next_try_is_not_overdue(room: Mailroom, settings: Settings) -> None:
    def fails(mail: Stored) -> Arrival:
        raise RuntimeError(f"{mail.inbound_id} cannot be read")

    (number,) = room.put(mail())
    room.clock.advance(minutes=MINUTES)
    room.work(fails)
    assert room.row(number).due_at > room.clock()
    assert alarms(room, settings) == []
    room.clock.advance(minutes=2 * MINUTES)
    assert len(alarms(room, settings)) == 1
