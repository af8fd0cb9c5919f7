"""Lines of a mail's text as the quote rules look at them. Every function is linear in its argument."""

from __future__ import annotations

import re
from functools import lru_cache

# Several rules look at each line, one after the other.
CACHE = 1024

# Characters of a line that any rule looks at: what clients write is short, bait is not.
LOOK = 500

_INVISIBLE = dict.fromkeys(
    (0xFEFF, 0x00AD, 0x061C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)), ""
)
_SPACES = {0x00A0: " ", 0x202F: " ", 0x2009: " ", 0x3000: " ", 0x2007: " ", 0x0009: " "}
_TRANSLATION = str.maketrans({**_INVISIBLE, **_SPACES})
_QUOTE = re.compile(r"[ \t\u00a0\u200b\ufeff]{0,3}>")
_EMOTICONS = frozenset([">:(", ">:-(", ">_<", ">.<", ">_>", ">:)", ">;)", ">:D", ">:-)", ">:|", ">:/", ">.>", "><"])
_RULE = re.compile(r"[-_=*~#\u2010-\u2015\u2500\u2501 ]{3,}")


def phrases(text: str) -> tuple[str, ...]:
    """The entries of a word table: separated by semicolons, over several lines; without invisible characters."""
    return tuple(" ".join(text.translate(_TRANSLATION).split()).split("; "))


@lru_cache(maxsize=CACHE)
def clean(line: str) -> str:
    """The head of a line without invisible characters, bold marks at its ends, and outer space."""
    head = line[:LOOK]
    if head.isascii():  # the usual line, and several times as fast
        return head.replace("\t", " ").strip()
    return head.translate(_TRANSLATION).strip()


def is_quoted(line: str) -> bool:
    """Whether a line begins with a quote mark ("> "). mbox's ">From " and emoticons are no quotes."""
    if _QUOTE.match(line) is None:
        return False
    return not line.startswith(">From ") and line[:8].strip() not in _EMOTICONS


def unquoted(line: str) -> str:
    """The line without one quote mark and the space after it."""
    match = _QUOTE.match(line)
    if match is None:
        return line
    rest = line[match.end() :]
    return rest.removeprefix(" ")


@lru_cache(maxsize=CACHE)
def bare(line: str) -> str:
    """The cleaned head of a line without any of its quote marks."""
    return clean(line[:LOOK].lstrip("> \t\u00a0"))


def is_rule(line: str) -> bool:
    """Whether a line is nothing but a drawn line of at least three dashes or the like."""
    return len(line) <= LOOK and _RULE.fullmatch(line) is not None and bool(line.strip())
