"""What a client sends, line by line, with a limit that holds however long the line is."""

from __future__ import annotations

import asyncio
from enum import Enum

CHUNK = 4 * 1024 * 1024  # more than a reader ever buffers, so that each read empties it
READER_LIMIT = 256 * 1024
COMMAND_LIMIT = 2048  # bytes; UTF-8 addresses with parameters are longer than the 512 of RFC 5321
MARK = b"\x00"


class Unread(Enum):
    """Why there is no line."""

    TOO_LONG = "too long"  # it was passed over
    END = "end"


async def next_line(reader: asyncio.StreamReader) -> bytes | Unread:
    """The next line without its end."""
    is_too_long = False
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return Unread.END
        except asyncio.LimitOverrunError as error:
            await reader.read(error.consumed)
            is_too_long = True
            continue
        return Unread.TOO_LONG if is_too_long or len(line) > COMMAND_LIMIT else line.rstrip(b"\r\n")


async def throw_away(reader: asyncio.StreamReader) -> None:
    """Forget what has come and was not read yet, without waiting for more."""
    if not reader.at_eof():
        reader.feed_data(MARK)  # so that there is something to read
        await reader.read(CHUNK)
