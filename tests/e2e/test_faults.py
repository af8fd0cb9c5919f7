"""What a whole desk does when what it stands on fails: it says so, takes no mail it cannot keep, and goes on."""

from __future__ import annotations

import re
import smtplib
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.e2e.conftest import AGENT
from tests.e2e.desk import ADDRESS, PATIENCE, Client, Desk, Page, mail, running_desk
from tests.postgres import cluster
from tests.small_disk import fill, small_disk

ANNA = "anna@brightmill.example"
OUTAGE_SECONDS = 60
MEGABYTE = 1024 * 1024


@pytest.fixture
def mailbox() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


def kettle(number: int, size: int = 0) -> bytes:
    words = "It boils and boils.\n" * (1 + size // 20)
    return mail(ANNA, f"Kettle {number}", words, Message_ID=f"<{number}@brightmill.example>")


def offer(desk: Desk, content: bytes) -> int:
    """Offer a mail as a mail server does; returns the code that decided."""
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, local_hostname="mx.example", timeout=PATIENCE) as client:
        try:
            client.sendmail(ANNA, [ADDRESS], content)
        except smtplib.SMTPRecipientsRefused as refused:
            return refused.recipients[ADDRESS][0]
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        return 250


def insist(desk: Desk, *contents: bytes) -> None:
    """Offer mails again and again until each is taken, as mail servers do for days."""
    for content in contents:
        desk.until(lambda content=content: offer(desk, content) == 250, "The desk takes no mail again")  # type: ignore[misc]


def health(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_database_server_that_is_away_for_a_minute_costs_no_mail_and_everybody_is_told_so(
    tmp_path: Path, mailbox: Dovecot
) -> None:
    with cluster() as server:
        url = server.fresh_database()
        with running_desk(tmp_path / "desk", DATABASE_URL=url, SECRET_KEY="a key that all machines share") as desk:
            desk.done(
                *("mailbox", "add", ADDRESS, "--imap", mailbox.url, "--password-stdin", "--interval", "5"),
                given=f"{PASSWORD}\n",
            )
            desk.add_user(AGENT, "agent")
            agent = Client(desk)
            agent.sign_in(AGENT)
            insist(desk, kettle(1))
            desk.settled(1)
            assert agent.get("/tickets/1").status == 200
            server.stop()
            end = time.monotonic() + OUTAGE_SECONDS
            assert offer(desk, kettle(2)) == 451
            status, reason = health(desk.ops_port)
            assert status == 503
            assert "the database cannot be reached" in reason
            page = agent.get("/tickets/1")
            assert page.status == 503
            assert "The database does not answer" in page.text
            assert "Nothing is lost" in page.text
            with mailbox.client() as client:
                client.append("INBOX", kettle(3))
            while time.monotonic() < end:
                time.sleep(2)
                assert offer(desk, kettle(2)) == 451
            server.start()
            insist(desk, kettle(2))
            counts = desk.settled(3)
            assert (counts["inbound"]["processed"], counts["articles"]) == (3, 3)
            assert health(desk.ops_port)[0] == agent.get("/tickets/1").status == 200
            said = desk.log.read_text()
            assert "failed, since the database cannot be used" in said
            assert "raceback" not in said


def test_a_database_file_that_somebody_locks_for_long_holds_mail_up_and_everybody_is_told_so(tmp_path: Path) -> None:
    with running_desk(tmp_path / "desk") as desk:
        desk.add_user(AGENT, "agent")
        agent = Client(desk)
        agent.sign_in(AGENT)
        insist(desk, kettle(1))
        desk.settled(1)
        with locked(desk.home / "var" / "letterdesk.db"), ThreadPoolExecutor(1) as beside:
            page = beside.submit(answer, agent)
            assert offer(desk, kettle(2)) == 451
            assert page.result().status == 503
            assert "Nothing is lost" in page.result().text
        said = "the database cannot be used: another program has locked its file for long"
        assert said in desk.log.read_text()
        insist(desk, kettle(2))
        counts = desk.settled(2)
        assert (counts["inbound"]["processed"], counts["articles"]) == (2, 2)


def answer(agent: Client) -> Page:
    return agent.submit("/tickets/1/answer", at="/tickets/1", kind="reply", text="Pull the plug, please.", then="")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Write to a SQLite file, and do not come to an end."""
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


NEARLY = r"The disk of {folder} is nearly full: \d MB are free, and 4 MB are needed\. Mail is told to come back later"


def test_a_disk_that_is_nearly_full_is_said_in_the_portal_before_mail_is_lost(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 24) as disk,
        running_desk(disk / "desk", MIN_FREE_BYTES=str(4 * MEGABYTE)) as desk,
    ):
        desk.add_user(AGENT, "agent")
        agent = Client(desk)
        agent.sign_in(AGENT)
        insist(desk, kettle(1))
        desk.settled(1)
        ballast = fill(disk, leave=2 * MEGABYTE)
        desk.until(lambda: offer(desk, kettle(2)) == 452, "Mail is taken for which there is no room")
        said = re.compile(NEARLY.format(folder=re.escape(str(disk / "desk" / "var"))))
        desk.until(
            lambda: said.search(agent.get("/tickets").text), "The portal does not say that the disk is nearly full"
        )
        assert said.search(desk.log.read_text())
        ballast.unlink()
        insist(desk, kettle(2))
        desk.until(
            lambda: not said.search(agent.get("/tickets").text), "The portal still says that the disk is nearly full"
        )
        counts = desk.settled(2)
        assert (counts["inbound"]["processed"], counts["articles"]) == (2, 2)


def test_a_disk_that_the_database_finds_full_turns_mail_away_for_later_and_loses_none(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk, running_desk(disk / "desk", MIN_FREE_BYTES="0") as desk:
        insist(desk, kettle(1))
        desk.settled(1)
        ballast = fill(disk)
        refused = [kettle(number, 400_000) for number in (2, 3)]
        desk.until(lambda: offer(desk, refused[0]) == 451, "Mail is taken for which there is no room")
        assert offer(desk, refused[1]) == 451
        assert "the database cannot be used: the disk is full, please make room" in desk.log.read_text()
        ballast.unlink()
        insist(desk, *refused)
        counts = desk.settled(3)
        assert (counts["inbound"]["processed"], counts["articles"]) == (3, 3)
