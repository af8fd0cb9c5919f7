"""`make crash`: storms on SQLite and on PostgreSQL, and what they left. Exit status 1 where anything is amiss.

The two run side by side, since each waits much. It writes into temporary folders only; `--log FILE` keeps what the
desks said.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from math import inf
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.crash.kills import Plan, every_point
from tests.crash.points import NAMES
from tests.crash.storm import Result, storm
from tests.postgres import cluster

DATABASES = ("sqlite", "postgresql")
Row = tuple[str, Callable[[Result], object]]
ROWS: tuple[Row, ...] = (
    ("kills", lambda result: sum(result.kills.values())),
    ("  at named points", lambda result: result.kills.get("point", 0)),
    ("  of the server that takes mail in", lambda result: result.kills.get("intake", 0)),
    ("  of all processes at once", lambda result: result.kills.get("machine", 0)),
    ("  of a worker", lambda result: result.kills.get("worker", 0)),
    ("  of the portal", lambda result: result.kills.get("portal", 0)),
    ("  of the database server", lambda result: result.kills.get("postgres", 0)),
    ("mails", lambda result: result.verdict.mails),
    ("lost", lambda result: len(result.verdict.lost)),
    ("doubled", lambda result: len(result.verdict.doubled)),
    ("on another ticket than their parent", lambda result: len(result.verdict.split)),
    ("notices", lambda result: result.verdict.notices),
    ("notices without a copy", lambda result: len(result.verdict.notices_without_copy)),
    ("notices under two Message-IDs", lambda result: len(result.verdict.notices_under_two_ids)),
    ("replies sent", lambda result: result.verdict.replies_sent),
    ("replies unknown", lambda result: result.verdict.replies_unknown),
    ("replies lost", lambda result: len(result.verdict.replies_lost)),
    ("replies doubled", lambda result: len(result.verdict.replies_doubled)),
    ("stuck", lambda result: len(result.verdict.stuck)),
    ("longest pause after a lease has ended", lambda result: f"{result.longest_pause:.1f} s"),
    ("took", lambda result: f"{result.seconds:.0f} s"),
)


def plan_of(kills: int, chance: random.Random, *, on_postgresql: bool) -> Plan:
    """Every named point at least once, and as often as fits into two thirds of the kills; the rest at any moment."""
    times = max(1, kills * 2 // 3 // len(NAMES))
    rest = max(0, kills - times * len(NAMES))
    shares = {"worker": 0.15, "postgres": 0.2, "portal": 0.15, "machine": 0.2} if on_postgresql else {
        "worker": 0, "postgres": 0, "portal": 0.2, "machine": 0.3
    }  # fmt: skip
    numbers = {name: round(rest * share) for name, share in shares.items()}
    return Plan(points=every_point(times, chance), intake=rest - sum(numbers.values()), **numbers)


def report(console: Console, results: list[Result]) -> None:
    table = Table("", *(result.database for result in results))
    for name, value in ROWS:
        table.add_row(name, *(str(value(result)) for result in results))
    console.print(table)
    points = Table("killed at", *(result.database for result in results))
    for name in NAMES:
        points.add_row(name, *(str(result.hits.get(name, 0)) for result in results))
    console.print(points)
    for result in results:
        for name, found in result.faults.items():
            console.print(f"[red]{result.database}: {name}:[/red] {'; '.join(found[:10])}", markup=True)


def run(database: str, wanted: argparse.Namespace) -> Result:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"letterdesk-crash-{database}-"))
        server = stack.enter_context(cluster()) if database == "postgresql" else None
        plan = plan_of(wanted.kills, random.Random(wanted.seed), on_postgresql=server is not None)
        intake = ("intake", "--workers", "2") if server else ("intake",)
        return storm(Path(home) / "desk", plan, wanted.seed, server, intake=intake, minutes=wanted.minutes)


def main() -> int:
    reader = argparse.ArgumentParser(prog="make crash", description=__doc__)
    reader.add_argument("--kills", type=int, default=110, help="on each database")
    reader.add_argument("--minutes", type=float, default=inf, help="kill no more after so long, on each database")
    reader.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    reader.add_argument("--database", choices=DATABASES, action="append")
    reader.add_argument("--log", type=Path, help="a file that keeps what the desks said")
    wanted = reader.parse_args()
    console = Console(highlight=False, width=120)
    console.print(f"seed {wanted.seed}")
    names = wanted.database or DATABASES
    with ThreadPoolExecutor(len(names)) as threads:
        results = list(threads.map(run, names, repeat(wanted)))
    if wanted.log:
        wanted.log.write_text("\n".join(result.log for result in results))
    report(console, results)
    return 1 if any(result.faults for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
