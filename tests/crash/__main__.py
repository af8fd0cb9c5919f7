"""`make crash`: storms on SQLite and on PostgreSQL, and what they left. Exit status 1 where anything is amiss.

The two run side by side, since each waits much. A full run has at least 200 kills on both together; one that was asked
to be shorter says that it is. It writes into temporary folders only; `--log FILE` keeps what the desks said.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from math import inf
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.models import DeliveryCause
from tests.crash.kills import Plan, every_point
from tests.crash.points import NAMES
from tests.crash.storm import Result, storm
from tests.crash.verdict import Fate
from tests.postgres import cluster

DATABASES = ("sqlite", "postgresql")
KILLS = 120  # on each of them
FULL_RUN = 200  # kills, on both together
Row = tuple[str, Callable[[Result], object]]
ROWS: tuple[Row, ...] = (
    ("kills", lambda result: result.number_of_kills),
    ("  of so many planned", lambda result: result.planned),
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
    ("acknowledgements", lambda result: result.verdict.notices.written[DeliveryCause.ACKNOWLEDGEMENT]),
    ("notices of a status", lambda result: result.verdict.notices.written[DeliveryCause.STATUS]),
    ("notices to agents", lambda result: result.verdict.notices.written[DeliveryCause.NOTICE]),
    ("notices never queued", lambda result: len(result.verdict.notices.missing)),
    ("notices uncalled for", lambda result: len(result.verdict.notices.uncalled_for)),
    ("notices without a copy", lambda result: len(result.verdict.notices.without_copy)),
    ("notices under two Message-IDs", lambda result: len(result.verdict.notices.under_two_ids)),
    ("replies sent", lambda result: len(result.verdict.replies_that_are(Fate.SENT))),
    ("replies sent and returned", lambda result: len(result.verdict.replies_that_are(Fate.RETURNED))),
    ("replies unknown", lambda result: len(result.verdict.replies_that_are(Fate.UNKNOWN))),
    ("replies lost", lambda result: len(result.verdict.replies_that_are(Fate.LOST))),
    ("replies doubled", lambda result: len(result.verdict.replies_that_are(Fate.DOUBLED))),
    ("policies not applied", lambda result: len(result.unapplied)),
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


def shortfall(results: Sequence[Result]) -> str | None:
    """What this run lacks to be a full one, for a person; None where it is one."""
    kills = sum(result.number_of_kills for result in results)
    lacks = [f"nothing ran on {name}" for name in DATABASES if name not in {result.database for result in results}]
    lacks += [f"{kills} kills, and a full run has {FULL_RUN} at least"] if kills < FULL_RUN else []
    lacks += [f"never between the kills on {result.database}: {name}" for result in results for name in result.idle]
    return "; ".join(lacks) or None


def is_good(results: Sequence[Result], wanted: argparse.Namespace) -> bool:
    """Whether nothing is amiss, and nothing is lacking that was not asked to be left out."""
    whole = wanted.kills >= KILLS and wanted.minutes == inf and not wanted.database
    return not any(result.faults for result in results) and not (whole and shortfall(results))


def report(console: Console, results: Sequence[Result]) -> None:
    lack = shortfall(results)
    title = f"Cut short, not a full run: {lack}" if lack else "A full run"
    table = Table("", *(result.database for result in results), title=title)
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
    reader.add_argument("--kills", type=int, default=KILLS, help="on each database")
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
    return 0 if is_good(results, wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
