"""The file of a backup is taken as it was made, or not at all; and PostgreSQL's programs fit the server."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from shared.backup import archive
from shared.backup.archive import DATABASE, KEY, BackupError, Manifest
from shared.backup.postgresql import program

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    """A backup of a database that is no database: the file itself does not mind."""
    folder = tmp_path / "packed"
    folder.mkdir()
    contents = {DATABASE: b"rows" * 10_000, KEY: b"0123456789abcdef\n"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    manifest = Manifest(
        program="1.0",
        tables="0001",
        database="sqlite",
        made_at=datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        members={name: archive.describe(folder / name) for name in contents},
    )
    file = io.BytesIO()
    archive.pack(file, manifest, folder)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_what_was_packed_is_unpacked(packed: bytes, folder: Path) -> None:
    manifest = archive.unpack(io.BytesIO(packed), folder)
    assert manifest.made_at == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    assert (folder / DATABASE).read_bytes() == b"rows" * 10_000
    assert (folder / KEY).read_text() == "0123456789abcdef\n"


def changed(packed: bytes, change: Callable[[Members], object]) -> io.BytesIO:
    """The backup with other members, as somebody could make it who wishes us ill."""
    plain = zstandard.ZstdDecompressor().stream_reader(packed).readall()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        members = [(member, content.read()) for member in tar if (content := tar.extractfile(member))]
    change(members)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return io.BytesIO(zstandard.compress(written.getvalue()))


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made, b"something" if kind == tarfile.REGTYPE else b""


def the_key_is_other_bytes(members: Members) -> None:
    members[-1] = (members[-1][0], members[-1][1][::-1])


def the_key_is_a_link(members: Members) -> None:
    members[-1] = entry(KEY, tarfile.SYMTYPE, "/etc/hostname")


def the_form_is_newer(members: Members) -> None:
    members[0] = (members[0][0], members[0][1].replace(b'"format": 1', b'"format": 2'))


def the_manifest_is_nonsense(members: Members) -> None:
    members[0] = (members[0][0], b"{")


def the_manifest_names_a_path(members: Members) -> None:
    members[0] = (members[0][0], members[0][1].replace(b'"database": {', b'"../database": {'))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (the_key_is_other_bytes, "is not what the manifest says"),
        (the_key_is_a_link, "does not belong"),
        (the_form_is_newer, "in a form that this one cannot read"),
        (the_manifest_is_nonsense, "cannot be read"),
        (the_manifest_names_a_path, "does not belong"),
        (lambda members: members.pop(), "not whole"),
        (lambda members: members.pop(0), "does not begin with a manifest"),
        (lambda members: members.clear(), "no backup"),
        (lambda members: members.append(members[-1]), "does not belong"),
        (lambda members: members.append(entry("../outside")), "does not belong"),
        (lambda members: members.append(entry("/tmp/outside")), "does not belong"),
        (lambda members: members.append(entry("link", tarfile.LNKTYPE, KEY)), "does not belong"),
        (lambda members: members.append(entry("device", tarfile.CHRTYPE)), "does not belong"),
    ],
)
def test_a_backup_that_was_changed_is_refused(
    packed: bytes, folder: Path, change: Callable[[Members], object], sentence: str
) -> None:
    with pytest.raises(BackupError, match=sentence):
        archive.unpack(changed(packed, change), folder)
    assert {path.name for path in folder.parent.rglob("*") if path.is_file()} <= {DATABASE, KEY}
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_backup_that_was_cut_off_anywhere_is_refused(packed: bytes, folder: Path) -> None:
    for length in range(0, len(packed) - 100, 7):
        for path in folder.iterdir():
            path.unlink()
        with pytest.raises(BackupError):
            archive.unpack(io.BytesIO(packed[:length]), folder)


def test_any_other_file_is_no_backup(folder: Path) -> None:
    for other in (b"", b"PK\x03\x04", b"SQLite format 3\x00", zstandard.compress(b"hello")):
        with pytest.raises(BackupError, match=r"no backup|damaged"):
            archive.unpack(io.BytesIO(other), folder)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., list[str]]:
    """Programs that say they are of these versions."""

    def make(*versions: str) -> list[str]:
        paths = [tmp_path / f"pg_dump-{version}" for version in versions]
        for path, version in zip(paths, versions, strict=True):
            path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
            path.chmod(0o700)
        return [str(path) for path in paths]

    return make


def test_the_program_nearest_to_the_server_is_taken(installed: Callable[..., list[str]]) -> None:
    paths = installed("17.2", "9.6.1", "15.4", "16.1")
    assert program("pg_dump", 15, paths) == paths[2]
    assert program("pg_dump", 14, paths) == paths[2]
    assert program("pg_dump", 17, paths) == paths[0]


def test_a_program_that_is_older_than_the_server_is_named(installed: Callable[..., list[str]]) -> None:
    with pytest.raises(BackupError, match=r"version 15, older than the server; install postgresql-client-17"):
        program("pg_dump", 17, installed("15.4", "9.6.1"))


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(BackupError, match="pg_dump is not installed; install the package postgresql-client"):
        program("pg_dump", 17, [])
