"""Make a backup while the desk runs."""

from __future__ import annotations

import tempfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from shared.backup import archive
from shared.backup.archive import DATABASE, KEY, OLD_KEYS, BackupError, Manifest
from shared.backup.files import whole_file
from shared.backup.stores import Store
from shared.config import Settings


def take(settings: Settings, store: Store, target: Path | BinaryIO, now: datetime, *, force: bool = False) -> Manifest:
    """Write all that was committed when this began, and the key that reads it, into one file or stream.

    A file stands in its place only when it is whole. Raises BackupError where it is there already and not to be
    replaced (`force`), where there is nothing to back up, or where the disk has no room.
    """
    if not settings.secret_key:
        raise BackupError("The desk has no secret key here; set LETTERDESK_DATA_DIR or LETTERDESK_SECRET_KEY.")
    if isinstance(target, Path) and target.exists() and not force:
        raise BackupError(f"{target} is there already; name another file, or say --force.")
    beside = target.parent if isinstance(target, Path) else settings.data_dir
    try:
        with tempfile.TemporaryDirectory(prefix=".letterdesk-backup-", dir=beside) as folder:
            manifest = _gather(settings, store, Path(folder), now)
            _write(target, manifest, Path(folder))
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {beside}: {error.strerror or error}") from None
    return manifest


def _gather(settings: Settings, store: Store, folder: Path, now: datetime) -> Manifest:
    (folder / KEY).write_text(f"{settings.secret_key}\n")
    if settings.old_keys:
        (folder / OLD_KEYS).write_text(f"{','.join(settings.old_keys)}\n")
    tables = store.dump(folder / DATABASE)
    if tables is None:
        raise BackupError("There is nothing to back up yet: the database has no tables.")
    return Manifest(
        program=version("letterdesk"),
        tables=tables,
        database=store.kind,
        made_at=now,
        members={path.name: archive.describe(path) for path in sorted(folder.iterdir())},
    )


def _write(target: Path | BinaryIO, manifest: Manifest, folder: Path) -> None:
    if not isinstance(target, Path):
        archive.pack(target, manifest, folder)
        target.flush()
        return
    with whole_file(target) as file:
        archive.pack(file, manifest, folder)
