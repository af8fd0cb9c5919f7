"""The outbox worker: shares what is due among lanes, one for each outgoing server, so that none holds up another."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from intake.outbound import ledger
from intake.outbound.dkim import load_keys
from intake.outbound.lane import Lane, Post
from intake.outbound.load import Desk
from intake.outbound.results import at_once
from intake.outbound.transport import Broken, Transport, TransportError, open_transport
from shared.caps import caps_of
from shared.config import Settings
from shared.database import Database
from shared.fault_log import FaultLog
from shared.models import Delivery, Mailbox
from shared.tokens import Tokens

UNREADABLE = "The outgoing server of this mailbox cannot be read with this secret key; set it again."
GRACE_SECONDS = 5.0  # who stops a service waits ten seconds or more before they kill it
MOST_LANES = 16  # servers of mailboxes that are served at one time, beside the desk's own

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Outbox:
    """Sends what is due. The desk's own server is served by whoever calls, each other one by a thread of its own.

    For one thread that calls `run_once` and one that calls `serve_others`; several outboxes share a database. Raises
    ConfigError where a DKIM key cannot be used.
    """

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        settings: Settings,
        *,
        transport: Transport | None = None,
        clock: Clock = utc_now,
        chance: Callable[[], float] = random.random,
        grace: float = GRACE_SECONDS,
    ) -> None:
        desk = Desk(
            address=settings.address,
            name=settings.desk_name,
            portal_url=settings.portal_base_url,
            close_after_days=settings.close_after_days,
            tokens=tokens,
        )
        self._post = Post(
            database=database,
            desk=desk,
            keys=load_keys(settings.dkim_keys),
            caps=caps_of(settings),
            clock=clock,
            chance=chance,
            stopping=threading.Event(),
        )
        if transport is not None:
            self._own = Lane(self._post, lambda: transport, most=1)
        else:
            self._own = Lane(self._post, partial(open_transport, settings.outgoing_url))
        self._impatience = threading.Timer(grace, self._lose_patience)
        self._impatience.name, self._impatience.daemon = "outbox-patience", True
        self._faults = FaultLog()
        self._urls: dict[str, str] = {}
        self._others: dict[str, Lane] = {}
        self._busy: dict[str, Future[None]] = {}
        self._threads = ThreadPoolExecutor(MOST_LANES, thread_name_prefix="outbox")

    def run_once(self) -> int:
        """Send a batch through the desk's own server; returns how many mails were taken up, 0 where none was due.

        Raises SQLAlchemyError where the database fails; nothing is lost by that, and the next call goes on.
        """
        servers = self._look()
        elsewhere = [number for mailboxes in servers.values() for number in mailboxes]
        return self._own.run_once(Delivery.mailbox_id.not_in(elsewhere))

    def serve_others(self) -> int:
        """Let the other servers begin with what is due for them; returns how many did, and waits for none.

        For a thread of its own, since `run_once` lasts as long as the desk's own server wants.
        """
        servers = self._look()
        self._forget_all_but(servers)
        return sum(self._start(url, Delivery.mailbox_id.in_(mailboxes)) for url, mailboxes in servers.items())

    def wait(self) -> None:
        """Return when the servers of all mailboxes have taken, or refused, what was due."""
        wait(list(self._busy.values()))

    def stop(self) -> None:
        """Let `run_once` end after the mail at hand; what it has not begun stays queued. For any thread.

        A server that does not answer within `grace` seconds is not waited for: its mail is deferred or unknown.
        """
        if not self._post.stopping.is_set():
            self._impatience.start()
        self._post.stopping.set()

    def close(self) -> None:
        """End the connections to the outgoing servers, after the mails at hand."""
        self._post.stopping.set()
        self._threads.shutdown(wait=True)
        self._impatience.cancel()
        for lane in self._lanes():
            lane.close()

    def _servers(self, session: Session) -> dict[str, list[int]]:
        """The URLs of the servers of mailboxes that have one of their own, and whose they are.

        All whose URL cannot be read are together under "".
        """
        own = select(Mailbox.outgoing_secret, Mailbox.id).where(Mailbox.outgoing_secret.is_not(None))
        rows = [(secret or "", number) for secret, number in session.execute(own.order_by(Mailbox.id))]
        read = self._post.desk.tokens.decrypt
        urls = {secret: self._urls.get(secret) or read(secret) or "" for secret, _ in rows}
        found: dict[str, list[int]] = defaultdict(list)
        for secret, number in rows:
            found[urls[secret]].append(number)
        self._urls = urls
        return found

    def _lose_patience(self) -> None:
        for lane in self._lanes():
            lane.abort()

    def _lanes(self) -> tuple[Lane, ...]:
        return (self._own, *tuple(self._others.values()))

    def _look(self) -> dict[str, list[int]]:
        """Clear up after whoever died over a mail, and see which servers there are.

        What is known of our own mails is written first: after an outage nobody is to be taken for dead who is not.
        """
        for lane in self._lanes():
            lane.settle()
        with self._post.database.reading() as session:
            servers = self._servers(session)
            is_any_lost = ledger.is_any_lost(session, self._post.clock())
        if is_any_lost:
            at_once(self._post.database, lambda session: ledger.recover(session, self._post.clock()))
        return servers

    def _start(self, url: str, where: ColumnElement[bool]) -> bool:
        """Serve the server of some mailboxes where something is due, unless it is being served already."""
        running = self._busy.get(url)
        if running is not None and not running.done():
            return False
        with self._post.database.reading() as session:
            if not ledger.is_any_due(session, self._post.clock(), where):
                return False
        if url not in self._others:
            self._others[url] = Lane(self._post, partial(_transport, url))
        self._busy[url] = self._threads.submit(self._serve, self._others[url], where)
        return True

    def _serve(self, lane: Lane, where: ColumnElement[bool]) -> None:
        try:
            while not self._post.stopping.is_set() and lane.run_once(where):
                pass
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the lane tries again
            self._faults.note(error, "The work of the outbox")

    def _forget_all_but(self, servers: Mapping[str, Sequence[int]]) -> None:
        for url, lane in list(self._others.items()):
            if url not in servers and self._busy[url].done() and lane.is_settled:
                del self._others[url], self._busy[url]
                lane.close()


def _transport(url: str) -> Transport:
    """The transport of a mailbox's own server; one that says why there is none where its URL is not good."""
    if not url:
        return Broken(UNREADABLE)
    try:
        return open_transport(url)
    except TransportError as error:
        return Broken(str(error))
