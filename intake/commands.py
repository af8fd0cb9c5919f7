"""The commands about mail: `letterdesk explain`, `demo` and `doctor`."""

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
from shared import schema
from shared.addresses import address_key
from shared.config import Settings, host_and_port, load_settings
from shared.database import Database
from shared.opening import open_desk, utc_now
from shared.tokens import Tokens


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
        for reading in examine.read(paths, own, save_to, settings.trusted_host_names):
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
