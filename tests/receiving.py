"""What the tests of receiving share: mailboxes, a running SMTP server, and a look into the ledger."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import zstandard
from sqlalchemy import select

from intake.receiving.imap import Desk
from intake.receiving.lmtp import LmtpSession
from intake.receiving.smtp import Limits, Listener, SmtpServer
from intake.receiving.spool import Spool
from intake.types import FolderPosition, RawMessage, Source
from shared.database import Database
from shared.mailboxes import NewMailbox, add_mailbox, ensure_desk_mailbox
from shared.models import InboundMessage, Mailbox
from shared.tokens import Tokens

DESK = "support@desk.example"
CONNECTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAIN = b"From: Anna <anna@example.org>\r\nSubject: Printer\r\n\r\nIt is on fire.\r\n"


@dataclass
class Wakes:
    """Counts how often the worker would have been woken."""

    count: int = field(default=0)

    def __call__(self) -> None:
        self.count += 1


def desk_mailbox(database: Database, address: str = DESK) -> int:
    with database.transaction() as session:
        return ensure_desk_mailbox(session, address, "Desk", CONNECTED).id


def imap_mailbox(database: Database, tokens: Tokens, new: NewMailbox, connected: datetime = CONNECTED) -> int:
    with database.transaction() as session:
        return add_mailbox(session, tokens, new, connected).id


def stored(database: Database) -> list[InboundMessage]:
    with database.reading() as session:
        rows = list(session.scalars(select(InboundMessage).order_by(InboundMessage.id)))
        for row in rows:
            assert row.raw is not None
        return rows


def content_of(row: InboundMessage) -> bytes:
    return zstandard.decompress(row.raw.content)


def mailbox_of(database: Database, mailbox_id: int) -> Mailbox:
    with database.reading() as session:
        return session.get_one(Mailbox, mailbox_id)


def raw_mail(mailbox_id: int, content: bytes = PLAIN, uid: int | None = None, folder: str = "INBOX") -> RawMessage:
    place = None if uid is None else FolderPosition(folder=folder, uidvalidity=7, uid=uid)
    source = Source.SMTP if uid is None else Source.IMAP
    return RawMessage(
        content=content, source=source, mailbox_id=mailbox_id, received_at=datetime.now(UTC), position=place
    )


def polling(database: Database, tokens: Tokens, owner: str = "test") -> Desk:
    return Desk(database=database, spool=Spool(database), tokens=tokens, owner=owner)


SMTP = Listener(name="SMTP", address=("127.0.0.1", 0))
SMTPS = Listener(name="SMTPS", address=("127.0.0.1", 0), tls=True)
LMTP = Listener(name="LMTP", address=("127.0.0.1", 0), session=LmtpSession)


@contextmanager
def running_smtp(
    database: Database,
    limits: Limits | None = None,
    on_stored: Callable[[], None] = lambda: None,
    listeners: Sequence[Listener] = (SMTP,),
    **more: Any,
) -> Iterator[SmtpServer]:
    """A spool and a server on free ports, both stopped at the end. `more` goes to the server."""
    spool = Spool(database, on_stored)
    spool.start()
    try:
        server = SmtpServer(
            listeners=listeners, spool=spool, database=database, desk_address=DESK, limits=limits, **more
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        spool.stop()


def until(true: Callable[[], object]) -> None:
    """Wait until something is true; for what comes by itself, however slow the machine is."""
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become true within a minute")


class Dialogue:
    """A bare SMTP client that sends exactly the bytes that it is given."""

    def __init__(self, port: int, *, first: bytes = b"", tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.sendall(first)
        self._file = self._socket.makefile("rb")
        if tls is not None:
            self.protect(tls)

    def __enter__(self) -> Dialogue:
        self.greeting = self.answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def protect(self, tls: ssl.SSLContext) -> None:
        """Do the handshake. Raises ssl.SSLError."""
        self._file.close()
        self._socket = tls.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._file = self._socket.makefile("rb")

    def certificate(self) -> bytes:
        """The certificate that the server showed."""
        assert isinstance(self._socket, ssl.SSLSocket)
        shown = self._socket.getpeercert(binary_form=True)
        assert shown is not None
        return shown

    def say_no_more(self) -> None:
        """Close our half of the connection; answers still come."""
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> str:
        """The next answer with all its lines; "" where the server has closed."""
        lines = []
        while line := self._line():
            lines.append(line.decode().strip())
            if line[3:4] != b"-":
                break
        return "\n".join(lines)

    def _line(self) -> bytes:
        try:
            return self._file.readline()
        except ConnectionResetError:  # it was closed with something of ours unread
            return b""

    def say(self, *commands: str) -> list[str]:
        """Send commands one by one and return the answers."""
        answers = []
        for command in commands:
            self.send(command.encode("utf-8", "surrogateescape") + b"\r\n")
            answers.append(self.answer())
        return answers

    def begin(self, recipient: str = DESK) -> None:
        """Go up to the point where the mail data may come."""
        answers = self.say("EHLO client.example", "MAIL FROM:<anna@example.org>", f"RCPT TO:<{recipient}>", "DATA")
        assert [answer[:3] for answer in answers] == ["250", "250", "250", "354"], answers
