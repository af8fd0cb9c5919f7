"""The lines above a mail that was forwarded or is answered: "Forwarded message", "Original Message"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from intake.parsing import headerblock
from intake.parsing.forward_words import MARKERS
from intake.parsing.quote_words import ORIGINAL
from intake.parsing.textlines import CACHE, bare, clean

MAX_MARK = 160
_ORIGINAL = frozenset(phrase.casefold() for phrase in ORIGINAL)
_DASHED = re.compile(r"[-_=*—–]{2,}[\s>]{0,3}([^-_=*—–\s].*?)[\s<]{0,3}[-_=*—–]{2,}[\s:：]{0,2}(.*)", re.DOTALL)
_PARTS = re.compile(r"\s*(?:/|\||-{2,}|—)\s*")
_NAMED = re.compile(r" (?:from|by|von|de|da|par|por|van|door|fra|från|af|av|od|від|от|από|dari) ")
_BY = tuple(
    marker + " "
    for marker in MARKERS
    if marker.endswith((" by", " from", " von", " par", " por", " da", " door", " af", " av"))
)


def forward_at(lines: Sequence[str], at: int) -> str | None:
    """What follows a forward's mark on its line ("" as a rule, Yahoo's header otherwise); None where there is none.

    A mark stands between dashes, or ends in a colon and has header lines below it (Apple Mail, MailMate).
    """
    line = bare(lines[at])
    if not line or not ("-" in line[:4] or line[-1] in ":：。" or line[:1] in "_=*—–" or len(line) < 60):
        return None
    dashed = _DASHED.fullmatch(line)
    if dashed is not None:
        return dashed.group(2) if _is_marker(dashed.group(1)) else None
    if len(line) <= MAX_MARK and _is_marker(line) and _header_below(lines, at):
        return ""
    return None


@lru_cache(maxsize=CACHE)
def _is_marker(words: str) -> bool:
    words = _folded(words)
    if words in MARKERS or words.startswith(_BY) or _NAMED.split(words, maxsplit=1)[0] in MARKERS:
        return True
    return any(part in MARKERS for part in _PARTS.split(words[:MAX_MARK]))


def _folded(words: str) -> str:
    return " ".join(words[:MAX_MARK].casefold().replace("i̇", "i").strip(" :：.。…-—–_*=<>\"'「」").split())


def _header_below(lines: Sequence[str], at: int) -> bool:
    for below in range(at + 1, min(len(lines), at + 4)):
        line = bare(lines[below])
        if line:
            return headerblock.field_of(line) is not None
    return False


@lru_cache(maxsize=CACHE)
def is_original(line: str) -> bool:
    """Whether a line is "-----Original Message-----" in any language."""
    line = clean(line)
    if len(line) > MAX_MARK:
        return False
    dashed = _DASHED.fullmatch(line)
    if dashed is None or dashed.group(2):
        return False
    words = _folded(dashed.group(1))
    return words in _ORIGINAL or any(part in _ORIGINAL for part in _PARTS.split(words))
