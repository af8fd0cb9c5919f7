"""MAPI properties as a winmail.dat holds them (MS-OXTNEF section 2.1.3.4, MS-OXCDATA section 2.11)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from intake.parsing import charset

DISPLAY_NAME, BODY, RTF_COMPRESSED, HTML, HTML_TEXT = 0x3001, 0x1000, 0x1009, 0x1013, 0x1014
ATTACH_DATA, ATTACH_FILENAME, ATTACH_LONG_FILENAME = 0x3701, 0x3704, 0x3707
ATTACH_MIME_TAG, ATTACH_CONTENT_ID, INTERNET_CODEPAGE = 0x370E, 0x3712, 0x3FDE
OBJECT, STRING, UNICODE, BINARY = 0x000D, 0x001E, 0x001F, 0x0102
MANY = 0x1000
FIXED = {0x0: 4, 0x1: 4, 0x2: 4, 0x3: 4, 0x4: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
VARIABLE = (OBJECT, STRING, UNICODE, BINARY)
MAX_PROPERTIES = 2000


@dataclass(frozen=True, slots=True)
class Value:
    """One property: its type, and the first of its values as bytes."""

    kind: int
    content: bytes


class _Reader:
    """A position in bytes; reading beyond the end raises EOFError, which ends the reading of a block."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            raise EOFError
        taken = self._content[self._at : self._at + size]
        self._at += size
        return taken

    def number(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def padded(self, size: int) -> bytes:
        taken = self.take(size)
        self._at += -size % 4
        return taken


def read(content: bytes) -> dict[int, Value]:
    """Return the properties of a block by their id. What is cut off or of an unknown type ends the reading."""
    found: dict[int, Value] = {}
    reader = _Reader(content)
    try:
        for _ in range(min(reader.number(), MAX_PROPERTIES)):
            tag = reader.number()
            if tag >> 16 >= 0x8000:
                _skip_name(reader)
            value = _value(reader, tag & 0xFFFF)
            if value is None:
                break
            found.setdefault(tag >> 16, value)
    except EOFError:
        pass
    return found


def _skip_name(reader: _Reader) -> None:
    """Pass over the name of a named property: a GUID, and a number or a text."""
    reader.take(16)
    if reader.number() == 0:
        reader.number()
    else:
        reader.padded(reader.number())


def _value(reader: _Reader, kind: int) -> Value | None:
    base = kind & ~MANY
    if base in VARIABLE:
        values = [reader.padded(reader.number()) for _ in range(_count(reader))]
        return Value(base, values[0] if values else b"")
    if base not in FIXED:
        return None
    values = [reader.take(FIXED[base]) for _ in range(_count(reader) if kind & MANY else 1)]
    return Value(base, values[0] if values else b"")


def _count(reader: _Reader) -> int:
    count = reader.number()
    if count > 100_000:
        raise EOFError
    return count


def text(value: Value | None, codepage: str) -> str:
    """Return a property's text without its closing NUL; "" where it is no text."""
    if value is None or value.kind not in (STRING, UNICODE):
        return ""
    name = "utf-16-le" if value.kind == UNICODE else codepage
    return charset.decode(value.content, name)[0].split("\0", 1)[0]


def number(value: Value | None) -> int:
    """Return a property's number; 0 where it is none."""
    return int(struct.unpack("<i", value.content)[0]) if value and value.kind == 3 and len(value.content) == 4 else 0
