"""The front door: the command `letterdesk`, which composes intake and portal. The work itself is done there."""

from __future__ import annotations

import json
import logging
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from intake import demo, doctor, examine
from intake.outbound.transport import TransportError
from intake.parsing.attachments import extract
from intake.pipeline import Pipeline
from intake.present import present
from intake.receiving.imap_connection import ImapFault
from intake.receiving.imap_ledger import read_account
from intake.receiving.imap_probe import probe
from intake.receiving.smtp import ReceiveError
from intake.service import Intake, Worker
from portal.app import create_app
from portal.server import PortalServer
from shared import accounts, mailboxes, schema, status
from shared.addresses import address_key
from shared.children import Children, when_parent_ends
from shared.config import ConfigError, Settings, host_and_port, load_settings
from shared.credentials import AccountError, hash_password
from shared.database import Database
from shared.logs import start_logging
from shared.models import Role, Ticket, User
from shared.ops import OpsServer
from shared.people import user_of_address
from shared.tokens import Tokens

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
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the commands work on: the settings, the database and the tokens."""

    settings: Settings
    database: Database
    tokens: Tokens


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


@contextmanager
def open_desk(*, migrated: bool = True) -> Iterator[Desk]:
    """The configured desk. SQLite is brought up to date by itself; PostgreSQL must be (`letterdesk migrate`)."""
    settings = load_settings()
    if settings.lmtp_listen:
        raise ConfigError("LETTERDESK_LMTP_LISTEN is set, but LMTP is not taken yet; leave it empty and use SMTP.")
    database = Database(settings.database_url)
    try:
        if migrated:
            _bring_up_to_date(database)
        yield Desk(settings=settings, database=database, tokens=Tokens(settings.secret_key, *settings.old_keys))
    finally:
        database.close()


def _bring_up_to_date(database: Database) -> None:
    if schema.is_current(database):
        return
    if not database.is_sqlite:
        raise ConfigError("The database is not of this version; run: letterdesk migrate")
    schema.migrate(database)


def _now() -> datetime:
    return datetime.now(UTC)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="letterdesk")
def command() -> None:
    """A help desk whose front door is a mailbox."""


# ------------------------------------------------------------------ running


@command.command()
@click.option("--samples", is_flag=True, help="Send sample mail into the desk when it is empty.")
def run(*, samples: bool) -> None:
    """Run everything on this machine: mail in, mail out, portal."""
    with open_desk() as desk, serving(desk, workers=1) as intake:
        children = Children()
        children.start("portal")
        try:
            _greet(desk, intake)
            if samples:
                _send_samples(desk, intake)
            wait_for_the_end(children.watch)
        finally:
            children.stop()


@command.command("intake")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that read mail.")
def run_intake(*, workers: int) -> None:
    """Run the half that takes mail in, processes it and sends."""
    with open_desk() as desk, serving(desk, workers=workers):
        wait_for_the_end()


@command.command("worker", hidden=True)
@click.option("--with-parent", is_flag=True)
def run_worker(*, with_parent: bool) -> None:
    """Process stored mail, beside the intake that started this."""
    start_logging()
    with open_desk() as desk:
        worker = Worker("pipeline", Pipeline(desk.database, desk.tokens).run_once)
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
            lambda: create_app(settings, Database(settings.database_url), extract=extract),
            settings.portal_listen,
            workers,
        ).run()
    finally:
        if ops is not None:
            ops.stop()


@contextmanager
def serving(desk: Desk, *, workers: int) -> Iterator[Intake]:
    """Intake at work: receivers, pipeline, outbox, and what answers about their health."""
    start_logging()
    intake = Intake(desk.settings, desk.database)
    ops = _open_ops(desk)
    children = Children()
    try:
        intake.start()
        for _ in range(workers - 1):
            children.start("worker")
        yield intake
    finally:
        children.stop()
        intake.stop()
        if ops is not None:
            ops.stop()


def _open_ops(desk: Desk) -> OpsServer | None:
    """Answer about health. That the usual port is taken stops nothing; a port that was asked for does."""
    if not desk.settings.ops_listen:
        return None
    try:
        return OpsServer(host_and_port(desk.settings.ops_listen), desk.database)
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


def _greet(desk: Desk, intake: Intake) -> None:
    settings = desk.settings
    with desk.database.reading() as session:
        admins = accounts.count_admins(session)
    mail = settings.smtp_listen.rpartition(":")[0]
    print(f"Letterdesk is running. The portal:  {settings.portal_base_url}")
    print(f"Mail is taken at:                   {mail}:{intake.smtp_port} for {settings.address}")
    goes = "is sent for real" if settings.sends_for_real else f"is written to {settings.outgoing_url}"
    print(f"What goes out:                      {goes}")
    if admins:
        print(f"Sign in as an administrator:        {settings.portal_base_url}/login")
    else:
        print("The first administrator:            letterdesk user add you@example.org --role admin")
        if settings.admin_code:
            print(f"                                    or with the code at {settings.portal_base_url}/register")
    sys.stdout.flush()


def _send_samples(desk: Desk, intake: Intake) -> None:
    with desk.database.reading() as session:
        if session.scalar(select(Ticket.id).limit(1)) is not None or demo.why_not(desk.settings, session):
            return
    host, _ = host_and_port(desk.settings.smtp_listen)
    count = demo.send((host, intake.smtp_port or 0), desk.settings.address, _now())
    print(f"The desk was empty: {count} sample mails are on their way into it.", flush=True)


@command.command("demo")
def run_demo() -> None:
    """Send a handful of sample mails into the running desk, through its SMTP port."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            reason = demo.why_not(desk.settings, session)
        if reason:
            raise demo.DemoError(reason)
        count = demo.send(host_and_port(desk.settings.smtp_listen), desk.settings.address, _now())
        print(f"{count} sample mails were sent to {desk.settings.address}.")


