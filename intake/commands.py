"""The commands about mail: `letterdesk mailbox …`, `explain`, `demo` and `doctor`."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from intake import demo, doctor, examine
from intake.present import present
from intake.receiving.imap_ledger import read_account
from intake.receiving.imap_probe import probe
from shared import mailboxes, schema
from shared.addresses import address_key
from shared.config import Settings, host_and_port, load_settings
from shared.database import Database
from shared.opening import ask_password, open_desk, utc_now
from shared.tokens import Tokens


@click.group()
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
    mailboxes.parse_policy(policy)
    if imap_url:
        mailboxes.parse_imap_url(imap_url)
    new = mailboxes.NewMailbox(
        address=address,
        name=name,
        imap_url=imap_url,
        password=ask_password(stdin=password_stdin) if imap_url else None,
        policy=policy,
        folder=folder,
        poll_seconds=interval,
        from_now=from_now,
        plus=None if plus is None else plus == "yes",
    )
    with open_desk() as desk:
        with desk.database.transaction() as session:
            mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, utc_now())
            mailboxes.add_mailbox(session, desk.tokens, new, utc_now())
        told = f"Try it: letterdesk mailbox test {address}" if imap_url else "Its mail comes over SMTP."
        print(f"{address} is a mailbox of the desk. {told}")


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
            if row is None:
                raise mailboxes.MailboxError(f"There is no mailbox {address}; see: letterdesk mailbox list")
            if row.imap_url is None:
                raise mailboxes.MailboxError(f"The mail for {row.address} comes over SMTP; there is no server to test.")
            account = read_account(session, row.id, desk.tokens)
        for sentence in probe(account):
            print(sentence)


@click.command("explain")
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
def _known_facts(settings: Settings) -> Iterator[Session | None]:
    """A session on the configured database, or None where there is none yet."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        yield None
        return
    database = Database(url)
    try:
        if not schema.is_current(database):
            yield None
            return
        with database.reading() as session:
            yield session
    finally:
        database.close()


@click.command("demo")
def run_demo() -> None:
    """Send a handful of sample mails into the running desk, through its SMTP port."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            reason = demo.why_not(desk.settings, session)
            moment = demo.moment(session, utc_now())
        if reason:
            raise demo.DemoError(reason)
        count = demo.send(host_and_port(desk.settings.smtp_listen), desk.settings.address, moment)
        print(f"{count} sample mails were sent to {desk.settings.address}.")


@click.command("doctor")
def run_doctor() -> None:
    """Check settings, database, mailboxes and the outgoing server."""
    with open_desk(migrated=False) as desk:
        findings = list(doctor.examine(desk.settings, desk.database, desk.tokens))
    for is_well, sentence in findings:
        print(f"{'ok   ' if is_well else 'FAULT'} {sentence}", file=sys.stdout if is_well else sys.stderr)
    if not all(is_well for is_well, _ in findings):
        sys.exit(1)
