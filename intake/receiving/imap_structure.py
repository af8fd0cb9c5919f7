"""The parts of a mail as its server describes them (BODYSTRUCTURE, RFC 9051 section 7.5.2), read without trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing.limits import MAX_DEPTH

MAX_PARTS = 500
TEXTS = ("text/", "message/delivery-status", "message/disposition-notification")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A part without parts, `size` bytes large in its transfer encoding. An attached mail is one."""

    section: str
    content_type: str
    encoding: str
    size: int

    @property
    def is_text(self) -> bool:
        return self.content_type.startswith(TEXTS)

    @property
    def file_size(self) -> int:
        """About how large it is without its transfer encoding: 57 bytes make a line of 76 characters (RFC 2045)."""
        return self.size * 57 // 78 if self.encoding == "base64" else self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A multipart. The section of the mail itself is ""."""

    section: str
    children: tuple[Node, ...]


Node = Leaf | Branch


def read_structure(told: object) -> Node:
    """Read what imapclient made of a BODYSTRUCTURE. Raises ValueError where that makes no sense."""
    root = _node(told, "", 0)
    if len(leaves(root)) > MAX_PARTS:
        raise ValueError("too many parts")
    return root


def leaves(node: Node) -> list[Leaf]:
    """All parts without parts, in order."""
    return [each for each in walk(node) if isinstance(each, Leaf)]


def walk(node: Node) -> Iterator[Node]:
    """A part and all below it, in order."""
    yield node
    if isinstance(node, Branch):
        for child in node.children:
            yield from walk(child)


def _node(told: object, section: str, depth: int) -> Node:
    if not isinstance(told, tuple) or not told or depth > MAX_DEPTH:
        raise ValueError("no part")
    if isinstance(told[0], list) and told[0]:
        below = f"{section}." if section else ""
        children = (_node(child, f"{below}{number}", depth + 1) for number, child in enumerate(told[0], 1))
        return Branch(section=section, children=tuple(children))
    return _leaf(told, section or "1")


def _leaf(told: tuple[object, ...], section: str) -> Leaf:
    """A part is (type, subtype, parameters, id, description, encoding, size, …)."""
    if len(told) < 7 or not isinstance(told[6], int):
        raise ValueError("no part")
    return Leaf(
        section=section,
        content_type=f"{_word(told[0])}/{_word(told[1])}",
        encoding=_word(told[5]) if told[5] else "7bit",
        size=told[6],
    )


def _word(told: object) -> str:
    if not isinstance(told, bytes) or not told:
        raise ValueError("no word")
    return told.decode("ascii", "replace").lower()
