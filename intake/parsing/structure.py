"""Bytes to a tree of parts (RFC 2045, RFC 2046), within limits, in time linear in the size.

The tree is made of `Entity`, a standard library message, so that it is walked as usual. Broken mail is
split as far as it goes: a missing end of headers, a missing or repeated boundary, an unknown encoding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from intake.parsing import header_lines, smime, transfer
from intake.parsing.headers import Headers
from intake.parsing.limits import MAX_DEFECTS, MAX_DEPTH, MAX_PARTS

BLANK_LINES = re.compile(rb"\s*")
DELIMITER_END = re.compile(rb"(--[^\r\n]*)?[ \t]*(?:\r\n|\r|\n|\Z)")
GUESSED = re.compile(rb"(?:\A|(?<=\n))--([^\s-][^\r\n]{0,199}|-[^\r\n]{1,199})\r?\n[Cc]ontent-")
ENVELOPE = re.compile(rb">?From [^\r\n]*(?:\r\n|\r|\n)")
SPLIT_TYPES = ("message/rfc822", "message/global", "message/news")
REPORT_TYPES = ("message/delivery-status", "message/global-delivery-status")


class Entity(Message):
    """A message or part that knows where its body stands in the mail, and how deep it lies."""

    def __init__(self, depth: int = 0) -> None:
        super().__init__()
        self.depth = depth
        self._place = (b"", 0, 0)
        self._headers_read: Headers | None = None
        self._children: list[Message] | None = None

    def put(self, content: bytes, start: int, end: int) -> None:
        """Say where the body stands. Nothing is copied until `source` is asked for."""
        self._place = (content, start, max(start, end))

    @property
    def body_start(self) -> int:
        """Where the body begins in the bytes that it was read from."""
        return self._place[1]

    @property
    def source(self) -> bytes:
        """The bytes of the body, still in their transfer encoding."""
        content, start, end = self._place
        return content[start:end]

    def headers(self) -> Headers:
        """Return this part's headers, read once."""
        if self._headers_read is None:
            self._headers_read = Headers(self)
        return self._headers_read

    def put_into(self, children: Sequence[Message]) -> None:
        """Give this part the parts or the mail inside it."""
        self._children = list(children)

    def is_multipart(self) -> bool:
        """Say whether there are parts inside."""
        return self._children is not None

    def get_payload(self, i: int | None = None, decode: bool = False) -> Any:
        """Return what the standard library returns; decoding follows the tolerant rules of `transfer`."""
        if self._children is not None:
            return None if decode else self._children if i is None else self._children[i]
        if decode:
            return transfer.decode(self.source, self.headers().first("content-transfer-encoding"))[0]
        return self.source.decode("ascii", "surrogateescape")

    def get_content_type(self) -> str:
        """Return the media type in lower case; text/plain where the mail says none (RFC 2045 section 5.2)."""
        return self.headers().content_type() or self.get_default_type()


@dataclass(slots=True)
class Splitting:
    """The work on one mail: what is left of its limits, and its defects."""

    parts: int = 0
    defects: dict[str, None] = field(default_factory=dict)

    def defect(self, sentence: str) -> None:
        """Note what was wrong, each sentence once."""
        if len(self.defects) < MAX_DEFECTS:
            self.defects[sentence] = None


def split(content: bytes) -> tuple[Entity, tuple[str, ...]]:
    """Return the root of a mail's parts, and sentences on what was wrong with the mail."""
    work = Splitting()
    start = BLANK_LINES.match(content)
    begin = start.end() if start and header_lines.HEADER.match(content, start.end()) else 0
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    envelope = ENVELOPE.match(content, begin)
    root = _entity(work, content, envelope.end() if envelope else begin, len(content), "text/plain", 0)
    return root, tuple(work.defects)


def _entity(work: Splitting, content: bytes, start: int, end: int, default: str, depth: int) -> Entity:
    work.parts += 1
    entity = Entity(depth)
    entity.set_default_type(default)
    _take_headers(work, entity, header_lines.read(content, start, end, is_root=depth == 0), content, end)
    kind = entity.get_content_type()
    if kind.startswith("multipart/"):
        _split_multipart(work, entity, content, entity.body_start, end)
    elif kind in SPLIT_TYPES:
        _split_message(work, entity)
    elif kind in REPORT_TYPES:
        entity.put_into(_blocks(entity))
    elif kind in smime.TYPES:
        _split_signed(work, entity)
    return entity


def _take_headers(work: Splitting, entity: Entity, block: header_lines.Block, content: bytes, end: int) -> None:
    for sentence in block.defects:
        work.defect(sentence)
    for name, value in block.headers:
        entity.set_raw(name, value)
    entity.put(content, block.end, end)


# ------------------------------------------------------------------ multiparts


