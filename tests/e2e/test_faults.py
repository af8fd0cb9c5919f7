"""What a whole desk does when what it stands on fails: it says so, takes no mail it cannot keep, and goes on."""

from __future__ import annotations

import os
import smtplib
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.e2e.conftest import AGENT
from tests.e2e.desk import ADDRESS, PATIENCE, Client, Desk, mail, running_desk
from tests.postgres import cluster

ANNA = "anna@brightmill.example"
OUTAGE_SECONDS = 60


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


def test_a_database_file_that_somebody_locks_for_long_holds_mail_up_and_loses_none(tmp_path: Path) -> None:
    with running_desk(tmp_path / "desk") as desk:
        insist(desk, kettle(1))
        with closing(sqlite3.connect(desk.home / "var" / "letterdesk.db", timeout=PATIENCE)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert offer(desk, kettle(2)) == 451
            other.rollback()
        insist(desk, kettle(2))
        counts = desk.settled(2)
        assert (counts["inbound"]["processed"], counts["articles"]) == (2, 2)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own, this large."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("least", ["0", "4194304"], ids=["met by the database", "seen before"])
def test_a_full_disk_turns_mail_away_for_later_and_loses_none(tmp_path: Path, least: str) -> None:
    with (
        small_disk(tmp_path / "disk", "24m") as disk,
        running_desk(disk / "desk", MIN_FREE_BYTES=least) as desk,
    ):
        insist(desk, kettle(1))
        desk.settled(1)
        ballast = fill(disk)
        refused = [kettle(number, 400_000) for number in (2, 3)]
        desk.until(lambda: offer(desk, refused[0]) in {451, 452}, "Mail is taken for which there is no room")
        assert offer(desk, refused[1]) in {451, 452}
        ballast.unlink()
        insist(desk, *refused)
        counts = desk.settled(3)
        assert (counts["inbound"]["processed"], counts["articles"]) == (3, 3)
