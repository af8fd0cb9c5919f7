"""The SMTP server: listens, limits how many may talk at once, and stops without losing what it accepted.

It runs its own event loop in a thread; what it stores goes through the spool.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from intake.receiving.mail_data import Room
from intake.receiving.recipients import Recipients
from intake.receiving.smtp_commands import Limits
from intake.receiving.smtp_session import SmtpSession
from intake.receiving.spool import Spool
from shared.database import Database

__all__ = ["Limits", "ReceiveError", "SmtpServer"]

logger = logging.getLogger(__name__)

FULL = b"421 4.3.2 Too many connections; please try again later\r\n"
BACKLOG = 512
STORE_SECONDS = 60  # a mail that is being stored at the end gets its answer, as long as the database lives


class ReceiveError(Exception):
    """Mail cannot be taken in. The message is one sentence for the person who started the desk."""


class Refused(asyncio.Protocol):
    """A connection too many: told to come back later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(FULL)
        transport.close()


class SmtpServer:
    """Receives mail on `listen` (host, port; port 0 takes a free one) for the active mailboxes.

    `desk_address` is the desk's own address; mail for a postmaster goes there. The spool must be started
    before, and stopped after this.
    """

    session = SmtpSession
    name = "SMTP"

    def __init__(
        self,
        *,
        listen: tuple[str, int],
        spool: Spool,
        database: Database,
        desk_address: str,
        limits: Limits | None = None,
    ) -> None:
        self.spool = spool
        self.limits = limits or Limits()
        self.recipients = Recipients(database, desk_address)
        self.room = Room(self.limits.memory_bytes)
        self.sessions: set[SmtpSession] = set()
        self.stopping = False
        self._listen = listen
        self._hostname = desk_address.rpartition("@")[2]
        self._bound: Future[int] = Future()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=self.name.lower(), daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._bound.result(0)

    @property
    def is_alive(self) -> bool:
        """Whether it takes mail."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Listen. Raises ReceiveError where the address cannot be had."""
        self._thread.start()
        try:
            self._bound.result()
        except OSError as error:
            self._thread.join()
            raise ReceiveError(self._sentence(error)) from None

    def stop(self) -> None:
        """Take no more connections, finish the mails that are under way, and end. May be called twice."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._bound.done():
                logger.exception("the %s server has ended", self.name)
            else:
                self._bound.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        host, port = self._listen
        server = await self._loop.create_server(self._conversation, host, port, backlog=BACKLOG)
        self._bound.set_result(server.sockets[0].getsockname()[1])
        await self._end.wait()
        self.stopping = True
        server.close()
        await self._finish()

    def _conversation(self) -> asyncio.BaseProtocol:
        if len(self.sessions) >= self.limits.max_connections or self.stopping:
            return Refused()
        session = self.session(self, hostname=self._hostname, loop=asyncio.get_running_loop())
        self.sessions.add(session)  # now, so that a burst is counted while it comes in
        return session

    async def _finish(self) -> None:
        """Send the idle away, wait for mails that are still coming in, then only for those being stored."""
        for session in [each for each in self.sessions if not each.busy]:
            session.say_goodbye()
        await self._until(lambda: not self.sessions, self.limits.grace_seconds)
        for session in [each for each in self.sessions if not each.storing]:
            session.say_goodbye()
        await self._until(lambda: not any(each.storing for each in self.sessions), STORE_SECONDS)
        for session in list(self.sessions):
            session.abort()

    @staticmethod
    async def _until(done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            await asyncio.sleep(0.02)

    def _sentence(self, error: OSError) -> str:
        host, port = self._listen
        if error.errno == errno.EADDRINUSE:
            why = "another program already listens there; stop it or choose another port"
        elif error.errno == errno.EACCES:
            why = "ports below 1024 need special rights; choose another port"
        else:
            why = f"the address cannot be used ({error.strerror or error})"
        return f"Mail cannot be received over {self.name} on {host}:{port}: {why}."
