"""HTML made shallow and small enough that every parser of it works in linear time.

A parser of HTML walks up the open elements again and again: 200,000 nested <div> keep one busy for minutes.
Mail of people stays far below the limits here; beyond them tags become line breaks and no text is lost.
"""

from __future__ import annotations

import re
from html import unescape

from intake.parsing.textlines import phrases

MAX_TAGS = 100_000
MAX_DEPTH = 150
MAX_OPEN_STYLES = 12

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})(?![a-zA-Z0-9])")
# Elements that need no end tag or close each other: they do not pile up.
_FLAT = frozenset(
    phrases(
        """
        p; li; dt; dd; tr; td; th; thead; tbody; tfoot; option; optgroup; caption; html; head; body; title; meta;
        link; base; br; hr; img; input; area; col; embed; source; track; wbr; param
        """
    )
)
_STYLES = frozenset(
    phrases(
        """
        a; b; big; code; em; font; i; nobr; s; small; strike; strong; tt; u
        """
    )
)


def flatten(html: str) -> str:
    """Return HTML whose elements are at most `MAX_DEPTH` deep; linear time."""
    if html.count("<") <= MAX_DEPTH // 2:
        return html
    return _Flattener().run(html)


def strip_tags(html: str) -> str:
    """Return the text of HTML that has too many tags to be understood; linear time."""
    pieces = html.split("<")
    out = [pieces[0]]
    for piece in pieces[1:]:
        head, closed, rest = piece.partition(">")
        if not head[:1].isalpha() and head[:1] not in ("/", "!", "?"):
            out.append("<" + piece)
        elif closed:
            out.append(("" if head[:1] == "/" else "\n") + rest)
    return unescape("".join(out))


class _Flattener:
    """Counts open elements from left to right and blanks the tags that lie too deep."""

    def __init__(self) -> None:
        self.depth = 0
        self.styles = 0
        self.dropped: dict[str, int] = {}

    def run(self, html: str) -> str:
        out: list[str] = []
        at = 0
        for tag in _TAG.finditer(html):
            name = tag.group(2).lower()
            if name in _FLAT or not self._drop(name, closing=bool(tag.group(1))):
                continue
            out.append(html[at : tag.start()])
            out.append("<br")
            at = tag.end()
        return "".join(out) + html[at:] if out else html

    def _drop(self, name: str, *, closing: bool) -> bool:
        if closing:
            return self._close(name)
        if self.depth >= MAX_DEPTH or (name in _STYLES and self.styles >= MAX_OPEN_STYLES):
            self.dropped[name] = self.dropped.get(name, 0) + 1
            return True
        self.depth += 1
        self.styles += name in _STYLES
        return False

    def _close(self, name: str) -> bool:
        if self.dropped.get(name, 0):
            self.dropped[name] -= 1
            return True
        self.depth = max(0, self.depth - 1)
        self.styles = max(0, self.styles - (name in _STYLES))
        return False
