"""Those who deal with a desk in the storm: mail servers that deliver until they are told 250, and a person who replies.

Each is a thread that never takes a broken connection for an answer.
"""

from __future__ import annotations

import random
import re
import smtplib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from itertools import count
from typing import TypeVar

from tests.crash.mails import Mail, correspondence
from tests.dovecot import Dovecot
from tests.e2e.desk import Client, Desk

Answer = TypeVar("Answer")

PAUSE = 0.3  # seconds before something is tried again
WAYS = ("smtp", "smtp", "imap", "both")
GAP = 0.6  # seconds between two mails of one server, on average


class Refused(Exception):  # noqa: N818 - what a mail server is told
    """The desk refused a mail for good, which it never should."""


class Gate:
    """A place where whoever comes next can be held up. It is armed by one thread and reached by another."""

    def __init__(self) -> None:
        self._armed = threading.Event()
        self._reached = threading.Event()
        self._open = threading.Event()

    @contextmanager
    def armed(self) -> Iterator[threading.Event]:
        """Hold up the next who passes by until the block ends; the event says that there is somebody."""
        self._reached.clear()
        self._open.clear()
        self._armed.set()
        try:
            yield self._reached
        finally:
            self._armed.clear()
            self._open.set()

    def pass_by(self) -> None:
        if self._armed.is_set():
            self._armed.clear()
            self._reached.set()
            self._open.wait()


class Peer:
    """A thread that does `act` again and again until it is told to stop; then it finishes what it has begun."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self.stopping = threading.Event()
        self.fault: BaseException | None = None
        self._act = act
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self, seconds: float) -> bool:
        """Whether it has finished; call `stopping.set()` before."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._act()
        except BaseException as error:  # noqa: BLE001 - shown by whoever reads the result
            self.fault = error


class MailServer:
    """Delivers mail over SMTP until it gets 250, with the same bytes each time, or lays it into an IMAP mailbox.

    `accepted` are the mails that the desk must have: they got 250, or stand on the IMAP server.
    """

    def __init__(
        self, name: str, desk: Desk, accounts: Mapping[str, Dovecot], chance: random.Random, dot_sent: Gate
    ) -> None:
        self.accepted: list[Mail] = []
        self._port = desk.smtp_port
        self._accounts = accounts
        self._chance = chance
        self._dot_sent = dot_sent
        self._mails = correspondence(name, list(accounts), chance)
        self._wait = threading.Event()

    def send_one(self) -> None:
        """Write a mail and see that it arrives, by one way or by both."""
        mail, way = next(self._mails), self._chance.choice(WAYS)
        if way in {"imap", "both"}:
            self._append(mail)
        if way in {"smtp", "both"}:
            while not self._deliver(mail):
                self._wait.wait(PAUSE)
        self.accepted.append(mail)
        self._wait.wait(self._chance.uniform(0, 2 * GAP))

    def _append(self, mail: Mail) -> None:
        with self._accounts[mail.mailbox].client() as client:
            client.append("INBOX", mail.content)

    def _deliver(self, mail: Mail) -> bool:
        """Whether the desk said 250. Raises Refused where it said 5xx."""
        try:
            with smtplib.SMTP("127.0.0.1", self._port, local_hostname="mx.people.example", timeout=60) as client:
                client.ehlo()
                for command in (f"MAIL FROM:<{mail.sender}>", f"RCPT TO:<{mail.mailbox}>", "DATA"):
                    code, words = client.docmd(command)
                    if code >= 400:
                        return _come_again(code, words)
                client.send(re.sub(rb"(?m)^\.", b"..", mail.content) + b".\r\n")
                self._dot_sent.pass_by()
                code, words = client.getreply()
                return code == 250 or _come_again(code, words)
        except (smtplib.SMTPException, OSError):
            return False


def _come_again(code: int, words: bytes) -> bool:
    if code >= 500:
        raise Refused(f"{code} {words.decode(errors='replace')}")
    return False


class Person:
    """Somebody who answers tickets in the portal, looks whether the answer is there, and if not sends it again.

    `replies` are the texts that the desk must have sent, or not know about.
    """

    def __init__(self, desk: Desk, login: str, chance: random.Random) -> None:
        self.replies: list[str] = []
        self._client = Client(desk)
        self._login = login
        self._chance = chance
        self._numbers = count(1)
        self._answered: set[str] = set()
        self._wait = threading.Event()

    def answer_one(self) -> None:
        """Choose a ticket that is not answered yet, and answer it."""
        self._wait.wait(self._chance.uniform(0, 2 * GAP))
        found = self._ask(lambda: re.findall(r'href="/tickets/(\d+)"', self._client.get("/tickets").text))
        tickets = sorted(set(found or ()) - self._answered)
        if not tickets:
            self._ask(lambda: self._client.sign_in(self._login))
            return
        ticket = self._chance.choice(tickets)
        self._answered.add(ticket)
        text = f"This is reply {next(self._numbers)} of ours; please pull the plug."
        while not self._is_there(ticket, text):
            self._ask(lambda: self._submit(ticket, text))
        self.replies.append(text)

    def _submit(self, ticket: str, text: str) -> None:
        self._client.submit(f"/tickets/{ticket}/answer", at=f"/tickets/{ticket}", kind="reply", text=text, then="")

    def _is_there(self, ticket: str, text: str) -> bool:
        """Whether the ticket shows the reply; asks until there is an answer."""
        while True:
            page = self._ask(lambda: self._client.get(f"/tickets/{ticket}"))
            if page is not None and page.status == 200 and page.path == f"/tickets/{ticket}":
                return text in page.text
            if page is not None and page.path.startswith("/login"):
                self._ask(lambda: self._client.sign_in(self._login))
            self._wait.wait(PAUSE)

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        """The answer, or None where the portal is not there, or has trouble of its own."""
        try:
            return question()
        except (OSError, HTTPException, AssertionError, ValueError):
            self._wait.wait(PAUSE)
            return None
