"""The file of a backup: a tar, compressed with zstd, of a manifest and the members that it names.

The manifest comes first and holds the size and the SHA-256 of every member, so that what was cut off, changed or added
is noticed before any of it is used. The file holds secrets: the key, and what people wrote.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import zstandard
from pydantic import TypeAdapter, ValidationError

from shared.errors import UserError

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
KEY = "secret.key"
OLD_KEYS = "secret.key.old"
NAMES = frozenset({DATABASE, KEY, OLD_KEYS})
MAX_MANIFEST = 64 * 1024


class BackupError(UserError):
    """A backup that cannot be made or put back. The message is one sentence for the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What one file of a backup must be."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is. `program` made it; `tables` is the revision of the tables; `database` their kind."""

    format: int = FORMAT
    program: str
    tables: str
    database: Literal["sqlite", "postgresql"]
    made_at: datetime
    members: Mapping[str, Member]


_MANIFEST = TypeAdapter(Manifest)


def describe(path: Path) -> Member:
    with path.open("rb") as file:
        return Member(size=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def pack(target: BinaryIO, manifest: Manifest, folder: Path) -> None:
    """Write a backup of the members that lie in a folder under their names."""
    with (
        zstandard.ZstdCompressor(write_checksum=True).stream_writer(target, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        written = _MANIFEST.dump_json(manifest, indent=2)
        _add(tar, MANIFEST, len(written), io.BytesIO(written), manifest.made_at)
        for name, member in manifest.members.items():
            with (folder / name).open("rb") as file:
                _add(tar, name, member.size, file, manifest.made_at)


def _add(tar: tarfile.TarFile, name: str, size: int, content: BinaryIO, made_at: datetime) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(made_at.timestamp())
    tar.addfile(entry, content)


def unpack(source: BinaryIO, folder: Path) -> Manifest:
    """Unpack a backup into a folder, each member under its name, and check all of it. Raises BackupError.

    Nothing is written but the members that a backup can have: no path, link or device of the file is followed.
    """
    try:
        with (
            zstandard.ZstdDecompressor().stream_reader(source, closefd=False) as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            manifest = _read_manifest(tar)
            while (entry := tar.next()) is not None:
                _unpack_member(tar, entry, manifest, folder)
    except (tarfile.TarError, zstandard.ZstdError, EOFError):
        raise BackupError("The backup is damaged or cut off, or is no backup of Letterdesk.") from None
    missing = sorted(name for name in manifest.members if not (folder / name).exists())
    if missing or not {DATABASE, KEY} <= manifest.members.keys():
        raise BackupError(f"The backup is not whole: {', '.join(missing) or 'database or key'} is missing.")
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    content = tar.extractfile(first) if first and first.name == MANIFEST and first.size <= MAX_MANIFEST else None
    if content is None:
        raise BackupError("This is no backup of Letterdesk: it does not begin with a manifest.")
    try:
        manifest = _MANIFEST.validate_json(content.read())
    except ValidationError:
        raise BackupError("The manifest of the backup cannot be read; was it made by a newer Letterdesk?") from None
    if manifest.format != FORMAT:
        raise BackupError(f"The backup was made by Letterdesk {manifest.program} in a form that this one cannot read.")
    return manifest


def _unpack_member(tar: tarfile.TarFile, entry: tarfile.TarInfo, manifest: Manifest, folder: Path) -> None:
    expected = manifest.members.get(entry.name) if entry.name in NAMES else None
    path = folder / entry.name
    content = tar.extractfile(entry) if expected and entry.isreg() and not path.exists() else None
    if expected is None or content is None or entry.size != expected.size:
        raise BackupError(f"The backup holds something that does not belong there: “{entry.name}”.")
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)
    if describe(path) != expected:
        raise BackupError(f"The backup is damaged: its {entry.name} is not what the manifest says.")
