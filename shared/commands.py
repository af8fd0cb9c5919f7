"""The commands about the whole desk: `letterdesk status` and `migrate`."""

from __future__ import annotations

import json

import click

from shared import schema, status
from shared.opening import open_desk, utc_now
from shared.status_words import in_words, which_desk


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def print_status(*, as_json: bool) -> None:
    """Say how many mails, tickets and deliveries there are, and in which state."""
    with open_desk() as desk, desk.database.reading() as session:
        counts = status.collect(session, utc_now())
    if as_json:
        print(json.dumps(counts))
        return
    for line in (*which_desk(desk.settings.address, desk.database.url, is_new=desk.is_new), *in_words(counts)):
        print(line)


@click.command()
def migrate() -> None:
    """Bring the database to this version."""
    with open_desk(migrated=False) as desk:
        schema.migrate(desk.database)
        print("The database is of this version.")
