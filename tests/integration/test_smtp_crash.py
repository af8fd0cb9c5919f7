"""A receiver that is killed while mail comes in: whatever got its 250 is there, and once."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from shared.database import Database
from tests.receiving import DESK, content_of, desk_mailbox, stored

ROOT = Path(__file__).parents[2]
CLIENTS = 6


@contextmanager
def receiver(database: Database) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    url = database.url.render_as_string(hide_password=False)
    words = [sys.executable, "-m", "tests.receiving_child", url]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


def send_until_cut_off(port: int, client: int, acknowledged: list[str]) -> None:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as connection:
            for number in range(10_000):
                name = f"{client}-{number}"
                connection.sendmail("anna@example.org", [DESK], f"Subject: {name}\r\n\r\nText\r\n")
                acknowledged.append(name)
    except (smtplib.SMTPException, OSError):
        return


def subjects(database: Database) -> list[str]:
    return [content_of(row).split(b"\r\n")[0].decode().removeprefix("Subject: ") for row in stored(database)]


def test_what_was_acknowledged_survives_a_kill(database: Database) -> None:
    desk_mailbox(database)
    acknowledged: list[str] = []
    with receiver(database) as (child, port), ThreadPoolExecutor(CLIENTS) as pool:
        for client in range(CLIENTS):
            pool.submit(send_until_cut_off, port, client, acknowledged)
        while len(acknowledged) < 100:
            time.sleep(0.001)
        child.kill()
    there = subjects(database)
    assert set(acknowledged) <= set(there)
    assert len(there) == len(set(there))
    assert len(there) <= len(acknowledged) + CLIENTS  # stored, and killed before the 250


def test_a_receiver_that_is_stopped_under_load_has_acknowledged_all_that_it_stored(database: Database) -> None:
    desk_mailbox(database)
    acknowledged: list[str] = []
    with receiver(database) as (child, port), ThreadPoolExecutor(CLIENTS) as pool:
        for client in range(CLIENTS):
            pool.submit(send_until_cut_off, port, client, acknowledged)
        while len(acknowledged) < 100:
            time.sleep(0.001)
        assert child.stdin is not None
        threading.Thread(target=child.stdin.close).start()
        assert child.wait(60) == 0
    assert sorted(acknowledged) == sorted(subjects(database))
