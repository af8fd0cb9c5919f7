"""What a person changes and what a mail changes at the same moment: each sees what the other did."""

from __future__ import annotations

import threading
import time
from datetime import datetime

from sqlalchemy import select, text

from intake.examine import decision
from intake.parsing.message import parse
from shared import tickets
from shared.database import Database
from shared.models import Status, Ticket
from shared.tokens import Tokens
from tests.mailroom import DESK, Mailroom, mail

FIRST = "first@brightmill.example"


def wait_for_a_waiter(database: Database) -> None:
    """Return once somebody waits for a lock; on SQLite there is one writer, so that nothing can go by."""
    if database.is_sqlite:
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(3000):
        with database.reading() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the ticket")


def test_an_answer_that_comes_while_its_ticket_is_closed_opens_one_that_follows(
    database: Database, tokens: Tokens, now: datetime
) -> None:
    room = Mailroom(database, tokens, now)
    room.put(mail(message_id=FIRST))
    room.pipeline().run_once()
    room.put(mail("It still burns.", answers=[FIRST]))
    worker = threading.Thread(target=room.pipeline().run_once)
    with database.transaction() as session:
        ticket = session.scalars(select(Ticket).with_for_update(key_share=True)).one()
        worker.start()
        wait_for_a_waiter(database)
        ticket.status = Status.CLOSED
    worker.join()
    with database.reading() as session:
        found = session.execute(select(Ticket.status, Ticket.follows_id).order_by(Ticket.id)).all()
    assert [tuple(row) for row in found] == [(Status.CLOSED, None), (Status.NEW, 1)]


def test_to_explain_a_mail_waits_for_nobody_and_holds_nobody_up(
    database: Database, tokens: Tokens, now: datetime
) -> None:
    room = Mailroom(database, tokens, now)
    room.put(mail(message_id=FIRST))
    room.pipeline().run_once()
    with database.transaction() as session:
        tickets.last_number(session)
        with database.reading() as looking:
            told = decision(looking, parse(mail(answers=[FIRST])), DESK, tokens)
    assert told["action"] == "append_article"
