"""Composition root of intake: settings to sessions, servers, scheduler and workers; start and stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from intake.alert_posts import post_news
from intake.clock_watch import ClockWatch, run_at_once
from intake.outbound.deliver import Outbox
from intake.pipeline import open_pipeline
from intake.receiving.front_door import open_front_door
from intake.receiving.pollers import Pollers
from intake.receiving.room import DiskRoom
from intake.receiving.spool import Spool
from intake.upkeep import keep_up
from shared import mailboxes
from shared.config import Settings
from shared.database import Database
from shared.fault_log import FaultLog
from shared.tokens import Tokens

IDLE_SECONDS = 0.5  # how soon work is found that nobody announced: by the portal, or by another process
TICK_SECONDS = 1
ROOM_SECONDS = 5
MAINTENANCE_SECONDS = 60
LONGEST_WAIT = 5.0


class Worker:
    """Calls `run_once` in a thread of its own, again at once while it finds work, else when woken or idle."""

    def __init__(self, name: str, run_once: Callable[[], int], after_work: Callable[[], None] = lambda: None) -> None:
        self._run_once = run_once
        self._after_work = after_work
        self._faults = FaultLog()
        self._awake = threading.Event()
        self._stopping = False
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it works, or waits for work."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._awake.set()

    def stop(self) -> None:
        """End after the work at hand."""
        self._stopping = True
        self._awake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._awake.clear()
            if not self._work():
                self._awake.wait(min(IDLE_SECONDS * 2**self._failures, LONGEST_WAIT))

    def _work(self) -> bool:
        try:
            done = self._run_once()
        except Exception as error:  # noqa: BLE001 - the edge of a thread: it tries again
            self._faults.note(error, f"The work of the {self._thread.name}")
            self._failures = min(self._failures + 1, 10)
            return False
        self._failures = 0
        if done:
            self._after_work()
        return done > 0


class Intake:
    """Takes mail in, processes it and sends what is queued, until stopped.

    `start` raises ReceiveError or TransportError with one sentence where it cannot; then nothing runs.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        tokens = Tokens(settings.secret_key, *settings.old_keys)
        self._delivering = Outbox(database, tokens, settings)
        self._outbox = Worker("outbox", self._delivering.run_once)
        self._other_servers = Worker("outbox-servers", self._delivering.serve_others)
        self._processing = open_pipeline(settings, database, tokens)
        self._pipeline = Worker("pipeline", self._processing.run_once, self._outbox.wake)
        self._spool = Spool(database, self._pipeline.wake)
        self._room = DiskRoom.of(settings, database)
        self._front_door = open_front_door(settings, spool=self._spool, database=database, has_room=self._room.has_room)
        self._pollers = Pollers(
            database=database,
            spool=self._spool,
            tokens=tokens,
            max_message_bytes=settings.max_message_bytes,
            has_room=self._room.has_room,
        )
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": 30}
        )
        self._clock = Worker("clock", ClockWatch(partial(run_at_once, self._scheduler)).look)

    def start(self) -> None:
        """Start everything, receivers last: nothing is accepted that could not be worked on."""
        with self._database.transaction() as session:
            mailboxes.ensure_desk_mailbox(session, self._settings.address, self._settings.desk_name, _now())
        self._spool.start()
        try:
            if self._front_door is not None:
                self._front_door.start()
        except Exception:
            self._spool.stop()
            raise
        self._pipeline.start()
        self._outbox.start()
        self._other_servers.start()
        self._every(TICK_SECONDS, "Looking for mailboxes to poll", self._pollers.tick)
        self._every(ROOM_SECONDS, "Saying how much room there is", self._report_room)
        self._every(MAINTENANCE_SECONDS, "The upkeep", self._maintain)
        self._every(MAINTENANCE_SECONDS, "Telling of alarms", self._post_alerts)
        self._scheduler.start()
        self._clock.start()

    def stop(self) -> None:
        """Stop receiving, store what was accepted, and end after the work at hand; also where `start` failed.

        The outbox begins no further mail from the first moment on: whoever kills a service that takes long to stop
        is not to find it between the final dot of a reply and its answer.
        """
        self._delivering.stop()
        self._processing.stop()
        self._clock.stop()
        if self._scheduler.running:
            self._scheduler.pause()
        with ThreadPoolExecutor(2, thread_name_prefix="stop") as both:  # a mail server that hangs delays no client
            both.submit(self._pollers.stop)
            if self._front_door is not None:
                both.submit(self._front_door.stop)
        self._spool.stop()
        self._pipeline.stop()
        with suppress(SQLAlchemyError):  # then what was not done is free when its lease ends
            self._processing.close()
        self._outbox.stop()
        self._other_servers.stop()
        self._delivering.close()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def fault(self) -> str | None:
        """Say which part of it has ended that should not have; None where all work."""
        works = {
            "spool": self._spool.is_alive,
            "pipeline": self._pipeline.is_alive,
            "outbox": self._outbox.is_alive and self._other_servers.is_alive,
            "scheduler": self._scheduler.running,
            "server for mail": self._front_door is None or self._front_door.is_alive,
        }
        ended = [name for name, alive in works.items() if not alive]
        return f"not running: {', '.join(ended)}" if ended else None

    @property
    def doors(self) -> dict[str, tuple[str, int]]:
        """Where mail is taken (host, port), by protocol; a port differs from the setting where that was 0."""
        return self._front_door.doors if self._front_door is not None else {}

    def _every(self, seconds: float, doing: str, job: Callable[[], object]) -> None:
        """Do a job now, and every so many seconds; one that fails comes again."""
        faults = FaultLog()

        def step() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: it comes again
                faults.note(error, doing)

        self._scheduler.add_job(step, "interval", seconds=seconds, next_run_time=_now())

    def _report_room(self) -> None:
        self._room.report(self._database, _now())

    def _post_alerts(self) -> None:
        post_news(self._database, self._settings, _now())

    def _maintain(self) -> None:
        keep_up(self._database, self._settings, _now())


def _now() -> datetime:
    return datetime.now(UTC)
