"""Header lines that a client wrote into the text above the mail that it answers or forwards.

From: Anna Smith <anna@client.example>
Sent: Monday, 5 January 2026 09:12
To: support@desk.example
Subject: Invoice
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from intake.parsing.field_words import LABELS, Field
from intake.parsing.textlines import CACHE, bare, clean, is_rule
from intake.types import Person

MAX_LINES = 40
MAX_CONTINUED = 4
_LINE = re.compile(r"([^\s:：][^:：]{0,40}?)\s{0,3}[:：][*_ ]{0,4}(.*)", re.DOTALL)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"'|*]{1,64}@[^\s<>()\[\]:;,\"'|*@]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderBlock:
    """Where the header lines end (excluded), and what they say."""

    end: int
    values: dict[Field, str]

    @property
    def convincing(self) -> bool:
        """Whether this is a mail's header and not a person's list ("From: Berlin / To: Hamburg")."""
        values = self.values
        if Field.FROM not in values or len(values) < 2:
            return False
        addressed = "@" in values[Field.FROM]
        if len(values) == 2:
            return addressed and (Field.DATE in values or Field.SUBJECT in values)
        if Field.SUBJECT in values:
            return addressed or Field.DATE in values or Field.TO in values
        return addressed or (Field.DATE in values and "@" in values.get(Field.TO, ""))


@lru_cache(maxsize=CACHE)
def field_of(line: str) -> tuple[Field, str] | None:
    """The field and value of a header line, already cleaned; None for any other line."""
    match = _LINE.match(line)
    if match is None:
        return None
    field = LABELS.get(match.group(1).strip("*_ \t.").casefold())
    return None if field is None else (field, match.group(2).strip("*_ \t"))


def read(lines: Sequence[str], start: int) -> HeaderBlock | None:
    """The header lines from line `start` on, or None. Looks at `MAX_LINES` lines at most."""
    if start >= len(lines) or field_of(bare(lines[start])) is None:
        return None
    values: dict[Field, str] = {}
    end = at = start
    last: Field | None = None
    pending: list[str] = []
    while at < min(len(lines), start + MAX_LINES):
        line = bare(lines[at])
        found = field_of(line)
        if found is not None and (found[0] not in values or found[0] in (Field.OTHER, Field.CC)):
            _continue(values, last, pending)
            last = found[0]
            values.setdefault(last, found[1])
            pending = []
            end = at + 1
        elif found is not None or len(pending) >= MAX_CONTINUED or (not line and not _field_follows(lines, at)):
            break
        elif line:
            pending.append(line)
        at += 1
    if pending and last in (Field.TO, Field.CC) and all("@" in line for line in pending):
        end += len(pending)
    return HeaderBlock(end=end, values=values)


def _field_follows(lines: Sequence[str], at: int) -> bool:
    """Some clients put blank lines between the header lines; they never put two."""
    return at + 1 < len(lines) and field_of(bare(lines[at + 1])) is not None


def _continue(values: dict[Field, str], field: Field | None, pending: list[str]) -> None:
    """A value went on over the next lines. A subject is left as its first line."""
    if field is not None and pending and field is not Field.SUBJECT:
        values[field] = " ".join([values[field], *pending])


def start_of_rule(lines: Sequence[str], start: int) -> int:
    """Go back over blank and drawn lines that stand above header lines."""
    at = start
    while at > 0 and start - at < 6 and (not clean(lines[at - 1]) or is_rule(bare(lines[at - 1]))):
        at -= 1
    return at


def person(value: str) -> Person | None:
    """The first address of a header line's value, with its name; None where it has no address.

    Reads `Anna <a@b>`, `a@b`, `Anna [mailto:a@b]`, `Anna (a@b)`, `Anna<mailto:a@b> <a@b<mailto:a@b>> on behalf of c@d`.
    """
    value = clean(value)
    match = _ADDRESS.search(value)
    if match is None:
        return None
    address = match.group().strip(".")
    name = value[: match.start()]
    for mark in ("<", "[", "("):
        name = name.partition(mark)[0] if name.partition(mark)[0].strip() else name
    return Person(address=address, name=plain_name(name))


def plain_name(name: str) -> str:
    """A name without quotes and brackets; "" where it is only an address again."""
    name = name.removesuffix("mailto:").strip(" \t\"'<>[]()«»“”„‘’*_,;:|-")
    return "" if "@" in name else " ".join(name.split())
