"""The mail data of an SMTP transaction (RFC 5321 section 4.1.1.4): linear time, bounded memory, no I/O."""

from __future__ import annotations

from enum import Enum
from types import TracebackType
from typing import Self

END = b"\r\n.\r\n"
KEPT = len(END) - 1  # so much of what was seen can still become the beginning of the end


class Refusal(Enum):
    """Why mail data was read to its end and thrown away."""

    TOO_LARGE = "too large"
    NO_ROOM = "no room"


class Room:
    """How many bytes of mail all connections together may hold in memory."""

    def __init__(self, limit: int) -> None:
        self.free = limit

    def take(self, size: int) -> bool:
        """Reserve `size` bytes; False, and nothing reserved, where so much is not free."""
        if size > self.free:
            return False
        self.free -= size
        return True

    def give_back(self, size: int) -> None:
        self.free += size


class Pace:
    """Whether mail data keeps coming: `least` bytes in each span of `seconds`, from the moment `now` on."""

    def __init__(self, least: int, seconds: float, now: float) -> None:
        self._least = least
        self._seconds = seconds
        self._since = now
        self._came = 0

    def is_kept(self, size: int, now: float) -> bool:
        """Note `size` more bytes; False where the span that ends with them brought too few."""
        self._came += size
        if now - self._since < self._seconds:
            return True
        is_kept = self._came >= self._least
        self._since, self._came = now, 0
        return is_kept


class MailData:
    """Collects the chunks of one mail. Only CRLF.CRLF ends it, never a bare CR or LF.

    `limit` is the largest mail in bytes, without the dots that only make it transparent. Past it nothing is
    kept, however much comes. Its room is given back when the `with` block ends.
    """

    def __init__(self, limit: int, room: Room) -> None:
        self._limit = limit
        self._most = limit + limit // 2 + KEPT  # a stuffed dot costs at most one byte in two
        self._room = room
        self._reserved = 0
        self._refusal: Refusal | None = None
        self._data = bytearray(b"\r\n")  # the line end of the DATA command itself: "." may come at once

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._drop(0)

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk. None while the mail goes on; at its end the bytes that came behind it."""
        start = max(0, len(self._data) - KEPT)
        self._data += chunk
        end = self._data.find(END, start)
        if end >= 0:
            rest = bytes(self._data[end + len(END) :])
            del self._data[end + 2 :]
            return rest
        self._refusal = self._refusal or self._reserve(len(chunk))
        if self._refusal:
            self._drop(KEPT)
        return None

    def content(self) -> bytes | Refusal:
        """The mail without its transparent dots (section 4.5.2), or why there is none."""
        if self._refusal:
            return self._refusal
        plain = self._data.replace(b"\r\n.", b"\r\n")
        with memoryview(plain) as view:
            return Refusal.TOO_LARGE if len(view) - 2 > self._limit else bytes(view[2:])

    def _reserve(self, size: int) -> Refusal | None:
        if len(self._data) > self._most:
            return Refusal.TOO_LARGE
        if not self._room.take(size):
            return Refusal.NO_ROOM
        self._reserved += size
        return None

    def _drop(self, keep: int) -> None:
        del self._data[: len(self._data) - keep]
        self._room.give_back(self._reserved)
        self._reserved = 0
