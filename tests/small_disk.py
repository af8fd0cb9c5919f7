"""Small disks of memory that really get full, for tests of what happens then."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

AS_ROOT: tuple[str, ...] = () if os.geteuid() == 0 else ("sudo", "--non-interactive")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own, this large, mounted by root or through sudo.

    Where neither works the test is skipped, and in CI it fails.
    """
    folder.mkdir()
    owner = f"size={megabytes}m,uid={os.getuid()},gid={os.getgid()},mode=700"
    if not _done("mount", "-t", "tmpfs", "-o", owner, "tmpfs", str(folder)):
        if os.environ.get("CI"):
            raise PermissionError("a small disk cannot be mounted, neither as root nor through sudo")
        pytest.skip("only root can mount a small disk, and sudo asks for a password")
    try:
        yield folder
    finally:
        _done("umount", "--lazy", str(folder))


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Take all the room of a disk but so many bytes; returns the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while leave == 0 or shutil.disk_usage(disk).free >= leave + 4096:
                file.write(b"x" * 4096)
        except OSError:
            return ballast
    return ballast


def _done(*command: str) -> bool:
    try:
        return subprocess.run([*AS_ROOT, *command], check=False, stdin=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False
