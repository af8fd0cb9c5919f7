"""Put a backup back: unpacked and checked whole before anything is touched, then put in place at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from shared import schema
from shared.backup import aftermath, archive
from shared.backup.archive import DATABASE, KEY, OLD_KEYS, BackupError, Manifest
from shared.backup.files import whole_file
from shared.backup.stores import Store
from shared.config import KEY_FILE, Settings

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to put a backup back.

    `replace`: even over a desk that has something in it. `moved`: the desk has stood still since the backup, so what
    waits to go out is sent, and numbers go on. Otherwise `skip_numbers` ticket numbers are left out.
    """

    replace: bool = False
    moved: bool = False
    skip_numbers: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put back, and the key that its secrets are encrypted with."""

    manifest: Manifest
    key: str = field(repr=False)


def restore(settings: Settings, store: Store, source: BinaryIO, order: Order, now: datetime, say: Say) -> Restored:
    """Make the configured desk what it was when a backup was made. Tables are those of the backup (SQLite: migrated).

    Raises BackupError, and has changed nothing then, where the backup is damaged, too new or of another kind of
    database, where somebody uses the database, or where it is not empty and not to be replaced.
    """
    try:
        store.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".letterdesk-restore-", dir=store.scratch) as home:
            folder = Path(home)
            manifest = archive.unpack(source, folder)
            _check_fits(manifest, store)
            _check_room_for_keys(settings)
            store.prepare(folder / DATABASE, _statements(manifest, order))
            key = (folder / KEY).read_text().strip()
            with store.alone():
                _put_in_place(settings, store, folder, order, f"{now:%Y%m%d-%H%M%S}", say)
    except OSError as error:
        raise BackupError(f"The backup cannot be put back: {error.strerror or error}") from None
    return Restored(manifest=manifest, key=key)


def _check_fits(manifest: Manifest, store: Store) -> None:
    if manifest.database != store.kind:
        raise BackupError(
            f"The backup is of a desk on {manifest.database}, and LETTERDESK_DATABASE_URL names {store.kind}."
        )
    if manifest.tables not in schema.revisions():
        raise BackupError(f"The backup was made by a newer Letterdesk ({manifest.program}); install that one first.")


def _check_room_for_keys(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.data_dir, os.W_OK):
        raise BackupError(f"The folder of LETTERDESK_DATA_DIR, {settings.data_dir}, cannot be written to.")


def _statements(manifest: Manifest, order: Order) -> tuple[str, ...]:
    if order.moved:
        return ()
    return aftermath.statements(manifest.database, manifest.made_at, skip_numbers=order.skip_numbers)


def _put_in_place(settings: Settings, store: Store, folder: Path, order: Order, stamp: str, say: Say) -> None:
    there = store.contents()
    if not there.is_empty:
        if not order.replace:
            raise BackupError(f"The desk is not empty: {there}. Say --replace to put the backup in its place.")
        say(f"This is replaced: {there}.")
    kept = store.replace(folder / DATABASE, stamp)
    if kept:
        say(kept)
    _put_keys(settings, folder, stamp, say)


def _put_keys(settings: Settings, folder: Path, stamp: str, say: Say) -> None:
    """Put the key where the desk keeps it, unless the settings have it already."""
    known = (settings.secret_key, *settings.old_keys)
    key = (folder / KEY).read_text().strip()
    if key not in known:
        place = settings.data_dir / KEY_FILE
        _put(place, key, stamp)
        say(f"The secret key was put into {place}.")
    old = (folder / OLD_KEYS).read_text().strip() if (folder / OLD_KEYS).exists() else ""
    if set(old.split(",")) - {"", *known}:
        place = settings.data_dir / OLD_KEYS
        _put(place, old, stamp)
        say(f"The desk also knew former keys: set LETTERDESK_SECRET_KEY_OLD to what stands in {place}.")


def _put(place: Path, words: str, stamp: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(place.with_name(f"{place.name}.replaced-{stamp}"))
    with whole_file(place) as file:
        file.write(words.encode())
