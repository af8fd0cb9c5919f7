"""The commands that run the half that takes mail in and sends: `letterdesk run`, `intake` and the workers of these."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import select

from intake import demo
from intake.pipeline import open_pipeline
from intake.service import Intake, Worker
from shared import accounts
from shared.children import Children, when_parent_ends
from shared.config import unknown_settings
from shared.listening import demand_portal_port
from shared.logs import start_logging
from shared.models import Ticket
from shared.opening import OpenDesk, open_desk, utc_now
from shared.ops import open_ops


@click.command()
@click.option("--samples", is_flag=True, help="Send sample mail into the desk when it is empty.")
def run(*, samples: bool) -> None:
    """Run everything on this machine: mail in, mail out, portal."""
    with open_desk() as desk:
        _warn()
        demand_portal_port(desk.settings)
        with serving(desk, workers=1) as (intake, children):
            children.start("portal")
            _greet(desk, intake)
            if samples:
                _send_samples(desk, intake)
            wait_for_the_end(children.watch)
    _take_leave()


@click.command("intake")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that read mail.")
def run_intake(*, workers: int) -> None:
    """Run the half that takes mail in, processes it and sends."""
    with open_desk() as desk:
        _warn()
        with serving(desk, workers=workers) as (_, children):
            wait_for_the_end(children.watch)
    _take_leave()


@click.command("worker", hidden=True)
@click.option("--with-parent", is_flag=True)
def run_worker(*, with_parent: bool) -> None:
    """Process stored mail, beside the intake that started this."""
    start_logging()
    with open_desk() as desk:
        worker = Worker("pipeline", open_pipeline(desk.settings, desk.database, desk.tokens).run_once)
        work(worker, with_parent=with_parent)


def work(worker: Worker, *, with_parent: bool) -> None:
    """Let a worker work until the end. Exits with status 1 where it ends by itself, so that another is started."""

    def watch() -> None:
        if not worker.is_alive:
            sys.exit("The worker has ended, which is a fault of the desk.")

    worker.start()
    wait_for_the_end(watch, with_parent=with_parent)
    worker.stop()


@contextmanager
def serving(desk: OpenDesk, *, workers: int) -> Iterator[tuple[Intake, Children]]:
    """Intake at work: receivers, pipeline, outbox, and what answers about their health.

    Further workers are among the children; whoever waits watches these.
    """
    start_logging()
    intake, children = Intake(desk.settings, desk.database), Children()
    ops = open_ops(desk.settings, desk.database, lambda: intake.fault() or children.fault())
    try:
        intake.start()
        for _ in range(workers - 1):
            children.start("worker")
        yield intake, children
    finally:
        children.ask_to_end()
        intake.stop()
        children.stop()
        if ops is not None:
            ops.stop()


def wait_for_the_end(every_second: Callable[[], None] = lambda: None, *, with_parent: bool = False) -> None:
    """Return after SIGTERM or SIGINT, or when the parent ends."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    if with_parent:
        when_parent_ends(end.set)
    while not end.wait(1):
        every_second()


def _warn() -> None:
    """Say in plain words, also where the log is not for people, which settings are none."""
    for sentence in unknown_settings():
        print(f"letterdesk: {sentence}", file=sys.stderr, flush=True)


def _take_leave() -> None:
    """Say to whoever stopped it at a terminal that all is well."""
    if sys.stdout.isatty():
        print("\nLetterdesk has stopped; what it had accepted is stored.", flush=True)


def _greet(desk: OpenDesk, intake: Intake) -> None:
    settings = desk.settings
    with desk.database.reading() as session:
        admins = accounts.count_admins(session)
    print(f"Letterdesk is running. The portal:  {settings.portal_base_url}")
    print(f"Mail is taken at:                   {_doors(intake)} for {settings.address}")
    goes = "is sent for real" if settings.sends_for_real else f"is written to {settings.outgoing_url}"
    print(f"What goes out:                      {goes}")
    if admins:
        print(f"Sign in as an administrator:        {settings.portal_base_url}/login")
    else:
        print(f"The first administrator:            {_own_name()} user add you@example.org --name NAME --role admin")
        if settings.admin_code:
            print(f"                                    or with the code at {settings.portal_base_url}/register")
    sys.stdout.flush()


def _doors(intake: Intake) -> str:
    """Where mail servers can hand in mail, and how where it is not by SMTP."""
    return ", ".join(
        f"{f'[{host}]' if ':' in host else host}:{port}{'' if name == 'SMTP' else f' ({name})'}"
        for name, (host, port) in intake.doors.items()
    )


def _own_name() -> str:
    """How this command was called, so that what is printed can be typed."""
    return sys.argv[0] if Path(sys.argv[0]).name == "letterdesk" and not shutil.which("letterdesk") else "letterdesk"


def _send_samples(desk: OpenDesk, intake: Intake) -> None:
    with desk.database.reading() as session:
        if session.scalar(select(Ticket.id).limit(1)) is not None or demo.why_not(desk.settings, session):
            return
    count = demo.send(intake.doors["SMTP"], desk.settings.address, utc_now())
    print(f"The desk was empty: {count} sample mails are on their way into it.", flush=True)
