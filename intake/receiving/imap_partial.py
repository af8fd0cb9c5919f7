"""A mail that is too large to be taken whole, taken without its large parts.

What is made of it is a well-formed mail with the parts of the original in their places. A part that is left out is
a short text that says so; a text that is too long is cut. The same mail always becomes the same bytes, wherever it
stands, so that it is known again after its folder was renamed. Where the server cannot describe the mail, its
beginning is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol

from intake.parsing import naming, structure
from intake.parsing.headers import Headers
from intake.receiving.imap_structure import Branch, Leaf, Node, leaves, walk

HEADER_LIMIT = 1_000_000
PART_HEADER_LIMIT = 65_536
LONGEST_TEXT = 1_000_000
LONGEST_BEGINNING = 1_000_000
MOST_NAMES = 20
CONTENT_HEADER = re.compile(rb"(?im)^content-[^\r\n:]*:.*(?:\r?\n[ \t].*)*(?:\r?\n|\Z)")


class Server(Protocol):
    """What is asked of a selected folder; both give less, or nothing, where the server does."""

    def structure(self, uid: int) -> Node | None:
        """The parts of a mail; None where the server's description makes no sense."""

    def section(self, uid: int, name: str, most: int) -> bytes:
        """The first `most` bytes of a section, "" being the whole mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partly:
    """What was taken of a mail, and the names and sizes of what was not. `is_cut`: only its beginning was taken."""

    content: bytes = field(repr=False)
    left_out: tuple[str, ...] = ()
    is_cut: bool = False


def fetch_partly(server: Server, uid: int, limit: int) -> Partly | None:
    """Take at most about `limit` bytes of a mail: its texts first, then parts from the smallest on.

    None where the server hands out nothing of it.
    """
    root = server.structure(uid)
    header = server.section(uid, "HEADER", HEADER_LIMIT) if root is not None else b""
    made = _Assembly(server, uid, limit, header).make(root) if root is not None and header.strip() else None
    if made is not None:
        return made
    beginning = server.section(uid, "", min(limit, LONGEST_BEGINNING))
    return Partly(content=beginning, is_cut=True) if beginning else None


class _Assembly:
    """One mail that is put together from what fits."""

    def __init__(self, server: Server, uid: int, limit: int, header: bytes) -> None:
        self._server = server
        self._uid = uid
        self._room = max(limit - len(header), 0)
        self._headers = {"": header}
        self._contents: dict[str, bytes] = {}
        self._left_out: dict[str, str] = {}

    def make(self, root: Node) -> Partly | None:
        """The mail; None where its parts cannot be put together again."""
        for node in walk(root):
            if node.section and node is not root:
                self._headers[node.section] = self._server.section(self._uid, f"{node.section}.MIME", PART_HEADER_LIMIT)
        for leaf in sorted(leaves(root), key=lambda leaf: (not leaf.is_text, leaf.size)):
            self._take(leaf)
        pieces = self._alone(root) if isinstance(root, Leaf) else self._branch(root)
        return Partly(content=b"".join(pieces), left_out=tuple(self._left_out.values())) if pieces else None

    def _take(self, leaf: Leaf) -> None:
        """Take a part if it fits; of a text, what fits. The server's word on its size is not trusted."""
        most = min(self._room, LONGEST_TEXT) if leaf.is_text else self._room
        if leaf.size > most and not (leaf.is_text and most):
            self._leave_out(leaf)
            return
        content = self._server.section(self._uid, leaf.section, most + 1)
        if len(content) <= most and (content or not leaf.size):
            self._keep(leaf, content)
        elif leaf.is_text and content:
            self._keep(leaf, content[: content.rfind(b"\n", 0, most) + 1 or most])
            self._left_out[leaf.section] = f"the end of a text of {size_words(leaf.file_size)}"
        else:
            self._leave_out(leaf)

    def _keep(self, leaf: Leaf, content: bytes) -> None:
        self._contents[leaf.section] = content
        self._room -= len(content)

    def _leave_out(self, leaf: Leaf) -> None:
        self._left_out[leaf.section] = f"“{self._name(leaf)}” ({size_words(leaf.file_size)})"

    def _name(self, leaf: Leaf) -> str:
        headers = self._read(leaf.section if leaf.section in self._headers else "")
        name = headers.parameter("content-disposition", "filename") or headers.parameter("content-type", "name") or ""
        return naming.safe(name) or naming.made_up(leaf.section, leaf.content_type, "")

    def _read(self, section: str) -> Headers:
        return structure.split(_block(self._headers[section]))[0].headers()

    def _alone(self, root: Leaf) -> list[bytes]:
        """A mail without parts: its text as far as it fits, or a word on the file that it is."""
        if root.section in self._contents:
            return [_block(self._headers[""]), self._contents[root.section]]
        rest = CONTENT_HEADER.sub(b"", self._headers[""])
        return [rest.strip(b"\r\n"), b"\r\n", self._placeholder(root)]

    def _branch(self, branch: Branch) -> list[bytes]:
        """A multipart with its headers; nothing where it does not say how its parts are told apart."""
        boundary = self._read(branch.section).parameter("content-type", "boundary")
        if not boundary:
            return []
        line = b"--" + boundary.encode("utf-8", "surrogateescape")
        pieces = [_block(self._headers[branch.section])]
        for child in branch.children:
            part = self._branch(child) if isinstance(child, Branch) else [self._leaf(child)]
            if not part:
                return []
            pieces += [line, b"\r\n", *part, b"\r\n"]
        return [*pieces, line, b"--\r\n"]

    def _leaf(self, leaf: Leaf) -> bytes:
        if leaf.section not in self._contents:
            return self._placeholder(leaf)
        return _block(self._headers[leaf.section]) + self._contents[leaf.section]

    def _placeholder(self, leaf: Leaf) -> bytes:
        """A part that says what stood in its place. An attachment, so that no text is shown less because of it."""
        message = EmailMessage(policy=SMTP)
        message.set_content(
            f"{self._left_out[leaf.section]} was left out, since the mail is too large. It is still in the mailbox.\n",
            cte="base64",
            disposition="attachment",
            filename=f"{self._name(leaf)} (left out).txt",
        )
        del message["MIME-Version"]
        return message.as_bytes()


def _block(header: bytes) -> bytes:
    """A header block with the empty line that ends it."""
    stripped = header.strip(b"\r\n")
    return stripped + b"\r\n\r\n" if stripped else b"\r\n"


def sentences(partly: Partly, size: int, limit: int, where: str) -> tuple[str, ...]:
    """What people are told about a mail that was taken in part; `where` its whole copy stands."""
    why = f"The mail is {size_words(size)} large, over the limit of {size_words(limit)}"
    stays = f"The whole mail stays in {where}."
    if partly.is_cut:
        return (f"{why}, and its parts cannot be told apart, so only its beginning was taken. {stays}",)
    named = tuple(f"Left out: {each}." for each in partly.left_out[:MOST_NAMES])
    others = len(partly.left_out) - len(named)
    more = (f"Left out: {others} more parts.",) if others > 0 else ()
    return (f"{why}, so its large parts were left out. {stays}", *named, *more)


def size_words(size: int) -> str:
    """A number of bytes for a person: "48 MB"."""
    for unit, each in (("MB", 1_000_000), ("kB", 1_000)):
        if size >= each:
            return f"{size / each:.0f} {unit}"
    return f"{size} bytes"
