"""The desk's own threads: it ends without beginning another mail, and a worker that has ended does not stay up."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from intake.service import Intake
from shared.config import Settings
from shared.database import Database
from shared.models import Counter, DeliveryState
from shared.tokens import Tokens
from tests.mail_sink import MailSink
from tests.mailroom import Mailroom, mail
from tests.outgoing import Clock, SendingDesk
from tests.receiving import until

ROOT = Path(__file__).parents[2]
ENDS_BY_ITSELF = """
import sys
from intake.run_commands import work
from intake.service import Worker
work(Worker("pipeline", sys.exit), with_parent=True)
"""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no two who write at one time
def test_a_desk_that_is_told_to_stop_begins_no_further_mail_while_its_pipeline_is_busy(
    database: Database, settings: Settings, tokens: Tokens, sink: MailSink
) -> None:
    real = {"smtp_listen": "127.0.0.1:0", "outgoing": f"smtp://127.0.0.1:{sink.port}"}
    settings = settings.model_copy(update=real)
    clock = Clock(datetime.now(UTC))
    desk = SendingDesk(database=database, tokens=tokens, settings=settings, clock=clock)
    for subject in ("Printer", "Scanner"):
        desk.open_ticket(subject)
    room = Mailroom(database, tokens, clock())
    (arrived,) = room.put(mail())
    intake = Intake(settings, database)
    stopping = threading.Thread(target=intake.stop)
    with database.transaction() as busy:
        busy.scalars(select(Counter).with_for_update()).all()  # the pipeline waits for this
        with sink.held() as has_come:
            intake.start()
            assert has_come.wait(60)
            until(lambda: room.row(arrived).attempts)
            stopping.start()
            until(lambda: any(thread.name == "outbox-patience" for thread in threading.enumerate()))
        until(lambda: all(delivery.state is not DeliveryState.SENDING for delivery in desk.deliveries()))
        assert stopping.is_alive(), "the pipeline is still busy"
        found = [(delivery.state, delivery.attempts) for delivery in desk.deliveries()]
        assert found == [(DeliveryState.SENT, 1), (DeliveryState.QUEUED, 0)]
    stopping.join()
    assert len(sink.mails) == 1


def test_a_worker_whose_thread_has_ended_ends_its_process_so_that_another_is_started() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS_BY_ITSELF], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read() == "The worker has ended, which is a fault of the desk.\n"
