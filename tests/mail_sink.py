"""A real SMTP server that keeps what it gets and fails when it is told to, at the moment that it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

DROP = "drop"  # end the connection instead of answering; a mail that ends so is not kept
KEEP_AND_DROP = "keep and drop"  # keep the mail at its final dot, and end the connection instead of saying so
STALL = "stall"  # never answer
MOMENTS = ("mail", "rcpt", "data", "end")  # which command is answered otherwise; "end" is the final dot


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A mail as the sink took it: its envelope, what the client said to be, and its bytes."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    is_encrypted: bool
    user: str | None
    connection: int

    @property
    def message(self) -> EmailMessage:
        parsed = BytesParser(policy=default).parsebytes(self.content)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass(slots=True)
class _Hold:
    """An answer that is held back."""

    has_come: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False


class MailSink:
    """What was caught, and what is to go wrong: each `answer` of a moment is used once, then all is well again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mails: list[Caught] = []
        self.connections = 0
        self.pipelining = False
        self.stalled = threading.Event()
        self._hold: _Hold | None = None
        self._answers: dict[str, deque[str]] = {moment: deque() for moment in MOMENTS}

    def answer(self, moment: str, *words: str) -> None:
        """Answer the next times with these words or as DROP and the like say, at "mail", "rcpt", "data" or "end"."""
        self._answers[moment].extend(words)

    def forget_answers(self) -> None:
        """Answer as a server does from now on."""
        for answers in self._answers.values():
            answers.clear()

    @contextmanager
    def held(self) -> Iterator[threading.Event]:
        """Take the next mail, but answer its final dot only when the block ends. The event says that it has come."""
        hold = self._hold = _Hold()
        try:
            yield hold.has_come
        finally:
            self._hold = None
            hold.is_over = True

    async def wait_while_held(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.has_come.set()
            while not hold.is_over:
                await asyncio.sleep(0.01)

    def next_answer(self, moment: str) -> str | None:
        answers = self._answers[moment]
        return answers.popleft() if answers else None


class _Server(SMTP):
    """aiosmtpd, with the answers of the sink before its own."""

    def __init__(self, sink: MailSink, **options: Any) -> None:
        self._sink = sink
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a login without encryption is what some tests are about
            super().__init__(_Keeper(sink), hostname="sink.example", enable_SMTPUTF8=True, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not getattr(self, "_is_counted", False):  # STARTTLS makes the connection a second time
            self._sink.connections += 1
            self.number = self._sink.connections
            self._is_counted = True
        super().connection_made(transport)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if not await self._fails("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if not await self._fails("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        if not await self._fails("data"):
            await super().smtp_DATA(arg)

    async def _fails(self, moment: str) -> bool:
        answer = self._sink.next_answer(moment)
        if answer == DROP:
            self.drop()
        elif answer == STALL:
            self._sink.stalled.set()
        elif answer is not None:
            await self.push(answer)
        return answer is not None

    @property
    def is_encrypted(self) -> bool:
        return self.transport is not None and self.transport.get_extra_info("ssl_object") is not None

    def drop(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class _Keeper:
    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def handle_EHLO(  # noqa: N802
        self, _server: _Server, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return ["250-PIPELINING", *responses] if self._sink.pipelining else responses

    async def handle_DATA(self, server: _Server, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._sink.next_answer("end")
        if answer == DROP:
            server.drop()
            return "451 dropped"
        if answer == STALL:
            self._sink.stalled.set()
            await asyncio.Event().wait()
        if answer is not None and answer != KEEP_AND_DROP and not answer.startswith("2"):
            return answer
        content = envelope.original_content or b""
        login = session.auth_data if isinstance(session.auth_data, str) else None
        self._sink.mails.append(
            Caught(
                sender=(envelope.mail_from or "").removeprefix("<>"),
                recipients=tuple(envelope.rcpt_tos),
                content=content,
                is_encrypted=server.is_encrypted,
                user=login,
                connection=server.number,
            )
        )
        await self._sink.wait_while_held()
        if answer == KEEP_AND_DROP:
            server.drop()
        return answer or "250 2.0.0 kept"


@contextmanager
def mail_sink(
    *,
    starttls: ssl.SSLContext | None = None,
    implicit_tls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    port: int = 0,
) -> Iterator[MailSink]:
    """Run a sink on 127.0.0.1; on a free port, or on one where a sink stood before."""
    bound = socket.create_server(("127.0.0.1", port))
    sink = MailSink(bound.getsockname()[1])
    options: dict[str, Any] = {"tls_context": starttls}
    if login is not None:
        options |= {"authenticator": _authenticator(login), "auth_required": True, "auth_require_tls": False}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mail-sink", daemon=True)
    thread.start()
    made = loop.create_server(lambda: _Server(sink, loop=loop, **options), sock=bound, ssl=implicit_tls)
    server = asyncio.run_coroutine_threadsafe(_awaited(made), loop).result(10)
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _awaited(made: Any) -> asyncio.Server:
    server = await made
    assert isinstance(server, asyncio.Server)
    return server


async def _stop(server: asyncio.Server) -> None:
    server.close()
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


def _authenticator(login: tuple[str, str]) -> Any:
    def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=is_right, auth_data=login[0] if is_right else None, handled=False)

    return check
