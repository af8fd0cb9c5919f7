"""The processes of a desk in the storm: started apart or together, killed one by one or all at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.desk import ROOT, Desk, free_ports, is_open

DYING = Path(__file__).parent / "dying"
PATIENCE = 60.0


@dataclass(slots=True, kw_only=True)
class Part:
    """A command of the desk that is to run all the time. `settings` differ from those of the other parts."""

    arguments: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None


class StormDesk(Desk):
    """A desk whose parts die at armed points, and of which any process can be killed.

    `intake` are the words of the command that takes mail in. Beside it runs `letterdesk portal`, but for `run`, which
    has one of its own.
    """

    def __init__(self, home: Path, *intake: str, **settings: str) -> None:
        super().__init__(home, **settings)
        self.database_url = settings["DATABASE_URL"]
        self.points = home / "points"
        self.points.mkdir()
        self._at_work: int | None = None
        self._environment |= {"PYTHONPATH": f"{DYING}:{ROOT}", "CRASH_POINTS": str(self.points)}
        taken = {self.smtp_port, self.portal_port, self.ops_port}
        other_ops = {"LETTERDESK_OPS_LISTEN": f"127.0.0.1:{next(p for p in free_ports(4) if p not in taken)}"}
        portal = () if intake == ("run",) else (Part(arguments=("portal",), settings=other_ops),)
        self.parts: tuple[Part, ...] = (Part(arguments=intake), *portal)

    def start(self, *_arguments: str) -> None:
        """Start what does not run, and return at once."""
        for part in self.parts:
            if part.pid is None:
                with self.log.open("ab") as log:
                    part.process = subprocess.Popen(
                        [sys.executable, "-m", "letterdesk", *part.arguments],
                        cwd=self.home,
                        env={**self._environment, **part.settings},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )

    def wait_until_it_takes_mail(self) -> None:
        """Start what does not run, again and again as whatever keeps services running would, until mail is taken."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not is_open(self.smtp_port):
            self.start()
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        self.until(self._is_ready, "The desk did not get ready")

    def stop(self) -> int:
        """Ask all parts to end; returns how many did not end well."""
        running = [part.process for part in self.parts if part.process is not None and part.pid is not None]
        for process in running:
            process.terminate()
        return sum(process.wait(PATIENCE) != 0 for process in running)

    # -------------------------------------------------------------- killing

    def kill_intake(self) -> bool:
        """Kill the process that takes mail in; its children notice that it is gone."""
        return self._kill([self._intake])

    def kill_machine(self) -> bool:
        """Kill all processes at once, as when the power fails."""
        return self._kill([pid for part in self.parts if part.pid for pid in (part.pid, *descendants(part.pid))])

    def kill_worker(self) -> bool:
        """Kill a further process that reads mail, where there is one."""
        return self._kill(self._children("worker")[:1])

    def kill_portal(self) -> bool:
        """Kill the portal."""
        apart = [part.pid for part in self.parts if part.arguments == ("portal",)]
        return self._kill(apart or self._children("portal")[:1])

    # ------------------------------------------------------------- watching

    def at_work(self) -> int | None:
        """The process that takes mail in, once it does; None where there is none. For one thread."""
        pid = self._intake
        if pid != self._at_work:
            self._at_work = pid if pid is not None and is_open(self.smtp_port) else None
        return self._at_work

    def wait_until_gone(self, pid: int) -> None:
        """Return when a process that was killed is no more; a child of a part is its parent's business."""
        for part in self.parts:
            if part.process is not None and part.process.pid == pid:
                part.process.wait(PATIENCE)

    @property
    def _intake(self) -> int | None:
        return self.parts[0].pid

    def _children(self, command: str) -> list[int]:
        children = descendants(self._intake) if self._intake else ()
        return [pid for pid in children if command.encode() in _command_line(pid)]

    def _kill(self, pids: list[int | None] | list[int]) -> bool:
        there = [pid for pid in pids if pid is not None]
        killed = [_kill(pid) for pid in there]
        for pid in there:
            self.wait_until_gone(pid)
        return any(killed)


def descendants(pid: int) -> Iterator[int]:
    """The children of a process, and theirs."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:  # it has ended meanwhile
            continue
        for child in map(int, children):
            yield child
            yield from descendants(child)


def kill_with_children(pid: int) -> None:
    """Kill a process and all that it started."""
    for each in (pid, *descendants(pid)):
        _kill(each)


def _command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
