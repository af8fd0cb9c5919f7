"""The only access to a message's headers. Nothing here raises, whatever a header holds.

Values are decoded and unfolded to one line without NUL, CR and LF, and cut at `limits.MAX_HEADER_LENGTH`.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.message import Message

from intake.parsing import addresses, dates, encoded_words, parameters
from intake.parsing.limits import MAX_HEADER_LENGTH, MAX_IDS, MAX_PEOPLE
from intake.types import Person

ID = re.compile(r"<([^<>]{1,998})>")
COMMENT = re.compile(r"\([^()]*\)")
SPACE = re.compile(r"\s+")
ABSENT: tuple[str, dict[str, str]] = ("", {})


class Headers:
    """The headers of one message or part. Names are compared without letter case; the first of a name is `first`."""

    __slots__ = ("_hint", "_parameters", "_people", "_texts", "_values")

    def __init__(self, message: Message, hint: str | None = None) -> None:
        """Read a message's headers; `hint` is a charset to try for raw 8-bit values that are not UTF-8."""
        self._values: dict[str, list[str]] = {}
        for name, value in message.raw_items():
            self._values.setdefault(name.lower(), []).append(str(value)[:MAX_HEADER_LENGTH])
        self._parameters: dict[str, tuple[str, dict[str, str]]] = {}
        self._texts: dict[str, tuple[str, ...]] = {}
        self._people: dict[str, tuple[Person, ...]] = {}
        self._hint = hint or self.parameter("content-type", "charset")

    def first(self, name: str) -> str | None:
        """Return the first header of a name, or None where there is none."""
        texts = self.all(name)
        return texts[0] if texts else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return all headers of a name, in order."""
        key = name.lower()
        if key not in self._values:
            return ()
        if key not in self._texts:
            self._texts[key] = tuple(encoded_words.decode(value, self._hint) for value in self._values[key])
        return self._texts[key]

    def raw(self, name: str) -> str | None:
        """Return the first header of a name as it came: folded, encoded, bytes beyond ASCII as surrogates."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def people(self, name: str) -> tuple[Person, ...]:
        """Return the people of all headers of a name whose address is one clean addr-spec."""
        key = name.lower()
        if key not in self._values:
            return ()
        if key not in self._people:
            found = [person for value in self._values[key] for person in addresses.people(value, self._hint)]
            self._people[key] = tuple(found[:MAX_PEOPLE])
        return self._people[key]

    def ids(self, name: str) -> tuple[str, ...]:
        """Return the Message-IDs of all headers of a name without <>, each once, in order."""
        value = " ".join(self._values.get(name.lower(), ()))[:MAX_HEADER_LENGTH]
        if not value:
            return ()
        if "<" not in value or not ID.search(value):
            found = [word.strip("<>,;\"'") for word in encoded_words.decode(value).split() if "@" in word]
        else:
            found = [_clean_id(match) for match in ID.findall(value)]
        return tuple(dict.fromkeys(name for name in found if name))[:MAX_IDS]

    def date(self, name: str = "Date") -> datetime | None:
        """Return a date header as an aware datetime, or None where there is none that can be read."""
        value = self.first(name)
        return dates.read(value) if value else None

    def names(self) -> frozenset[str]:
        """Return the lower-cased names of the headers that are there."""
        return frozenset(self._values)

    def count(self, name: str) -> int:
        """Return how many headers of a name there are."""
        return len(self._values.get(name.lower(), ()))

    def content_type(self) -> str:
        """Return the media type in lower case; "" where there is none that can be read (RFC 2045 section 5)."""
        kind = self._read("content-type")[0]
        return kind if kind.count("/") == 1 and not kind.startswith("/") and " " not in kind else ""

    def disposition(self) -> str:
        """Return "inline", "attachment", another word in lower case, or "" (RFC 2183)."""
        return self._read("content-disposition")[0]

    def parameter(self, header: str, name: str) -> str | None:
        """Return a parameter's text, or None where it is not there (RFC 2045 section 5.1, RFC 2231)."""
        return self._read(header)[1].get(name)

    def _read(self, name: str) -> tuple[str, dict[str, str]]:
        if name not in self._values:
            return ABSENT
        if name not in self._parameters:
            value = encoded_words.FOLD.sub(" ", self._values[name][0])
            self._parameters[name] = parameters.read(value)
        return self._parameters[name]


def _clean_id(text: str) -> str:
    """Return a Message-ID without the white space and comments of the obsolete syntax (RFC 5322 section 4.5.4)."""
    plain = SPACE.sub("", COMMENT.sub("", text) if SPACE.search(text) else text)
    if plain.isascii() and "=?" not in plain and plain.isprintable():
        return plain
    return SPACE.sub("", encoded_words.decode(plain))
