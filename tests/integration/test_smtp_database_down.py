"""A database that goes away while mail comes in: "later" for everybody, a sentence in the log, and back by itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from shared.database import Database
from shared.fault_log import FaultLog
from tests.postgres import Cluster, cluster
from tests.receiving import DESK, LMTP, PLAIN, SMTP, Dialogue, content_of, desk_mailbox, running_smtp, stored


@dataclass
class Clock:
    now: float = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def own_cluster(postgres: Cluster) -> Iterator[Cluster]:
    """A server of the test's own, which it may stop; skipped where the session has none."""
    del postgres
    with cluster() as server:
        yield server


def begin(client: Dialogue, hello: str) -> None:
    answers = client.say(hello, "MAIL FROM:<anna@example.org>", f"RCPT TO:<{DESK}>", "DATA")
    assert [answer[:3] for answer in answers] == ["250", "250", "250", "354"], answers


def test_while_the_database_is_down_all_mail_is_put_off(own_cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(own_cluster.fresh_database())
    desk_mailbox(database)
    with running_smtp(database, listeners=[SMTP, LMTP]) as server:
        ports = [port for _, port in server.doors.values()]
        with Dialogue(ports[0]) as smtp, Dialogue(ports[1]) as lmtp:
            clients = {"EHLO c.example": smtp, "LHLO c.example": lmtp}
            for hello, client in clients.items():
                begin(client, hello)
            own_cluster.kill()
            for client in clients.values():
                client.send(PLAIN + b".\r\n")
                assert client.answer().startswith("451 4.3.0 ")
                client.say("MAIL FROM:<anna@example.org>")
                for recipient in ("nobody@desk.example", "stranger@elsewhere.example") * 20:
                    assert client.say(f"RCPT TO:<{recipient}>")[0].startswith("451 4.3.0 ")
            own_cluster.start()
            for hello, client in clients.items():
                assert client.say("RCPT TO:<nobody@desk.example>")[0].startswith("550 5.1.1 ")
                begin(client, hello)
                client.send(PLAIN + b".\r\n")
                assert client.answer().startswith("250 ")
    assert [content_of(row) for row in stored(database)] == [PLAIN, PLAIN]
    assert "Traceback" not in caplog.text
    assert "since the database cannot be used" in caplog.text
    database.close()


def fault() -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception("connection refused\nmore words"))


def test_a_fault_of_the_database_is_said_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    faults = FaultLog(clock)
    for _ in range(1000):
        faults.note(fault(), "storing a mail")
    assert [record.getMessage() for record in caplog.records] == [
        "storing a mail failed, since the database cannot be used: (builtins.Exception) connection refused"
    ]
    clock.now += 5
    faults.note(fault(), "storing a mail")
    assert "(999 more times since it was last said)" in caplog.records[-1].getMessage()


def test_a_bug_of_ours_is_said_with_its_traceback_each_time(caplog: pytest.LogCaptureFixture) -> None:
    faults = FaultLog(Clock())
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            faults.note(ProgrammingError("SELECT nothing", {}, Exception("no such column")), "storing a mail")
    assert len(caplog.records) == 3
    assert all(record.exc_info for record in caplog.records)
