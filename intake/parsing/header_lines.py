"""The header block of a message or part (RFC 5322 section 2.2), right and wrong. Linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing.limits import MAX_HEADER_BLOCK, MAX_HEADER_LENGTH, MAX_HEADERS

LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r(?!\n)|\n|\Z)")
HEADER = re.compile(rb"([\x21-\x39\x3b-\x7e\x80-\xff]{1,200})[ \t]*:")
NEXT_FIELD = re.compile(rb"(?:\n|\r(?!\n))(?![ \t])")
BLOCK_END = re.compile(rb"\r?\n[ \t]*\r?\n|\r\r|\Z")
TECHNICAL = re.compile(
    rb"(?i)(?:^|[\r\n])(?:content-(?:type|transfer-encoding|disposition|id)|mime-version|message-id|received|return-path):"
)
NO_END = "A header block has no blank line at its end; the rest was read as the body."
JUNK = "A line among the headers is no header; it was left out."
JUNK_REACH = 1_000_000  # bytes that are searched for a header behind a line that is none
LONGEST_WORD = 1000  # bytes of an identifier or an address, which is not cut in two
CUT = f"A header is longer than {MAX_HEADER_LENGTH} bytes; the rest of it was not read."
TOO_LONG = f"The headers are longer than {MAX_HEADER_BLOCK} bytes; the rest of them was not read."


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Names and raw values in order (bytes beyond ASCII as surrogates), and where the body begins."""

    headers: tuple[tuple[str, str], ...]
    end: int
    defects: tuple[str, ...]


def read(content: bytes, start: int, end: int, *, is_root: bool) -> Block:
    """Read the header block at `start`. `is_root` says whether it is that of the mail itself."""
    fields = _Fields()
    defects: dict[str, None] = {}
    junk = _Junk(content, end)
    at, looked_at = start, 0
    while at < end:
        match = LINE.match(content, at, end)
        line = match.group() if match else b""
        after = at + len(line)
        bare = line.rstrip(b"\r\n")
        if not bare:
            at = after
            break
        if bare[:1] in b" \t" and fields.count:
            fields.go_on(line)
            after = _next_field(content, after - 1, end) if fields.is_full else after
        elif HEADER.match(bare):
            fields.begin(line)
        elif not junk.holds(at, after, is_root=is_root):
            defects[NO_END] = None
            break
        else:
            defects[JUNK] = None
        at = after
        looked_at += min(len(line), MAX_HEADER_LENGTH)
        if looked_at > MAX_HEADER_BLOCK:
            defects[TOO_LONG] = None
            block_end = BLOCK_END.search(content, at, end)
            at = block_end.end() if block_end else end
            break
    return Block(headers=fields.read(), end=min(at, end), defects=(*defects, *fields.defects()))


class _Fields:
    """The headers in order, continuation lines with those that they belong to. One that is too long is cut."""

    def __init__(self) -> None:
        self.count = 0
        self._fields: list[list[bytes]] = []
        self._room = 0
        self._is_cut = False

    def begin(self, line: bytes) -> None:
        self.count += 1
        self._room = MAX_HEADER_LENGTH
        if self.count <= MAX_HEADERS:
            self._fields.append([])
        self.go_on(line)

    def go_on(self, line: bytes) -> None:
        if self.count > MAX_HEADERS:
            return
        kept = _cut(line, self._room)
        self._room -= len(line)
        self._is_cut = self._is_cut or len(kept) < len(line)
        self._fields[-1].append(kept)

    @property
    def is_full(self) -> bool:
        """Whether nothing more of the present header is read."""
        return self._room < 0

    def read(self) -> tuple[tuple[str, str], ...]:
        return tuple(_split(b"".join(lines)) for lines in self._fields)

    def defects(self) -> Iterator[str]:
        if self._is_cut:
            yield CUT
        if self.count > MAX_HEADERS:
            yield f"There are {self.count} headers; the first {MAX_HEADERS} were read."


def _next_field(content: bytes, start: int, end: int) -> int:
    """Where the next line begins that continues nothing; `start` is the end of a line."""
    match = NEXT_FIELD.search(content, start, end)
    return match.start() + 1 if match else end


class _Junk:
    """Lines among headers that are no headers: a header for machines follows them before the next empty line."""

    def __init__(self, content: bytes, end: int) -> None:
        self._content = content
        self._end = end
        self._last_header = -1

    def holds(self, line_start: int, next_line: int, *, is_root: bool) -> bool:
        """Say whether the line at `line_start` is junk; else it is the first line of the body."""
        if self._content.startswith(b"--", line_start):
            return False
        if self._last_header < 0:
            self._last_header = self._find_last(next_line)
        return self._last_header >= next_line or (is_root and HEADER.match(self._content, next_line) is not None)

    def _find_last(self, start: int) -> int:
        limit = min(self._end, start + JUNK_REACH)
        block_end = BLOCK_END.search(self._content, start, limit)
        last = 0
        for match in TECHNICAL.finditer(self._content, max(0, start - 1), block_end.start() if block_end else limit):
            last = match.start() + 1
        return last


def _cut(line: bytes, room: int) -> bytes:
    """The beginning of a line, up to white space or a comma near its end: half an address would be another one."""
    if len(line) <= room:
        return line
    piece = line[: max(room, 0)]
    near = max(0, len(piece) - LONGEST_WORD)
    return piece[: max(piece.rfind(mark, near) for mark in (b" ", b"\t", b",")) + 1] or piece


def _split(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("ascii", "surrogateescape").partition(":")
    return name.rstrip(), value.lstrip(" \t").rstrip("\r\n")
