"""Room on the disk: with too little of it mail is told to come back, until there is room again."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from shared.alerts import DISK, end_alert, raise_alert
from shared.config import Settings
from shared.database import Database

logger = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
RENEWED_SECONDS = 60.0  # how often an alert that goes on is written again, with what is free by then
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A folder whose disk is nearly full; `free` and `least` in bytes."""

    folder: Path
    free: int
    least: int

    @property
    def sentence(self) -> str:
        return (
            f"The disk of {self.folder} is nearly full: {self.free // MEGABYTE} MB are free, and "
            f"{-(-self.least // MEGABYTE)} MB are needed. Mail is told to come back later until there is room; "
            "please make some."
        )


class DiskRoom:
    """Looks after the disks of `folders`, at most once a second. At least `least` bytes shall be free on each.

    May be asked by several threads, and from an event loop: it never waits.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        least: int,
        *,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._least = least
        self._free_bytes = free_bytes
        self._clock = clock
        self._looked_at = float("-inf")
        self._shortage: Shortage | None = None
        self._told: bool | None = None  # what the alert says, as far as we wrote it
        self._told_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings, database: Database) -> DiskRoom:
        """The disks that a desk writes to: that of its folder, and that of its SQLite file."""
        folders = [settings.data_dir.absolute()]
        if database.is_sqlite and database.url.database:
            folders.append(Path(database.url.database).absolute().parent)
        return cls(folders, settings.min_free_bytes)

    def has_room(self) -> bool:
        """Whether mail may be taken in now."""
        return self.shortage() is None

    def shortage(self) -> Shortage | None:
        """The folder whose disk is nearly full, if any."""
        if self._clock() - self._looked_at >= FRESH_SECONDS:
            self._looked_at = self._clock()
            self._shortage = self._look()
        return self._shortage

    def report(self, database: Database, now: datetime) -> None:
        """Raise the alert, or end it, where that is to be done. Call it every few seconds.

        What a full disk does not let us write is tried again. Another process may end the alert while we are still
        short of room, so it is written again every minute.
        """
        shortage = self.shortage()
        is_said = self._told == (shortage is not None)
        if is_said and (shortage is None or self._clock() - self._told_at < RENEWED_SECONDS):
            return
        if not is_said and shortage is not None:
            logger.error("%s", shortage.sentence)
        try:
            with database.transaction() as session:
                if shortage is None:
                    end_alert(session, DISK, now)
                else:
                    raise_alert(session, DISK, shortage.sentence, now)
        except SQLAlchemyError as error:
            logger.warning("the alert about the disk could not be written: %s", error.__cause__ or error)
            return
        if is_said is False and shortage is None and self._told:
            logger.info("there is room on the disk again; mail is taken")
        self._told, self._told_at = shortage is not None, self._clock()

    def _look(self) -> Shortage | None:
        for folder in self._folders:
            free = self._free(folder)
            if free is not None and free < self._least:
                return Shortage(folder=folder, free=free, least=self._least)
        return None

    def _free(self, folder: Path) -> int | None:
        """Free bytes for a folder that may not be made yet; None where the system does not say."""
        for place in (folder, *folder.parents):
            try:
                return self._free_bytes(place)
            except FileNotFoundError:
                continue
            except OSError:
                return None
        return None
