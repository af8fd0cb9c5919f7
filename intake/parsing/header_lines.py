"""The header block of a message or part (RFC 5322 section 2.2), right and wrong. Linear time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intake.parsing.limits import MAX_HEADER_BLOCK, MAX_HEADERS

LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r(?!\n)|\n|\Z)")
HEADER = re.compile(rb"([\x21-\x39\x3b-\x7e\x80-\xff]{1,200})[ \t]*:")
BLOCK_END = re.compile(rb"\r?\n[ \t]*\r?\n|\r\r|\Z")
TECHNICAL = re.compile(
    rb"(?i)(?:^|[\r\n])(?:content-(?:type|transfer-encoding|disposition|id)|mime-version|message-id|received|return-path):"
)
NO_END = "A header block has no blank line at its end; the rest was read as the body."
JUNK = "A line among the headers is no header; it was left out."
TOO_LONG = f"The headers are longer than {MAX_HEADER_BLOCK} bytes; the rest of them was not read."


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Names and raw values in order (bytes beyond ASCII as surrogates), and where the body begins."""

    headers: tuple[tuple[str, str], ...]
    end: int
    defects: tuple[str, ...]


def read(content: bytes, start: int, end: int, *, is_root: bool) -> Block:
    """Read the header block at `start`. `is_root` says whether it is that of the mail itself."""
    lines: list[bytes] = []
    defects: dict[str, None] = {}
    junk = _Junk(content, end)
    at = start
    while at < end:
        match = LINE.match(content, at, end)
        line = match.group() if match else b""
        bare = line.rstrip(b"\r\n")
        if not bare:
            at += len(line)
            break
        if (bare[:1] in b" \t" and lines) or HEADER.match(bare):
            lines.append(line)
        elif not junk.holds(at, at + len(line), is_root=is_root):
            defects[NO_END] = None
            break
        else:
            defects[JUNK] = None
        at += len(line)
        if at - start > MAX_HEADER_BLOCK:
            defects[TOO_LONG] = None
            block_end = BLOCK_END.search(content, at, end)
            at = block_end.end() if block_end else end
            break
    headers = _unfolded(lines, defects)
    return Block(headers=headers, end=min(at, end), defects=tuple(defects))


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
        limit = min(self._end, start + MAX_HEADER_BLOCK)
        block_end = BLOCK_END.search(self._content, start, limit)
        last = 0
        for match in TECHNICAL.finditer(self._content, max(0, start - 1), block_end.start() if block_end else limit):
            last = match.start() + 1
        return last


def _unfolded(lines: list[bytes], defects: dict[str, None]) -> tuple[tuple[str, str], ...]:
    """Put continuation lines to the headers that they belong to."""
    headers: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and headers:
            headers[-1].append(line)
        else:
            headers.append([line])
    if len(headers) > MAX_HEADERS:
        defects[f"There are {len(headers)} headers; the first {MAX_HEADERS} were read."] = None
    return tuple(_split(b"".join(pieces)) for pieces in headers[:MAX_HEADERS])


def _split(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("ascii", "surrogateescape").partition(":")
    return name.rstrip(), value.lstrip(" \t").rstrip("\r\n")
