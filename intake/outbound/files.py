"""Mail written to files instead of being sent: one .eml each, whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from intake.outbound.letter import Envelope
from intake.types import Deferred, Outcome, Sent


class FileTransport:
    """Writes each mail into a folder under another name, makes it durable, and then gives it its name.

    The names sort by time. The envelope stands above the mail in Return-Path and Delivered-To, as a mailbox has it.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}.eml"
        draft = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(draft, envelope)
        except OSError as error:
            _forget(draft)
            return _deferred(error)
        try:
            handed_over()
        except BaseException:
            _forget(draft)
            raise
        return _give_name(draft, self._folder / name)

    def check(self) -> str | None:
        """Say why the folder cannot be written to."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return f"{self._folder} cannot be made: {error.strerror}."
        return None if os.access(self._folder, os.W_OK) else f"{self._folder} cannot be written to."

    def close(self) -> None:
        """Nothing stays open between two mails."""

    def abort(self) -> None:
        """Nothing waits."""


def _write(path: Path, envelope: Envelope) -> None:
    header = f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {envelope.recipient}\r\n".encode()
    with path.open("xb") as file:
        file.write(header + envelope.content)
        file.flush()
        os.fsync(file.fileno())


def _give_name(draft: Path, path: Path) -> Outcome:
    try:
        draft.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        _forget(draft)
        return _deferred(error)
    return Sent(response=f"Written to {path.name}.")


def _forget(draft: Path) -> None:
    with contextlib.suppress(OSError):  # what made the draft fail may forbid this as well
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _deferred(error: OSError) -> Deferred:
    return Deferred(reason=f"The mail could not be written to its folder: {error.strerror or error}.")
