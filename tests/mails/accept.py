"""Take the present readings of the samples as right: `python -m tests.mails.accept [NAME…]`. Look at the difference."""

from __future__ import annotations

import sys

from tests.mails.readings import golden, reading, samples, written


def main(names: list[str]) -> None:
    """Write the golden readings of all samples, or of those whose names begin with `names`; say what changed."""
    for sample in samples():
        if names and not sample.stem.startswith(tuple(names)):
            continue
        path, now = golden(sample), written(reading(sample))
        if not path.exists() or path.read_text(encoding="utf-8") != now:
            path.write_text(now, encoding="utf-8")
            sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