def _split_multipart(work: Splitting, entity: Entity, content: bytes, start: int, end: int) -> None:
    """Give a multipart its children; a multipart that cannot be split stays a leaf, with a defect."""
    if entity.depth >= MAX_DEPTH:
        work.defect(f"Parts lie more than {MAX_DEPTH} levels deep; what is below was not split.")
        return
    boundary = entity.headers().parameter("content-type", "boundary") or _guessed_boundary(content, start, end)
    if not boundary:
        work.defect("A multipart has no boundary; it was read as one text.")
        return
    sections, closed = _sections(content, start, end, boundary.encode("utf-8", "surrogateescape"))
    if not sections:
        work.defect("The boundary of a multipart does not occur in it; it was read as one text.")
        return
    if not closed:
        work.defect("The closing boundary is missing; the mail may be cut off.")
    default = "message/rfc822" if entity.get_content_type() == "multipart/digest" else "text/plain"
    children: list[Message] = []
    for first, last in sections:
        if work.parts >= MAX_PARTS:
            work.defect(f"There are more than {MAX_PARTS} parts; the rest was not read.")
            break
        children.append(_entity(work, content, first, last, default, entity.depth + 1))
    entity.put_into(children)


def _sections(content: bytes, start: int, end: int, boundary: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Return where the parts between the delimiter lines begin and end, and whether the last one was closed.

    Parts may follow a closing delimiter: some programs use one boundary for two multiparts within each other.
    """
    delimiter = b"--" + boundary.rstrip()
    found: list[tuple[int, int]] = []
    open_at: int | None = None
    closed = False
    at = content.find(delimiter, start, end)
    while at >= 0 and len(found) <= MAX_PARTS:
        after = at + len(delimiter)
        match = DELIMITER_END.match(content, after, end) if _begins_line(content, at, start) else None
        if match and not (match[1] and _names(content, open_at, at, content[at + 2 : match.end()])):
            if open_at is not None:
                found.append((open_at, max(open_at, _before_line_end(content, at))))
            closed = bool(match[1])
            after = match.end()
            open_at = None if closed else after
        at = content.find(delimiter, after, end)
    if open_at is not None and len(found) <= MAX_PARTS:
        found.append((open_at, end))
    return found, closed


def _names(content: bytes, open_at: int | None, at: int, line: bytes) -> bool:
    """Say whether a part names a boundary that is the one around it and "--": then the line is no end."""
    if open_at is None:
        return False
    opened = content[open_at : min(at, open_at + 500)]
    return b"oundary=" in opened and line.strip() in opened


def _begins_line(content: bytes, at: int, start: int) -> bool:
    return at == start or content[at - 1] in b"\r\n"


def _before_line_end(content: bytes, at: int) -> int:
    """Step back over one line end: it belongs to the delimiter (RFC 2046 section 5.1.1)."""
    if content[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if content[at - 1 : at] in (b"\n", b"\r") else at


def _guessed_boundary(content: bytes, start: int, end: int) -> str | None:
    """Find the boundary of a multipart that does not name it: a line `--…` that a header follows."""
    match = GUESSED.search(content, start, end)
    return match[1].decode("ascii", "surrogateescape").rstrip() if match else None


# ------------------------------------------------------------------ messages within messages


def _split_message(work: Splitting, entity: Entity) -> None:
    """Give an attached mail its root. Encoded ones break RFC 2046 section 5.2.1 and occur all the same."""
    if entity.depth >= MAX_DEPTH or work.parts >= MAX_PARTS:
        work.defect(f"Parts lie more than {MAX_DEPTH} levels deep; what is below was not split.")
        return
    inner, _ = transfer.decode(entity.source, entity.headers().first("content-transfer-encoding"))
    start = BLANK_LINES.match(inner)
    begin = start.end() if start else 0
    envelope = ENVELOPE.match(inner, begin)
    first = envelope.end() if envelope else begin
    entity.put_into([_entity(work, inner, first, len(inner), "text/plain", entity.depth + 1)])


def _split_signed(work: Splitting, entity: Entity) -> None:
    """Give S/MIME mail whose signature wraps the text the part inside it."""
    content, _ = transfer.decode(entity.source, entity.headers().first("content-transfer-encoding"))
    inner = smime.signed_content(content)
    if inner and entity.depth < MAX_DEPTH and work.parts < MAX_PARTS:
        entity.put_into([_entity(work, inner, 0, len(inner), "text/plain", entity.depth + 1)])


def _blocks(entity: Entity) -> list[Message]:
    """Split a delivery report into its blocks of fields, as the standard library does (RFC 3464 section 2.1)."""
    inner, _ = transfer.decode(entity.source, entity.headers().first("content-transfer-encoding"))
    blocks: list[Message] = []
    work = Splitting()
    for text in re.split(rb"(?:\r?\n[ \t]*){2,}", inner.strip())[:MAX_PARTS]:
        block = Entity()
        _take_headers(work, block, header_lines.read(text, 0, len(text), is_root=True), text, len(text))
        blocks.append(block)
    return blocks
