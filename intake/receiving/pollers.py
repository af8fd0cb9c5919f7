"""Polls every mailbox that is due, each in a thread of its own, so that one that hangs stops no other.

Where the server has IDLE, the thread stays with its mailbox and takes mail in as it comes.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from intake.receiving.imap import attend
from intake.receiving.imap_desk import Desk
from intake.receiving.imap_ledger import due_mailboxes
from intake.receiving.lease import Clock
from intake.receiving.spool import Spool
from shared.database import Database
from shared.fault_log import FaultLog
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

OWNER_LIMIT = 40
STOP_SECONDS = 20  # a poll that has not ended by then waits for a server that hangs


class Pollers:
    """Call `tick()` every few seconds, and `stop()` at the end.

    `tls` replaces the usual check of certificates; for servers with an authority of their own. While `has_room`
    is false nothing is fetched.
    """

    def __init__(
        self,
        *,
        database: Database,
        spool: Spool,
        tokens: Tokens,
        max_message_bytes: int,
        clock: Clock = lambda: datetime.now(UTC),
        tls: ssl.SSLContext | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self._stopping = threading.Event()
        self._faults = FaultLog()
        self._running: dict[int, threading.Thread] = {}
        self._desk = Desk(
            database=database,
            spool=spool,
            tokens=tokens,
            owner=new_owner(),
            max_message_bytes=max_message_bytes,
            clock=clock,
            tls=tls,
            is_stopping=self._stopping.is_set,
            has_room=has_room,
        )

    def tick(self) -> None:
        """Start a poll of each mailbox that is due and not being polled. Returns at once."""
        self._running = {number: thread for number, thread in self._running.items() if thread.is_alive()}
        with self._desk.database.reading() as session:
            due = due_mailboxes(session, self._desk.clock())
        for mailbox_id in due:
            if mailbox_id not in self._running and not self._stopping.is_set():
                thread = threading.Thread(target=self._poll, args=(mailbox_id,), name=f"imap-{mailbox_id}", daemon=True)
                self._running[mailbox_id] = thread
                thread.start()

    def wait(self, seconds: float = 60) -> bool:
        """Wait until no poll is running; False where one still is after `seconds`."""
        end = time.monotonic() + seconds
        for thread in self._running.values():
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._running.values())

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Let each poll end after its present step; one that hangs is left to die with the process."""
        self._stopping.set()
        if not self.wait(seconds):
            logger.warning("a mail server does not answer; its poll is given up")

    def _poll(self, mailbox_id: int) -> None:
        try:
            attend(mailbox_id, self._desk)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the mailbox is polled again
            self._faults.note(error, f"Polling mailbox {mailbox_id}")


def new_owner() -> str:
    """A name for the leases of this process, like no other's."""
    tail = f":{os.getpid()}:{secrets.token_hex(4)}"
    return socket.gethostname()[: OWNER_LIMIT - len(tail)] + tail
