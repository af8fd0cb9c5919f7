"""The kills of a storm, one after the other: at named points, at any moment, of one process or of all."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.crash.peers import Gate
from tests.crash.points import DOT_SENT, HIT, NAMES, PATIENT, SEEN_FROM_OUTSIDE
from tests.crash.processes import PATIENCE, StormDesk, kill_with_children
from tests.mail_sink import MailSink
from tests.postgres import Cluster

REACH_SECONDS = 40.0  # for so long a point is waited for, then the desk is killed wherever it is
LAST_REACH_SECONDS = 90.0  # and at the end, for a point that was never met
LONGEST_CALM = 2.0  # for so long, at most, the desk works before it is killed at any moment
WHILE_IT_STARTS = 0.1  # the share of kills at any moment that need not wait until the desk takes mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many kills of each kind; `points` are the named ones, each as often as it is wanted."""

    points: Sequence[str]
    intake: int = 0
    machine: int = 0
    worker: int = 0
    portal: int = 0
    postgres: int = 0

    @property
    def number(self) -> int:
        """How many kills there are to be; where one point is hit by two processes at once, there are more."""
        return len(self.points) + self.intake + self.machine + self.worker + self.portal + self.postgres

    def kinds(self, chance: random.Random) -> list[str]:
        """All kills, mixed."""
        numbers = {name: getattr(self, name) for name in ("intake", "machine", "worker", "portal", "postgres")}
        kinds = [*("point" for _ in self.points), *(name for name, number in numbers.items() for _ in range(number))]
        chance.shuffle(kinds)
        return kinds


def every_point(times: int, chance: random.Random) -> list[str]:
    """All named points so many times, mixed."""
    points = [name for name in NAMES for _ in range(times)]
    chance.shuffle(points)
    return points


class Kills:
    """The kills, one after the other. `cluster` is the database server, where there is one.

    `missed` are those that met nobody, `was_cut_short` says that time ran out before all were carried out.
    """

    def __init__(self, desk: StormDesk, sink: MailSink, dot_sent: Gate, cluster: Cluster | None) -> None:
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.was_cut_short = False
        self._desk = desk
        self._sink = sink
        self._dot_sent = dot_sent
        self._cluster = cluster

    def rage(self, plan: Plan, chance: random.Random, end: float) -> tuple[str, ...]:
        """Carry out the plan, or what of it can be until `end`, and then what was never reached.

        Returns the points that were not reached then either.
        """
        wanted = Counter(plan.points)
        for kind in plan.kinds(chance):
            if time.monotonic() > end:
                self.was_cut_short = True
                break
            if kind != "point":
                self._at_any_moment(kind, chance)
            elif not self._at_one_of(_some_of(wanted, chance), REACH_SECONDS, wanted):
                self._at_any_moment("intake", chance)
            self._desk.start()
        for name in dict.fromkeys(plan.points):
            if not self.hits[name]:
                self._at_one_of([name], LAST_REACH_SECONDS, wanted)
                self._desk.start()
        return tuple(name for name in dict.fromkeys(plan.points) if not self.hits[name])

    def _at_any_moment(self, kind: str, chance: random.Random) -> None:
        if chance.random() > WHILE_IT_STARTS:
            self._desk.wait_until_it_takes_mail()
        time.sleep(chance.uniform(0, LONGEST_CALM))
        kinds: dict[str, Callable[[], bool]] = {
            "intake": self._desk.kill_intake,
            "machine": self._desk.kill_machine,
            "worker": self._desk.kill_worker,
            "portal": self._desk.kill_portal,
            "postgres": lambda: self._kill_postgres(chance),
        }
        met = self._meets_somebody(kinds[kind])
        (self.kills if met else self.missed)[kind] += 1

    def _meets_somebody(self, kill: Callable[[], bool]) -> bool:
        """Kill as soon as there is somebody to kill; False where nobody came."""
        end = time.monotonic() + PATIENCE
        while not (met := kill()) and time.monotonic() < end:
            self._desk.start()
            time.sleep(0.05)
        return met

    def _kill_postgres(self, chance: random.Random) -> bool:
        if self._cluster is None or self._cluster.pid is None:
            return False
        kill_with_children(self._cluster.pid)
        self._cluster.kill()  # notices that it is dead
        time.sleep(chance.uniform(0, 2))
        self._cluster.start()
        return True

    def _at_one_of(self, names: Sequence[str], seconds: float, wanted: Counter[str]) -> bool:
        """Let somebody die at whichever of these points is reached first; False where none was."""
        died = self._outside(names[0], seconds) if names[0] in SEEN_FROM_OUTSIDE else self._inside(names, seconds)
        for name in died:
            self.hits[name] += 1
            wanted[name] -= 1
        self.kills["point"] += len(died)
        return bool(died)

    def _outside(self, name: str, seconds: float) -> list[str]:
        self._desk.wait_until_it_takes_mail()
        reach = self._dot_sent.armed if name == DOT_SENT else self._sink.held
        with reach() as has_come:
            return [name] if has_come.wait(seconds) and self._desk.kill_intake() else []

    def _inside(self, names: Sequence[str], seconds: float) -> list[str]:
        """Let the desk go on a little, then arm these points; now and then two are hit, by two processes at once.

        A desk that always dies of its first step gives the same mail one more try each time, until it gives it up.
        """
        self._desk.wait_until_it_takes_mail()
        time.sleep(LONGEST_CALM / 4)
        folder = self._desk.points
        for name in names:
            (folder / name).touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(folder.glob(f"*{HIT}*")):
            self._desk.start()  # as whatever keeps services running would: a start may fail
            time.sleep(0.02)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        hits = list(folder.glob(f"*{HIT}*"))
        for file in hits:
            file.unlink()
            self._desk.wait_until_gone(int(file.suffix[1:]))
        return [file.name.partition(HIT)[0] for file in hits]


def _some_of(wanted: Counter[str], chance: random.Random) -> list[str]:
    """A point, and beside it those that are reached seldom, one of each stage: of those that were hit least.

    Of each stage one only: were several armed, the first of them would always be hit.
    """
    stages: dict[str, list[str]] = {"": []}
    for name in chance.sample(list(wanted), len(wanted)):
        stages.setdefault(name.partition(":")[0] if name.startswith(PATIENT) else "", []).append(name)
    drawn = [max(names, key=wanted.__getitem__) for names in stages.values() if names]
    return [name for name in drawn if wanted[name] > 0] or drawn[:1]
