"""Python runs this at the start of each process of a desk in the storm: it dies at the point that is armed.

CRASH_POINTS is a folder; a file with a point's name arms that point. Whoever gets there first takes the file away, by
renaming it, which proves that the point was hit and by which process, and ends without a word.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from tests.crash.points import HIT, POINTS, Moment


class Passing:
    """Tells apart what each thread says to the database, and dies at the point that is armed in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = threading.local()  # what its last transaction has said, once it is committed

    def listen(self) -> None:
        event.listen(Engine, "begin", self._begin)
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        event.listen(Engine, "commit", self._commit)
        event.listen(Session, "after_commit", self._committed)

    def _begin(self, connection: Connection) -> None:
        connection.info["said"] = []

    def _before(self, _conn: Connection, _cursor: Any, statement: str, _values: Any, _ctx: Any, _many: bool) -> None:
        self._pass_by(Moment.BEFORE, [statement])

    def _after(self, conn: Connection, cursor: Any, statement: str, _values: Any, _ctx: Any, _many: bool) -> None:
        if cursor.rowcount or cursor.description:  # an UPDATE that met no row is none; SQLite counts no rows it returns
            conn.info.setdefault("said", []).append(statement)

    def _commit(self, connection: Connection) -> None:
        self._thread.said = connection.info.pop("said", [])
        self._pass_by(Moment.COMMIT, self._thread.said)

    def _committed(self, _session: Session) -> None:
        self._pass_by(Moment.COMMITTED, self._thread.__dict__.pop("said", []))

    def _pass_by(self, moment: Moment, statements: Iterable[str]) -> None:
        name = threading.current_thread().name
        for point in POINTS:
            if point.moment is moment and name.startswith(point.thread) and any(map(point.statement.match, statements)):
                _die_if_armed(self._folder / point.name)


def _die_if_armed(armed: Path) -> None:
    try:
        armed.rename(f"{armed}{HIT}{os.getpid()}")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


if "CRASH_POINTS" in os.environ:
    Passing(Path(os.environ["CRASH_POINTS"])).listen()
