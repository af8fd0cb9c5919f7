"""The mail servers of a storm: those that deliver until they are told 250, and the one that returns what it took.

Each has a thread of its own, and never takes a broken connection for an answer.
"""

from __future__ import annotations

import random
import re
import smtplib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tests.crash.mails import Mail, correspondence
from tests.dovecot import Dovecot
from tests.mail_sink import Caught, MailSink
from tests.mailroom import report

PAUSE = 0.3  # seconds before something is tried again
WAYS = ("smtp", "smtp", "imap", "both")
GAP = 0.6  # seconds between two mails of one server, on average
RETURNED = 3  # each third reply comes back
TAG = re.compile(r"\[#(\d+)\]")


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


class SmtpClient:
    """Delivers to the desk over SMTP; `dot_sent` is passed by between the final dot and the answer."""

    def __init__(self, port: int, dot_sent: Gate) -> None:
        self._port = port
        self._dot_sent = dot_sent
        self._wait = threading.Event()

    def deliver(self, content: bytes, sender: str, recipient: str) -> None:
        """Offer the same bytes until the desk says 250. Raises Refused where it says 5xx."""
        while not self._offer(content, sender, recipient):
            self._wait.wait(PAUSE)

    def _offer(self, content: bytes, sender: str, recipient: str) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, local_hostname="mx.people.example", timeout=60) as client:
                client.ehlo()
                for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"):
                    code, words = client.docmd(command)
                    if code >= 400:
                        return _come_again(code, words)
                client.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
                self._dot_sent.pass_by()
                code, words = client.getreply()
                return code == 250 or _come_again(code, words)
        except (smtplib.SMTPException, OSError):
            return False


def _come_again(code: int, words: bytes) -> bool:
    if code >= 500:
        raise Refused(f"{code} {words.decode(errors='replace')}")
    return False


class MailServer:
    """Delivers mail over SMTP, lays it into an IMAP mailbox, or both.

    `accepted` are the mails that the desk must have: they got 250, or stand on the IMAP server.
    """

    def __init__(self, name: str, smtp: SmtpClient, accounts: Mapping[str, Dovecot], chance: random.Random) -> None:
        self.accepted: list[Mail] = []
        self._smtp = smtp
        self._accounts = accounts
        self._chance = chance
        self._mails = correspondence(name, list(accounts), chance)
        self._wait = threading.Event()

    def send_one(self) -> None:
        """Write a mail and see that it arrives, by one way or by both."""
        mail, way = next(self._mails), self._chance.choice(WAYS)
        if way in {"imap", "both"}:
            self._append(mail)
        if way in {"smtp", "both"}:
            self._smtp.deliver(mail.content, mail.sender, mail.mailbox)
        self.accepted.append(mail)
        self._wait.wait(self._chance.uniform(0, 2 * GAP))

    def _append(self, mail: Mail) -> None:
        with self._accounts[mail.mailbox].client() as client:
            client.append("INBOX", mail.content)


class Postmaster:
    """Returns each third reply that the sink took, as soon as it has come: some before the desk has noted it.

    `returned` are the tickets of those replies: whoever wrote them must be told. The reports do not prove that they
    come from where the mail went, so no address is suspended and everybody goes on getting automatic mail.
    """

    def __init__(self, smtp: SmtpClient, sink: MailSink) -> None:
        self.returned: list[int] = []
        self._smtp = smtp
        self._sink = sink
        self._looked_at = 0
        self._replies = 0
        self._wait = threading.Event()

    def return_some(self) -> None:
        """Look through what has come since the last time."""
        self._wait.wait(PAUSE)
        new = self._sink.mails[self._looked_at :]
        self._looked_at += len(new)
        for caught in new:
            self._replies += not caught.message["Auto-Submitted"]
            if not caught.message["Auto-Submitted"] and self._replies % RETURNED == 0:
                self._return(caught)

    def _return(self, reply: Caught) -> None:
        head = reply.message
        tag, mailbox = TAG.search(head["Subject"]), head["From"].addresses[0].addr_spec
        assert tag, f"a reply without a ticket: {head['Subject']}"
        bounce = report(head["Message-ID"].strip("<>"), reply.recipients[0], to=mailbox)
        self._smtp.deliver(bounce, "", mailbox)
        self.returned.append(int(tag[1]))
