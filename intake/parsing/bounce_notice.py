"""The part of a delivery report that the mail system wrote: above the mail that it returns, and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from intake.parsing import bounce_words as words

MAX_NOTICE = 24_000  # characters
MAX_LINE = 300
MAX_LINES = 600

RULE = re.compile(r"[-=*_#~>\s]*")


def notice_lines(text: str) -> list[str]:
    """The lines that the mail system wrote: unquoted, above the mail that it returns."""
    lines: list[str] = []
    for line in bounded_lines(text):
        if begins_original(line):
            break
        if not line.startswith(">"):
            lines.append(line.rstrip())
    return lines


def bounded_lines(text: str) -> Iterator[str]:
    """At most MAX_LINES lines of at most MAX_LINE characters: flufl.bounce's patterns need short ones."""
    for line in text[:MAX_NOTICE].splitlines()[:MAX_LINES]:
        yield line[:MAX_LINE]


def begins_original(line: str) -> bool:
    """Whether from this line on the returned mail is shown."""
    lowered = line.lower()
    if lowered.startswith(words.HEADERS_BEGIN):
        return True
    bare = RULE.sub("", lowered, count=1)
    if not bare.startswith(words.ORIGINAL_BEGINS):
        return False
    ruled = lowered.strip()[:2] in {"--", "==", "**", "__", "##", "~~"}
    return ruled or bare.rstrip().endswith((":", "--")) or "follow" in bare
