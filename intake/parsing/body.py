"""Which parts are the body and which are attachments: RFC 8621 section 4.1.4, for the mail of the field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from functools import cached_property

from intake.parsing import charset, flowed, smime, transfer
from intake.parsing.headers import Headers
from intake.parsing.limits import MAX_DEPTH, MAX_PARTS
from intake.parsing.structure import Entity

META_CHARSET = re.compile(rb"(?i)<meta\b[^<>]{0,200}charset\s*=\s*[\"']?\s*([a-z0-9_.:-]{2,40})")
READABLE = ("text/plain", "text/html")
LIKE_HTML = ("application/xhtml+xml", "text/x-html", "text/htm")
OTHER_TEXT = ("text/enriched", "text/richtext", "text/markdown", "text/x-amp-html", "text/watch-html")


@dataclass(frozen=True, kw_only=True)
class Part:
    """A leaf of the mail: something to show or to download. Attached mails and reports are leaves too.

    `path` numbers it as IMAP does ("1", "2.1"); `parent` is the multipart type around it, or "".
    """

    path: str
    content_type: str
    headers: Headers
    message: Message
    parent: str = ""
    position: int = 0

    @cached_property
    def decoded(self) -> tuple[bytes, str | None]:
        """The content without its transfer encoding, and what was wrong with it."""
        if isinstance(self.message, Entity):
            encoding = self.headers.first("content-transfer-encoding")
            return transfer.decode(self.message.source, encoding, is_text=self.content_type.startswith("text/"))
        content = self.message.get_payload(decode=True)
        return (content, None) if isinstance(content, bytes) else (self.message.as_bytes(), None)

    @property
    def payload(self) -> bytes:
        """The content without its transfer encoding."""
        return self.decoded[0]

    @cached_property
    def text_and_defect(self) -> tuple[str, str | None]:
        """The content as text with LF line ends, and what was wrong with it."""
        declared = self.headers.parameter("content-type", "charset") or self._meta_charset()
        text, defect = charset.decode(self.payload, declared)
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        if self.content_type == "text/plain" and self.headers.parameter("content-type", "format") is not None:
            text = flowed.unfold(text, self.headers)
        return text, defect or self.decoded[1]

    def _meta_charset(self) -> str | None:
        """Return the charset that HTML names itself, where the mail names none."""
        match = META_CHARSET.search(self.payload[:4096]) if self.content_type == "text/html" else None
        return match[1].decode("ascii") if match else None

    @property
    def text(self) -> str:
        """The content as text with LF line ends and without NUL."""
        return self.text_and_defect[0]

    @property
    def filename(self) -> str:
        """The name that the mail gives, or ""."""
        name = self.headers.parameter("content-disposition", "filename")
        return name or self.headers.parameter("content-type", "name") or ""

    @property
    def is_attached(self) -> bool:
        """Whether the mail says that this is an attachment (RFC 2183)."""
        return self.headers.disposition().startswith("attach")


def leaves(root: Message) -> tuple[Part, ...]:
    """Return the leaves of a mail in order, at most `MAX_PARTS`; what is attached stays whole."""
    found: list[Part] = []
    for part in _walk(root, "", "", 0, 0):
        found.append(part)
        if len(found) >= MAX_PARTS:
            break
    return tuple(found)


def _walk(message: Message, path: str, parent: str, position: int, depth: int) -> Iterator[Part]:
    headers = message.headers() if isinstance(message, Entity) else Headers(message)
    kind = headers.content_type() or _default(message, headers)
    if _is_opened(message, kind) and depth <= MAX_DEPTH:
        for number, child in enumerate(message.get_payload()):
            yield from _walk(child, _child(path, number, kind), kind, number, depth + 1)
        if kind not in smime.TYPES:
            return
    if kind.startswith("multipart/"):
        kind = "text/plain"
    kind = "text/html" if kind in LIKE_HTML and not headers.disposition().startswith("attach") else kind
    yield Part(path=path or "1", content_type=kind, headers=headers, message=message, parent=parent, position=position)


def _is_opened(message: Message, kind: str) -> bool:
    """Say whether the parts inside are leaves of the mail: those of attached mails are not."""
    return message.is_multipart() and (kind.startswith("multipart/") or kind in smime.TYPES)


def _child(path: str, number: int, kind: str) -> str:
    """Return the path of a part inside another; a signed mail is a leaf besides, and has a path of its own."""
    if not path and kind not in smime.TYPES:
        return str(number + 1)
    return f"{path or '1'}.{number + 1}"


def _default(message: Message, headers: Headers) -> str:
    """Return the type of a part that names none; a named one is a file (`Content-Type: name="a.doc"`)."""
    named = headers.parameter("content-type", "name") or headers.parameter("content-disposition", "filename")
    if named or headers.disposition().startswith("attach"):
        return ""
    return "text/plain" if "content-type" in headers.names() else message.get_default_type()


@dataclass(frozen=True, kw_only=True)
class Body:
    """The choice: what is read as text, what as HTML, and everything else. A part may be text and HTML at once."""

    text: tuple[Part, ...]
    html: tuple[Part, ...]
    others: tuple[Part, ...]


def choose(root: Message) -> Body:
    """Choose the body of a mail. Every leaf is in exactly one place, but for the two sides of an alternative."""
    chosen = _Choice()
    chosen.read(root, leaves(root))
    return Body(text=tuple(chosen.text), html=tuple(chosen.html), others=tuple(chosen.others))


class _Choice:
    """The three lists while they are being filled."""

    def __init__(self) -> None:
        self.text: list[Part] = []
        self.html: list[Part] = []
        self.others: list[Part] = []

    def read(self, root: Message, parts: tuple[Part, ...]) -> None:
        """Sort the leaves; those of one alternative are two views of one thing."""
        kinds = _alternatives(root, "", 0)
        groups: dict[str, list[Part]] = {}
        for part in parts:
            if not is_body(part):
                self.others.append(part)
                continue
            group = _outermost(part.path, kinds)
            if group is None:
                self._add_plain(part)
            else:
                members = groups.setdefault(group, [])
                if not members:
                    self.text.append(part)
                    self.html.append(part)
                members.append(part)
        for members in groups.values():
            self._settle(members)

    def _add_plain(self, part: Part) -> None:
        self.text.append(part)
        self.html.append(part)

    def _settle(self, members: list[Part]) -> None:
        """Put the plain side of an alternative into the text, and the HTML side into the HTML."""
        html = [part for part in members if part.content_type == "text/html"]
        plain = [part for part in members if part.content_type == "text/plain"]
        others = [part for part in members if part not in html and part not in plain]
        text_side = plain if any(part.text.strip() for part in plain) else html or plain or others
        _replace(self.text, members[0], text_side)
        _replace(self.html, members[0], html or text_side)


def _replace(parts: list[Part], old: Part, new: list[Part]) -> None:
    at = parts.index(old)
    parts[at : at + 1] = new


def _alternatives(message: Message, path: str, depth: int) -> frozenset[str]:
    """Return the paths of the multipart/alternative nodes ("" is the root itself)."""
    kind = message.get_content_type()
    if not _is_opened(message, kind) or depth > MAX_DEPTH:
        return frozenset()
    found = {path or "0"} if kind == "multipart/alternative" else set()
    for number, child in enumerate(message.get_payload()):
        found |= _alternatives(child, _child(path, number, kind), depth + 1)
    return frozenset(found)


def _outermost(path: str, kinds: frozenset[str]) -> str | None:
    """Return the outermost alternative that a part belongs to."""
    if not kinds:
        return None
    if "0" in kinds:
        return "0"
    steps = path.split(".")
    return next((".".join(steps[:n]) for n in range(1, len(steps)) if ".".join(steps[:n]) in kinds), None)


def is_body(part: Part) -> bool:
    """Say whether a leaf is part of the body: readable, not called an attachment, and not a named file among others."""
    if part.is_attached or part.content_type not in (*READABLE, *OTHER_TEXT):
        return False
    if part.content_type in OTHER_TEXT:
        return part.parent in ("", "multipart/alternative")
    if part.parent == "multipart/related" and part.position > 0 and not _is_alternative_text(part):
        return False
    return part.position == 0 or not part.filename


def _is_alternative_text(part: Part) -> bool:
    return not part.filename and "content-id" not in part.headers.names()
