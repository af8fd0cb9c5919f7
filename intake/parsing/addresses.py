"""Address headers (RFC 5322 section 3.4) to people: lists, groups, comments, quoted and encoded names, and errors.

An address counts only when it is one clean addr-spec. What merely looks like one, as in
`alice@good.example)bob@evil.example` (CVE-2023-27043), gives nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from intake.parsing import encoded_words
from intake.parsing.limits import MAX_PEOPLE
from intake.types import Person

# Text that means nothing by itself; a quoted string; a domain literal; white space; a quoted pair; a special. Where
# the end of a quoted string is missing, what follows is read in the same pairs, so that no quote is looked at twice.
TOKEN = re.compile(r'[^\s"(),:;<>\\\[\]]+|"(?:[^"\\]|\\.)*"|\[[^\[\]\s"\\]*\]|\s+|\\.|.', re.DOTALL)
LOCAL = r"""[^\s"(),:;<>@\\\[\]\x00-\x20\x7f]+"""
CLEAN = re.compile(
    rf"""(?:{LOCAL}|"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])+")@(?:[^\s"(),:;<>@\\\[\]!#$%&*/=?^`{{|}}~\x00-\x20\x7f]+|\[[0-9A-Fa-f:.IPv]+\])"""
)
QUOTES = "\"'\u2018\u2019\u201c\u201d"
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\\(.)', re.DOTALL)
QUOTED_PAIR = re.compile(r"\\(.)")
MAILTO = re.compile(r"(?i)^mailto:")
NOT_TEXT = re.compile(r'[\s"\'`,;:<>()]+')


@dataclass(slots=True)
class _Entry:
    """What stands between two commas, while it is being read."""

    words: list[str] = field(default_factory=list)
    angle: list[str] | None = None
    comments: list[str] = field(default_factory=list)
    stray: bool = False

    def is_empty(self) -> bool:
        return self.angle is None and not "".join(self.words).strip() and not self.comments


def people(value: str, hint: str | None = None) -> tuple[Person, ...]:
    """Return the people of an address header, in order, at most `MAX_PEOPLE`. Linear in the length.

    An address inside an encoded word is nobody's (RFC 2047 section 5): what checks a sender does not see it either.
    """
    text = encoded_words.FOLD.sub(" ", encoded_words.raw_text(value, hint))
    found: list[Person] = []
    carried = ""
    for entry in _entries(text):
        person = _person(entry, carried)
        if person is None:
            carried = _carry(carried, entry)
            continue
        carried = ""
        found.append(person)
        if len(found) >= MAX_PEOPLE:
            break
    return tuple(found)


def is_clean(address: str) -> bool:
    """Say whether a text is one addr-spec and nothing besides (RFC 5322 section 3.4.1, and RFC 6532 letters)."""
    return len(address) <= 320 and CLEAN.fullmatch(address) is not None


def _carry(carried: str, entry: _Entry) -> str:
    """Keep a name that an unquoted comma cut off: `Doe, Jane <jane@client.example>`."""
    words = "".join(entry.words).strip()
    if entry.angle is not None or not words or "@" in words or len(carried) > 200:
        return ""
    return f"{carried}{words}, "


def _entries(value: str) -> Iterator[_Entry]:
    """Split an address list into its entries; group names are left out, their members are entries."""
    entry = _Entry()
    reader = iter(TOKEN.findall(value))
    for token in reader:
        if token == "(":
            entry.comments.append(_comment(reader))
        elif token in (",", ";"):
            yield entry
            entry = _Entry()
        elif token == ":" and entry.angle is None and _is_group(entry):
            entry = _Entry()
        elif token == "<" and not _is_addressed(entry):
            entry.angle = _angle(reader)
        else:
            entry.stray = entry.stray or token == ")" or token.startswith("\\")
            entry.words.append(token)
    yield entry


def _is_addressed(entry: _Entry) -> bool:
    return entry.angle is not None and "".join(entry.angle).strip() != ""


def _is_group(entry: _Entry) -> bool:
    words = "".join(entry.words).strip()
    return "@" not in words and words.lower() != "mailto"


def _comment(reader: Iterator[str]) -> str:
    """Read on to the end of a comment; comments nest (RFC 5322 section 3.2.2)."""
    depth, inside = 1, []
    for token in reader:
        if len(token) == 2 and token.startswith("\\"):
            inside.append(token[1])
            continue
        depth += (token == "(") - (token == ")")
        if depth == 0:
            break
        inside.append(token)
    return "".join(inside).strip()


def _angle(reader: Iterator[str]) -> list[str]:
    """Read on to the end of <…>, without comments and without a source route (`<@a,@b:user@host>`)."""
    inside: list[str] = []
    for token in reader:
        if token == ">":
            break
        if token == "(":
            _comment(reader)
        elif token == ":" and "".join(inside).strip().startswith("@"):
            inside.clear()
        elif token != "<":
            inside.append(token)
    return inside


def _person(entry: _Entry, carried: str) -> Person | None:
    if entry.is_empty():
        return None
    if entry.angle is not None:
        return _with_angle(entry, carried)
    text = "".join(entry.words)
    address = _address(text.strip(" >"))
    if address is None or entry.stray:
        return _last_word(entry)
    return Person(address=address, name=_name(" ".join(entry.comments)))


def _with_angle(entry: _Entry, carried: str) -> Person | None:
    address = _address("".join(entry.angle or ()))
    words = "".join(entry.words)
    if address is None:
        only = _address(words)
        return Person(address=only) if only and not "".join(entry.angle or ()).strip() else None
    name = _name(carried + words) or _name(" ".join(entry.comments))
    return Person(address=address, name=name)


def _last_word(entry: _Entry) -> Person | None:
    """Read `Jane Doe jane@client.example`, whose angle brackets are missing."""
    if entry.stray:
        return None
    words = "".join(entry.words).split()
    if len(words) < 2 or sum("@" in word for word in words) != 1:
        return None
    address = _address(words[-1])
    return Person(address=address, name=_name(" ".join(words[:-1]))) if address else None


def _address(text: str) -> str | None:
    plain = text.strip()
    plain = MAILTO.sub("", plain.strip(QUOTES + " ") if not plain.startswith('"') or plain.endswith('"') else plain)
    plain = re.sub(r"\s*([@.])\s*", r"\1", plain) if len(plain) < 1000 else plain
    return plain if is_clean(plain) else None


def _unquoted(match: re.Match[str]) -> str:
    return QUOTED_PAIR.sub(r"\1", match[1]) if match[1] is not None else match[2]


def _name(text: str) -> str:
    """Return a display name as a person reads it: without its quotes, encoded words decoded, one line."""
    plain = QUOTED.sub(_unquoted, text)
    name = " ".join(encoded_words.decode(plain).split())
    if len(name) > 1 and name[0] in QUOTES and name[-1] in QUOTES:
        name = name[1:-1].strip()
    if name.count('"') == 1:
        name = name.strip('" ')
    return "" if not NOT_TEXT.sub("", name) else name.strip()
