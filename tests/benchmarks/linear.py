"""Is reading linear in the size of the mail, for every hostile mail? `python -m tests.benchmarks.linear [NAME…]`."""

from __future__ import annotations

import sys
import time

from intake.parsing.message import parse
from tests.benchmarks.hostile import MAILS, Maker

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
LARGEST = 25_000_000
GROWTH = 3.0
LONGEST = 5.0
REPEATS = 3


def seconds(content: bytes) -> float:
    """Return the shortest processor time of a few readings, in seconds: what else the machine does does not count."""
    best = float("inf")
    for _ in range(REPEATS if len(content) <= 1_000_000 else 1):
        start = time.process_time()
        parse(content)
        best = min(best, time.process_time() - start)
    return best


def measure(name: str, maker: Maker) -> bool:
    """Print microseconds per kB at each size, their growth, the seconds for the largest mail; say if all is well."""
    per_kb = [seconds(maker(size)) * 1e6 / (size / 1000) for size in SIZES]
    growth = max(per_kb[1:]) / per_kb[0]
    longest = seconds(maker(LARGEST))
    well = growth <= GROWTH and longest <= LONGEST
    figures = " ".join(f"{value:8.1f}" for value in per_kb)
    say(f"{name:26s} {figures}   x{growth:4.1f}   {longest:5.2f} s  {'ok' if well else 'TOO SLOW'}")
    return well


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(names: list[str]) -> int:
    """Measure all hostile mails, or those named; the exit status is 1 when one is too slow."""
    say(
        f"{'':26s} " + " ".join(f"{size // 1000:5d} kB" for size in SIZES) + "   growth   25 MB   (microseconds per kB)"
    )
    results = [measure(name, maker) for name, maker in MAILS.items() if not names or name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
