"""The front door: the command `letterdesk`, which composes intake and portal. The work itself is done there."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from intake import commands as mail
from intake import demo, examine, ledger_commands, mailbox_commands
from intake.outbound.transport import TransportError
from intake.outbox_commands import outbox
from intake.parsing.attachments import extract
from intake.parsing.message import parse
from intake.pipeline import open_pipeline
from intake.receiving.imap_connection import ImapFault
from intake.receiving.smtp import ReceiveError
from intake.replaying import ReplayError
from intake.service import Intake, Worker
from portal import commands as people
from portal.app import create_app
from portal.server import PortalServer
from shared import accounts, mailboxes
from shared import commands as whole
from shared.backup.archive import BackupError
from shared.children import Children, when_parent_ends
from shared.config import ConfigError, host_and_port
from shared.credentials import AccountError
from shared.database import Database
from shared.logs import start_logging
from shared.models import Ticket
from shared.opening import OpenDesk, open_desk, utc_now
from shared.ops import OpsServer

logger = logging.getLogger("letterdesk")

FAULTS = (
    ConfigError,
    ReceiveError,
    TransportError,
    AccountError,
    ImapFault,
    mailboxes.MailboxError,
    demo.DemoError,
    examine.ExamineError,
    BackupError,
    ReplayError,
)


def main() -> None:
    """Run a command. A fault is one line on standard error and exit status 1; wrong usage is 2."""
    try:
        command()
    except FAULTS as error:
        _stop(str(error))
    except SQLAlchemyError as error:
        _stop(f"The database cannot be used: {str(error.__cause__ or error).strip().splitlines()[0]}")


def _stop(sentence: str) -> None:
    print(f"letterdesk: {sentence}", file=sys.stderr)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="letterdesk")
def command() -> None:
    """A help desk whose front door is a mailbox."""


for part in (
    mailbox_commands.mailbox,
    ledger_commands.replay,
    mail.explain_mail,
    mail.run_demo,
    mail.run_doctor,
    outbox,
    people.user,
    whole.print_status,
    whole.migrate,
    whole.backup,
    whole.restore,
):
    command.add_command(part)


# ------------------------------------------------------------------ running


@command.command()
@click.option("--samples", is_flag=True, help="Send sample mail into the desk when it is empty.")
def run(*, samples: bool) -> None:
    """Run everything on this machine: mail in, mail out, portal."""
    with open_desk() as desk, serving(desk, workers=1) as (intake, children):
        children.start("portal")
        _greet(desk, intake)
        if samples:
            _send_samples(desk, intake)
        wait_for_the_end(children.watch)


@command.command("intake")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that read mail.")
def run_intake(*, workers: int) -> None:
    """Run the half that takes mail in, processes it and sends."""
    with open_desk() as desk, serving(desk, workers=workers) as (_, children):
        wait_for_the_end(children.watch)


@command.command("worker", hidden=True)
@click.option("--with-parent", is_flag=True)
def run_worker(*, with_parent: bool) -> None:
    """Process stored mail, beside the intake that started this."""
    start_logging()
    with open_desk() as desk:
        worker = Worker("pipeline", open_pipeline(desk.settings, desk.database, desk.tokens).run_once)
        worker.start()
        wait_for_the_end(with_parent=with_parent)
        worker.stop()


@command.command("portal")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that serve.")
@click.option("--with-parent", is_flag=True, hidden=True)
def run_portal(*, workers: int, with_parent: bool) -> None:
    """Run the half that people look at."""
    start_logging()
    with open_desk() as desk:
        settings = desk.settings
        ops = None if with_parent else _open_ops(desk)
    if with_parent:
        when_parent_ends(lambda: signal.raise_signal(signal.SIGTERM))
    try:
        PortalServer(
            lambda: create_app(settings, Database(settings.database_url), extract=extract, read=_text),
            settings.portal_listen,
            workers,
        ).run()
    finally:
        if ops is not None:
            ops.stop()


def _text(raw: bytes) -> str:
    return parse(raw).text


@contextmanager
def serving(desk: OpenDesk, *, workers: int) -> Iterator[tuple[Intake, Children]]:
    """Intake at work: receivers, pipeline, outbox, and what answers about their health.

    Further workers are among the children; whoever waits watches these.
    """
    start_logging()
    intake = Intake(desk.settings, desk.database)
    ops = _open_ops(desk, intake.fault)
    children = Children()
    try:
        intake.start()
        for _ in range(workers - 1):
            children.start("worker")
        yield intake, children
    finally:
        children.stop()
        intake.stop()
        if ops is not None:
            ops.stop()


def _open_ops(desk: OpenDesk, health: Callable[[], str | None] = lambda: None) -> OpsServer | None:
    """Answer about health. That the usual port is taken stops nothing; a port that was asked for does."""
    if not desk.settings.ops_listen:
        return None
    try:
        return OpsServer(host_and_port(desk.settings.ops_listen), desk.database, health)
    except ConfigError as error:
        if "ops_listen" in desk.settings.model_fields_set:
            raise
        logger.warning("%s Health and metrics are not served.", error)
        return None


def wait_for_the_end(every_second: Callable[[], None] = lambda: None, *, with_parent: bool = False) -> None:
    """Return after SIGTERM or SIGINT, or when the parent ends."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    if with_parent:
        when_parent_ends(end.set)
    while not end.wait(1):
        every_second()


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
        print(f"The first administrator:            {_own_name()} user add you@example.org --role admin")
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


if __name__ == "__main__":
    main()
