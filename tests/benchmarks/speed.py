"""How fast mail is read: full readings a second, beside what the standard library needs for less.

`python -m tests.benchmarks.speed [FOLDER]` reads the .eml files of a folder, or a mix made here. The measure is the
ratio to a bare parse (`email.message_from_bytes` and every part decoded) in the same run.
"""

from __future__ import annotations

import email
import sys
import time
from collections.abc import Callable
from pathlib import Path

from intake.parsing.message import parse
from tests.benchmarks.mix import mails

COUNT = 500
ROUNDS = 5
WANTED = 0.5


def bare(content: bytes) -> None:
    """Parse with the standard library alone and decode every part."""
    for part in email.message_from_bytes(content).walk():
        if not part.is_multipart():
            part.get_payload(decode=True)


def seconds(read: Callable[[bytes], object], contents: list[bytes]) -> float:
    """Return the processor time for reading all mails once."""
    start = time.process_time()
    for content in contents:
        read(content)
    return time.process_time() - start


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Print the figures; the exit status is 1 when the ratio is below `WANTED`."""
    if arguments:
        contents = [path.read_bytes() for path in sorted(Path(arguments[0]).glob("*.eml"))]
    else:
        contents = list(mails(COUNT))
    rounds = [(seconds(bare, contents), seconds(parse, contents)) for _ in range(ROUNDS)]
    without, full = (min(times) for times in zip(*rounds, strict=True))
    megabytes = sum(map(len, contents)) / 1e6
    say(f"{len(contents)} mails, {megabytes:.1f} MB")
    say(f"bare parse    {len(contents) / without:8.0f} mails a second")
    say(f"full reading  {len(contents) / full:8.0f} mails a second")
    say(f"ratio         {without / full:8.2f} (wanted: {WANTED} or more)")
    return 0 if without / full >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
