"""S/MIME mail whose signature wraps the text (RFC 8551 section 3.5.2): opened, and nothing verified.

Outlook sends it when "clear text" signing is off. Both DER and BER are met; encrypted mail stays closed.
"""

from __future__ import annotations

TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
INTEGER, OCTETS, OBJECT_ID, SEQUENCE, SET, EXPLICIT, OCTETS_IN_PIECES = 0x02, 0x04, 0x06, 0x30, 0x31, 0xA0, 0x24
MAX_PIECES = 100_000


class _Reader:
    """A position in BER (X.690). What is not as expected raises ValueError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def peek(self) -> int:
        """Return the tag that comes next; -1 at the end."""
        return self._content[self._at] if self._at < len(self._content) else -1

    def enter(self, tag: int) -> int | None:
        """Read a tag and its length; None is the indefinite one."""
        if self.peek() != tag or self._at + 1 >= len(self._content):
            raise ValueError(tag)
        first = self._content[self._at + 1]
        self._at += 2
        if first < 0x80:
            return first
        if first == 0x80:
            return None
        size = first & 0x7F
        length = int.from_bytes(self._content[self._at : self._at + size])
        self._at += size
        return length

    def value(self, tag: int) -> bytes:
        """Read a value of definite length."""
        length = self.enter(tag)
        if length is None or self._at + length > len(self._content):
            raise ValueError(tag)
        self._at += length
        return self._content[self._at - length : self._at]


def signed_content(content: bytes) -> bytes | None:
    """Return the mail inside of signed data (RFC 5652 section 5); None where it is anything else, or damaged."""
    reader = _Reader(content)
    try:
        reader.enter(SEQUENCE)
        if reader.value(OBJECT_ID) != SIGNED_DATA:
            return None
        reader.enter(EXPLICIT)
        reader.enter(SEQUENCE)
        reader.value(INTEGER)
        reader.value(SET)
        reader.enter(SEQUENCE)
        reader.value(OBJECT_ID)
        reader.enter(EXPLICIT)
        return _octets(reader)
    except ValueError:
        return None


def _octets(reader: _Reader) -> bytes:
    """Read a string of bytes that is in one piece or in many."""
    if reader.peek() == OCTETS:
        return reader.value(OCTETS)
    reader.enter(OCTETS_IN_PIECES)
    pieces: list[bytes] = []
    while reader.peek() == OCTETS and len(pieces) < MAX_PIECES:
        pieces.append(reader.value(OCTETS))
    return b"".join(pieces)
