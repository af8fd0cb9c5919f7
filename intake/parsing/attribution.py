"""The line that introduces a quote: "On Monday Anna wrote:", in the words of every client and language.

Not one pattern a language, but what all have in common: it begins with an opener, a date, a name or an
address; it has a verb of writing or ends in an address; it has a date, a time or an address; and it ends in
a colon (Zoho's and Android's stand between dashes instead).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

from intake.parsing.headerblock import person, plain_name
from intake.parsing.quote_words import BETWEEN, COMPARING, OPENERS, QUOTING, VERBS, VERBS_UNSPACED
from intake.parsing.textlines import CACHE, bare, clean, is_quoted
from intake.types import Person

MAX_LINES = 5
MAX_LENGTH = 400

_VERB = re.compile(
    r"(?<!\w)(?:" + "|".join(re.escape(v) for v in sorted(VERBS, key=len, reverse=True)) + r")(?!\w)"
    "|" + "|".join(re.escape(v) for v in VERBS_UNSPACED)
)
_DAY = re.compile(
    r"(?:19|20|25)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[./-]?\s?[^\W\d]{3,12}[.,-]{0,2}\s?\d{2,4}|\d{1,2}월|\d{1,2}月"
)
_TIME = re.compile(r"\d{1,2}\s?[:.h時点點시]\s?\d{2}|\d{1,2}\s?[ap]\.?m", re.IGNORECASE)
_QUOTING = tuple(word + " " for word in QUOTING)
_COMPARING = tuple(word + " " for word in COMPARING)
_NOTES = re.compile(r"---\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4} \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?---")
_TIME_END = re.compile(r"\d{1,2}[:.h]\d{2}(?:[:.]\d{2})?(?:\s?[ap]\.?\s?m\.?)?", re.IGNORECASE)
_LED_BY_DATE = re.compile(r"\W{0,3}(?:[^\W\d]{1,12}[.,]{0,2}\s{1,2}){0,2}\d")
_OPENER = re.compile(r"(?:" + "|".join(re.escape(o) for o in sorted(OPENERS, key=len, reverse=True)) + r")(?=[\s\d:,])")
_LED_BY_OPENER = re.compile(r"[ ,:]{0,3}(?:[^\W\d]{1,14}['’׳]?[.,]{0,3}\s{0,2}){0,3}[\d(]")
_DASHED = re.compile(r"-{2,}\s*(.{3,300}?)\s*-{2,}")
_ZONE = re.compile(r"(?:UTC|GMT)?[+-]\d{1,2}:?(?:\d\d)?|[A-Z]{2,4}T|MES?Z|MSK|UTC")
_SEPARATORS = str.maketrans("、，\u201c\u201d", '  ""')
_GMAIL_2014 = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)[+-]\d\d:\d\d \S.{0,200}")
_SHARED = re.compile(r"(?:(?<=\s)|-{2,}\s{0,2})(?:On|Am|Le|El|Em|Il|Op|Den) ")
_ENDS_IN_ADDRESS = re.compile(r"[>)\]]\s?:$|@[^\s@]{1,100}:$")
_VERB_AND_COLON = re.compile(r"^>?\s?\W{0,2}(?:" + "|".join(re.escape(v) for v in VERBS) + r")\s?:$")


class Weight(IntEnum):
    """How sure it is: a weak one counts only above quoted lines."""

    NONE = 0
    WEAK = 1
    STRONG = 2


def lines_at(lines: Sequence[str], start: int) -> int:
    """How many lines from `start` on are an attribution; 0 where it is none. Looks at a few lines only."""
    first = bare(lines[start])
    if not _may_begin(first):
        return 0
    joined = ""
    quoted = is_quoted(lines[start])
    for taken in range(1, min(MAX_LINES, len(lines) - start) + 1):
        raw = lines[start + taken - 1]
        if is_quoted(raw) is not quoted and not _VERB_AND_COLON.match(clean(raw).lower()):
            return 0
        joined = _join(joined, bare(raw))
        if len(joined) > MAX_LENGTH:
            return 0
        weight = weigh(joined)
        if weight and _stands(lines, start, taken, weight, quoted=quoted):
            return taken
        if weight or (joined.endswith((":", "：")) and not joined.endswith("mailto:")):
            return 0
        if not bare(raw) and "<" not in bare(lines[min(start + taken, len(lines) - 1)]):
            return 0
    return 0


@lru_cache(maxsize=CACHE)
def _may_begin(first: str) -> bool:
    if not first or len(first) > MAX_LENGTH:
        return False
    lowered = first.lower()
    return bool(
        _led_by_opener(lowered)
        or _LED_BY_DATE.match(first)
        or "@" in first
        or first.startswith("--")
        or lowered.startswith(_QUOTING)
        or _VERB.search(lowered)
    )


def _join(joined: str, line: str) -> str:
    if joined.endswith("="):  # an undecoded soft line break (RFC 2045 section 6.7)
        return joined[:-1] + line
    return f"{joined} {line}".strip()


def _stands(lines: Sequence[str], start: int, taken: int, weight: Weight, *, quoted: bool) -> bool:
    """Whether it is one in this place: nothing of the sender's own before it, quotes after a weak one."""
    for later in range(start + 1, start + taken):
        rest = " ".join(bare(line) for line in lines[later : start + taken])
        if _led_by_opener(rest.lower()) and weigh(rest) is Weight.STRONG:
            return False
    if weight is Weight.STRONG:
        return True
    after = start + taken
    while after < len(lines) and after < start + taken + 3 and not clean(lines[after]).strip("> "):
        after += 1
    return after < len(lines) and (quoted or is_quoted(lines[after]))