@command.command()
def migrate() -> None:
    """Bring the database to this version."""
    with open_desk(migrated=False) as desk:
        schema.migrate(desk.database)
        print("The database is of this version.")


# ------------------------------------------------------------------ people


@command.group()
def user() -> None:
    """People, from the shell."""


@user.command("add")
@click.argument("email")
@click.option("--name", default="", help="The name to show.")
@click.option("--username", help="A name to sign in with, beside the address.")
@click.option("--role", type=click.Choice([r.value for r in Role]), default=Role.REQUESTER.value, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(*, email: str, name: str, username: str | None, role: str, password_stdin: bool) -> None:
    """Add somebody, or let somebody known from mail sign in."""
    with open_desk() as desk:
        hashed = hash_password(_password(stdin=password_stdin), desk.settings.password_rounds)
        details = accounts.Details(email=email, name=name, username=username, role=Role(role), password_hash=hashed)
        with desk.database.transaction() as session:
            made = accounts.create(session, details, now=_now())
        print(f"{made.email} can sign in as {made.role.value}.")


@user.command("list")
def list_users() -> None:
    """List all people."""
    with open_desk() as desk, desk.database.reading() as session:
        for row in session.scalars(select(User).order_by(User.role, User.email)):
            state = "disabled" if row.disabled_at else "can sign in" if row.password_hash else "known from mail"
            print("\t".join((row.email, row.role.value, row.username or "-", row.name or "-", state)))


@user.command("password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def set_user_password(*, email: str, password_stdin: bool) -> None:
    """Give somebody a new password; all their sessions end."""
    with open_desk() as desk:
        hashed = hash_password(_password(stdin=password_stdin), desk.settings.password_rounds)
        with desk.database.transaction() as session:
            accounts.set_password(session, _find(user_of_address(session, email), email), hashed)
        print(f"{email} has a new password.")


@user.command("disable")
@click.argument("email")
def disable_user(*, email: str) -> None:
    """Shut somebody out at once; what they wrote stays."""
    with open_desk() as desk:
        with desk.database.transaction() as session:
            accounts.disable(session, _find(user_of_address(session, email), email), now=_now())
        print(f"{email} is disabled.")


def _find(found: User | None, email: str) -> User:
    if found is None:
        raise AccountError(f"Nobody has the address {email}; see: letterdesk user list")
    return found


def _password(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise AccountError("There is nobody to ask for the password; give it on standard input with --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


# ------------------------------------------------------------------ mailboxes


@command.group()
def mailbox() -> None:
    """The addresses of the desk, and how their mail comes in."""


@mailbox.command("add")
@click.argument("address")
@click.option("--imap", "imap_url", help="Where to fetch it, like imaps://user@imap.example.org.")
@click.option("--name", default="", help="The name that answers carry.")
@click.option("--password-stdin", is_flag=True, help="Read the IMAP password from standard input.")
@click.option("--policy", default="keep", show_default=True, help="After fetching: keep, seen, move:FOLDER or delete.")
@click.option("--folder", help="The folder to read; INBOX where nothing is said.")
@click.option("--interval", default=60, show_default=True, help="Seconds between two polls.")
@click.option("--from-now", is_flag=True, help="Leave alone what is in the folder already.")
@click.option("--plus", type=click.Choice(["yes", "no"]), help="Whether its plus-addresses reach the desk.")
def add_mailbox(
    *,
    address: str,
    imap_url: str | None,
    name: str,
    password_stdin: bool,
    policy: str,
    folder: str | None,
    interval: int,
    from_now: bool,
    plus: str | None,
) -> None:
    """Add an address of the desk, or connect one to its IMAP server."""
    new = mailboxes.NewMailbox(
        address=address,
        name=name,
        imap_url=imap_url,
        password=_password(stdin=password_stdin) if imap_url else None,
        policy=policy,
        folder=folder,
        poll_seconds=interval,
        from_now=from_now,
        plus=None if plus is None else plus == "yes",
    )
    with open_desk() as desk:
        with desk.database.transaction() as session:
            mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, _now())
            mailboxes.add_mailbox(session, desk.tokens, new, _now())
        print(f"{address} is a mailbox of the desk. Try it: letterdesk mailbox test {address}" if imap_url else address)


@mailbox.command("list")
def list_mailboxes() -> None:
    """List the addresses of the desk."""
    with open_desk() as desk, desk.database.reading() as session:
        for row in mailboxes.list_mailboxes(session):
            fault = row.last_error or "no fault"
            print("\t".join((row.address, row.imap_url or "SMTP", row.policy.value, fault)))


@mailbox.command("test")
@click.argument("address")
def test_mailbox(*, address: str) -> None:
    """Log in to a mailbox and say what is seen; changes nothing."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.find_mailbox(session, address)
            if row is None or row.imap_url is None:
                raise mailboxes.MailboxError(f"There is no IMAP mailbox {address}; see: letterdesk mailbox list")
            account = read_account(session, row.id, desk.tokens)
        for sentence in probe(account):
            print(sentence)


# ------------------------------------------------------------------ looking


@command.command("explain")
@click.argument("paths", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--save-attachments", "save_to", type=click.Path(file_okay=False, path_type=Path))
def explain_mail(*, paths: tuple[str, ...], as_json: bool, save_to: Path | None) -> None:
    """Say what stands in mail files (or folders, or - for standard input), and what the desk would do."""
    settings = load_settings(keep_key=False)
    tokens = Tokens(settings.secret_key or secrets.token_hex(32), *settings.old_keys)
    console = Console(highlight=False)
    with _known_facts(settings) as session:
        own = frozenset({address_key(settings.address)})
        for reading in examine.read(paths, own, save_to):
            decided = examine.decision(session, reading.message, settings.address, tokens)
            told: dict[str, Any] = {**reading.told, "decision": decided}
            if as_json:
                print(json.dumps(told, ensure_ascii=False))
            else:
                present(console, told)


@contextmanager
def _known_facts(settings: Settings) -> Iterator[Any]:
    """A session on the configured database, or None where there is none yet."""
    database = Database(settings.database_url)
    path = database.url.database
    try:
        if (database.is_sqlite and not Path(path or "").is_file()) or not schema.is_current(database):
            yield None
            return
        with database.reading() as session:
            yield session
    finally:
        database.close()


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def print_status(*, as_json: bool) -> None:
    """Say how many mails, tickets and deliveries there are, and in which state."""
    with open_desk() as desk, desk.database.reading() as session:
        counts = status.collect(session, _now())
    if as_json:
        print(json.dumps(counts))
        return
    for name, value in counts.items():
        print(f"{name.replace('_', ' ')}: {_in_words(value)}")


def _in_words(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{number} {word}" for word, number in value.items() if number) or "none"
        case list():
            return ", ".join(f"{row['address']} ({row['last_error'] or 'no fault'})" for row in value)
        case _:
            return "nothing" if value is None else str(value)


@command.command("doctor")
def run_doctor() -> None:
    """Check settings, database, mailboxes and the outgoing server."""
    with open_desk(migrated=False) as desk:
        findings = list(doctor.examine(desk.settings, desk.database, desk.tokens))
    for is_well, sentence in findings:
        print(f"{'ok   ' if is_well else 'FAULT'} {sentence}", file=sys.stdout if is_well else sys.stderr)
    if not all(is_well for is_well, _ in findings):
        sys.exit(1)


if __name__ == "__main__":
    main()
