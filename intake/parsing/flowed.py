"""format=flowed (RFC 3676): paragraphs back in one line each, quote depths kept, signature lines left alone."""

from __future__ import annotations

import re

from intake.parsing.headers import Headers

QUOTES = re.compile(r">*")


def unfold(text: str, headers: Headers) -> str:
    """Return flowed text with its paragraphs joined; text of another format is returned as it is. Linear time."""
    if (headers.parameter("content-type", "format") or "").strip().lower() != "flowed":
        return text
    delete_space = (headers.parameter("content-type", "delsp") or "").strip().lower() == "yes"
    done: list[str] = []
    pieces: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        depth, content = _unquoted(line)
        flows = content.endswith(" ") and content != "-- "
        if open_depth not in (-1, depth) or (pieces and content == "-- "):
            _close(done, pieces, open_depth)
        pieces.append(content[:-1] if flows and delete_space else content)
        open_depth = depth
        if not flows:
            _close(done, pieces, depth)
            open_depth = -1
    _close(done, pieces, open_depth)
    return "\n".join(done)


def _unquoted(line: str) -> tuple[int, str]:
    """Return a line's quote depth and its content without space-stuffing (RFC 3676 section 4.4)."""
    match = QUOTES.match(line)
    depth = match.end() if match else 0
    content = line[depth:]
    return depth, content.removeprefix(" ")


def _close(done: list[str], pieces: list[str], depth: int) -> None:
    if pieces:
        joined = "".join(pieces)
        done.append(">" * depth + (" " if depth and joined else "") + joined)
        pieces.clear()