@lru_cache(maxsize=CACHE)
def weigh(text: str) -> Weight:
    """How much a text of one line looks like an attribution."""
    if _GMAIL_2014.fullmatch(text):
        return Weight.STRONG
    dashed = _DASHED.fullmatch(text)
    if dashed is not None:
        return Weight.STRONG if _VERB.search(dashed.group(1).lower()) else Weight.NONE
    text = text.lstrip("-—– *_").rstrip(" *_")
    if not text.endswith((":", "：")) or len(text) > MAX_LENGTH:
        return Weight.NONE
    lowered = text.lower()
    verb = _VERB.search(lowered) is not None
    dated = _DAY.search(text) is not None
    timed = _TIME.search(text) is not None
    addressed = "@" in text
    if _led_by_opener(lowered) or _LED_BY_DATE.match(text):
        return _weigh_dated(text, verb=verb, dated=dated, timed=timed, addressed=addressed)
    if not verb:
        return _weigh_unspoken(text, lowered, whole=dated and timed and addressed and "<" in text)
    return _weigh_named(text, dated=dated or timed, addressed=addressed)


def _weigh_unspoken(text: str, lowered: str, *, whole: bool) -> Weight:
    """Weigh a line without a verb that we know: `whole` with a date, a time and an address in it."""
    if whole:
        return Weight.STRONG if _ENDS_IN_ADDRESS.search(text) else Weight.WEAK
    return Weight.WEAK if lowered.startswith(_QUOTING) and len(text) <= 150 else Weight.NONE


def _weigh_dated(text: str, *, verb: bool, dated: bool, timed: bool, addressed: bool) -> Weight:
    if verb and ((dated and (timed or addressed)) or (timed and addressed)):
        return Weight.STRONG
    if not verb and dated and timed and addressed and _ENDS_IN_ADDRESS.search(text):
        return Weight.STRONG
    return Weight.WEAK if verb or (dated and timed and addressed and "<" in text) else Weight.NONE


def _weigh_named(text: str, *, dated: bool, addressed: bool) -> Weight:
    """Weigh "Anna <a@b> wrote on 5 May 2026:" and the like; a verb is there."""
    bracketed = addressed and ("<" in text or "(" in text or "[" in text)
    if bracketed and len(text) <= 250:
        return Weight.STRONG
    if dated or addressed:
        return Weight.WEAK
    return Weight.WEAK if len(text) <= 80 and not text.lower().startswith(_COMPARING) else Weight.NONE


def _led_by_opener(lowered: str) -> bool:
    match = _OPENER.match(lowered)
    return match is not None and _LED_BY_OPENER.match(lowered, match.end()) is not None


@lru_cache(maxsize=CACHE)
def shared_at(line: str) -> int | None:
    """Where an attribution begins that stands behind the sender's own words on one line; None elsewhere."""
    tail_start = max(0, len(line) - 300)
    tail = line[tail_start:].rstrip()
    if not tail.endswith((":", "：")) or "@" not in tail or not _VERB.search(tail.lower()):
        return None
    found = None
    for match in _SHARED.finditer(tail):
        if (
            tail_start + match.start()
            and _TIME.search(tail[match.start() :])
            and weigh(tail[match.start() :]) is Weight.STRONG
        ):
            found = tail_start + match.start()
    return found


def has_mail_behind(line: str) -> bool:
    """Whether a line is an attribution with the first line of the mail behind it (Yahoo's telephones, Notes)."""
    start = line[:MAX_LENGTH]
    if "---" in start and _NOTES.search(bare(line)):
        return True
    if ":  " not in start:
        return False
    head, gap, _ = bare(line).partition(":  ")
    return bool(gap) and "@" in head and _may_begin(head) and weigh(head + ":") is Weight.STRONG


def author(text: str) -> Person | None:
    """The person whom an attribution names, as far as it has an address."""
    whole = clean(text)
    found = person(whole)
    if found is None:
        return None
    before = whole.partition(found.address)[0].translate(_SEPARATORS)
    times = list(_TIME_END.finditer(before))
    if times:
        before = before[times[-1].end() :]
    words = before.split()
    while words and not words[0].startswith('"') and _is_between(words[0]):
        words.pop(0)
    return Person(address=found.address, name=plain_name(" ".join(words)))


def _is_between(word: str) -> bool:
    """Whether a word between the time and the name is not the name: a particle, a verb, a time zone."""
    whole, word = word.strip(","), word.strip(",.()<«:;-—")
    return word.lower() in BETWEEN or whole.lower() in BETWEEN or not word or _ZONE.fullmatch(word) is not None
