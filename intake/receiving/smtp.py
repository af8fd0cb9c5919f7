"""The server that takes mail in: listens, limits how many may talk at once, and stops without losing what it accepted.

It runs its own event loop in a thread; what it stores goes through the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from intake.receiving.clients import Clients
from intake.receiving.faults import ReceiveError
from intake.receiving.mail_data import Room
from intake.receiving.proxy import ProxiedArrival
from intake.receiving.recipients import Recipients
from intake.receiving.smtp_commands import Limits
from intake.receiving.smtp_connection import TOO_BUSY, SmtpConnection
from intake.receiving.smtp_session import SmtpSession
from intake.receiving.spool import Spool
from intake.receiving.tls import Certificate, CertificateError
from shared.database import Database
from shared.fault_log import FaultLog
from shared.listening import refusal
from shared.setting_values import Network

__all__ = ["Limits", "Listener", "ReceiveError", "SmtpServer"]

logger = logging.getLogger(__name__)

BACKLOG = 512
TURN_SECONDS = 0.02  # in which the event loop does what was just begun: taking a connection in, closing one
STORE_SECONDS = 60  # a mail that is being stored at the end gets its answer, as long as the database lives


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where mail is taken (host, port; port 0 takes a free one), and how. With `tls` it begins with the handshake."""

    name: str
    address: tuple[str, int]
    session: type[SmtpSession] = SmtpSession
    tls: bool = False


class Refused(asyncio.Protocol):
    """A connection too many: told to come back later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(f"{TOO_BUSY}\r\n".encode())
        transport.close()


class SmtpServer:
    """Receives mail on all of its listeners, under one set of limits, for the active mailboxes.

    `desk_address` is the desk's own address; mail for a postmaster goes there. With a `certificate` STARTTLS is
    offered. `has_room` says whether mail may be taken now. Connections from `proxies` begin with a PROXY header. The
    spool must be started before, and stopped after this.
    """

    def __init__(
        self,
        *,
        listeners: Sequence[Listener],
        spool: Spool,
        database: Database,
        desk_address: str,
        limits: Limits | None = None,
        certificate: Certificate | None = None,
        proxies: Sequence[Network] = (),
        has_room: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spool = spool
        self.limits = limits or Limits()
        self.recipients = Recipients(database, desk_address)
        self.memory = Room(self.limits.memory_bytes)
        self.clients = Clients(
            connections=self.limits.connections_of_one, mails=self.limits.mails_a_minute, clock=clock
        )
        self.faults = FaultLog()
        self.certificate = certificate
        self.has_room = has_room
        self.sessions: set[SmtpConnection] = set()
        self.stopping = False
        self._listeners = listeners
        self._proxies = proxies
        self._hostname = desk_address.rpartition("@")[2]
        self._arriving: set[ProxiedArrival] = set()
        self._bound: Future[dict[str, tuple[str, int]]] = Future()
        self._end: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="smtp", daemon=True)

    @property
    def doors(self) -> dict[str, tuple[str, int]]:
        """Where it listens (host, port), by the listeners' names, once started."""
        return self._bound.result(0)

    @property
    def port(self) -> int:
        """The port of the first listener, once started."""
        return self.doors[self._listeners[0].name][1]

    @property
    def is_alive(self) -> bool:
        """Whether it takes mail."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Listen. Raises ReceiveError where an address cannot be had or the certificate cannot be used."""
        try:
            if self.certificate is not None:
                self.certificate.context()
        except CertificateError as error:
            raise ReceiveError(str(error)) from None
        self._thread.start()
        try:
            self._bound.result()
        except ReceiveError:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Take no more connections, finish the mails that are under way, and end. May be called twice."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        if self._thread.ident is not None:
            self._thread.join()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._bound.done():
                logger.exception("the server for mail that comes in has ended")
            else:
                self._bound.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            doors = {}
            for listener in self._listeners:
                server = await self._listen(listener)
                stack.callback(server.close)
                doors[listener.name] = (listener.address[0], server.sockets[0].getsockname()[1])
            self._bound.set_result(doors)
            await self._end.wait()
            self.stopping = True
        await self._finish()

    async def _listen(self, listener: Listener) -> asyncio.Server:
        arrive = partial(self._arrive, listener)
        try:
            return await asyncio.get_running_loop().create_server(arrive, *listener.address, backlog=BACKLOG)
        except OSError as error:
            raise ReceiveError(sentence_of(listener, error)) from None

    # ------------------------------------------------------------------ connections

    def _arrive(self, listener: Listener) -> asyncio.BaseProtocol:
        if self.stopping or not self._make_room():
            return Refused()
        session = listener.session(
            self, hostname=self._hostname, loop=asyncio.get_running_loop(), begins_with_tls=listener.tls
        )
        if not self._proxies:
            self.sessions.add(session)  # now, so that a burst is counted while it comes in
            return session
        arrival = ProxiedArrival(
            self._proxies, session, done=partial(self._arrived, session), seconds=self.limits.proxy_seconds
        )
        self._arriving.add(arrival)
        return arrival

    def _arrived(self, session: SmtpConnection, arrival: ProxiedArrival, handed_over: bool) -> None:
        self._arriving.discard(arrival)
        if handed_over:
            self.sessions.add(session)

    def _make_room(self) -> bool:
        """Whether one more may come, if need be in the place of the one that has been silent for longest."""
        if len(self.sessions) + len(self._arriving) < self.limits.max_connections:
            return True
        idle = [session for session in self.sessions if not (session.busy or session.is_ending)]
        silent = min(idle, key=lambda session: session.silent_since, default=None)
        if silent is None or silent.silent_seconds < self.limits.crowded_idle_seconds:
            return False
        silent.say_goodbye(TOO_BUSY)
        return True

    async def _finish(self) -> None:
        """Send the idle away, wait for mails that are still coming in, then only for those being stored."""
        await asyncio.sleep(TURN_SECONDS)
        for arrival in list(self._arriving):
            arrival.close()
        for session in [each for each in self.sessions if not each.busy]:
            session.say_goodbye()
        await self._until(lambda: not self.sessions, self.limits.grace_seconds)
        for session in [each for each in self.sessions if not each.storing]:
            session.say_goodbye()
        await self._until(lambda: not any(each.storing for each in self.sessions), STORE_SECONDS)
        for session in list(self.sessions):
            session.abort()
        await asyncio.sleep(TURN_SECONDS)

    @staticmethod
    async def _until(done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            await asyncio.sleep(TURN_SECONDS)


def sentence_of(listener: Listener, error: OSError) -> str:
    """Why an address cannot be listened on, for the person who set it."""
    return f"Mail cannot be received over {listener.name}: {refusal(listener.address, error)}."
