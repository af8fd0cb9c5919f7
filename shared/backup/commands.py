"""The commands `letterdesk backup` and `restore`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click
from sqlalchemy.engine import make_url

from shared import schema
from shared.backup import aftermath
from shared.backup.postgresql import PostgresqlStore
from shared.backup.restoring import Order
from shared.backup.restoring import restore as put_back
from shared.backup.sqlite import SqliteStore
from shared.backup.stores import Store
from shared.backup.taking import take
from shared.config import KEY_FILE, Settings, load_settings
from shared.opening import open_desk, utc_now


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file where it is there already.")
def backup(*, file: Path, force: bool) -> None:
    """Write the whole desk into FILE (- for standard output), while it runs."""
    settings = load_settings(keep_key=False)
    to_stdout = str(file) == "-"
    made = take(settings, _store(settings), sys.stdout.buffer if to_stdout else file, utc_now(), force=force)
    told = sys.stderr if to_stdout else sys.stdout
    print(
        f"The backup holds the database (revision {made.tables}) and the secret key: keep it as safe as these.",
        file=told,
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Even where the desk is not empty.")
@click.option("--moved", is_flag=True, help="The desk has stood still since: send what waits, leave no number out.")
@click.option(
    "--skip-numbers",
    default=1000,
    show_default=True,
    type=click.IntRange(0, 10_000_000),
    help="How many ticket numbers may have been given since the backup.",
)
def restore(*, file: Path, replace: bool, moved: bool, skip_numbers: int) -> None:
    """Make the desk what it was when the backup FILE (- for standard input) was made. It must not run."""
    settings = load_settings(keep_key=False)
    order = Order(replace=replace, moved=moved, skip_numbers=skip_numbers)
    with _reading(file) as source:
        restored = put_back(settings, _store(settings), source, order, utc_now(), print)
    made = restored.manifest
    with open_desk(migrated=False) as desk:
        schema.migrate(desk.database)
        with desk.database.reading() as session:
            settled = tuple(aftermath.settled(session, made.made_at))
    print(f"The desk is as it was on {made.made_at:%Y-%m-%d at %H:%M} UTC (Letterdesk {made.program}).")
    for sentence in (*settled, *_about_the_key(restored.key)):
        print(sentence)


def _reading(file: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb")


def _about_the_key(key: str) -> Iterator[str]:
    """What to say where the settings give another key than the one that was put back."""
    settings = load_settings(keep_key=False)
    if key not in (settings.secret_key, *settings.old_keys):
        yield (
            "LETTERDESK_SECRET_KEY is not the key of this desk: set it to what stands in "
            f"{settings.data_dir / KEY_FILE}, or passwords of mailboxes cannot be read, and answers are not known."
        )


def _store(settings: Settings) -> Store:
    """The configured database, as something that is copied and replaced as a whole."""
    url = make_url(settings.database_url)
    if settings.is_postgresql:
        return PostgresqlStore(url, settings.data_dir)
    return SqliteStore(Path(url.database or ""))
