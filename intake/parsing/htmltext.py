"""The text of an HTML mail as a person reads it: lines, links, lists, tables, quotes.

The walk goes over the tree of lexbor without recursion; `flatten` bounds its depth and size first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from intake.parsing.flatten import MAX_TAGS, flatten, strip_tags
from intake.parsing.html_lines import Lines
from intake.parsing.html_marks import LINES_OF_SIGNATURE, Mark, looks_like_headers, mark_of
from intake.parsing.textlines import phrases
from intake.types import Fold, FoldKind

SKIPPED = frozenset(
    phrases(
        """
        script; style; head; title; template; object; iframe; svg; math; noframes; select; textarea; audio; video;
        -comment; -doctype; -cdata; -processing-instruction
        """
    )
)
PARAGRAPHS = frozenset(
    phrases(
        """
        p; h1; h2; h3; h4; h5; h6; ul; ol; dl; pre; table; blockquote; figure; fieldset
        """
    )
)
BLOCKS = frozenset(
    phrases(
        """
        div; li; tr; dt; dd; center; address; article; aside; header; footer; section; main; nav; form; tbody;
        thead; tfoot; caption; details; summary; body; html; legend; figcaption
        """
    )
)
RULE = "_" * 32
MAX_URL = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Text with LF line ends, and what the HTML's structure says about its lines.

    A QUOTE fold covers quoted text or the line that introduces it, and reaches to the last line where
    everything that follows is the earlier mail; a SIGNATURE fold covers a signature.
    """

    text: str
    folds: tuple[Fold, ...] = ()


def render(html: str) -> Rendered:
    """Return HTML as text: quotes get "> ", links their address, cells of a row tabs between them.

    Never raises; linear time; hidden elements and comments are left out.
    """
    if html.count("<") > MAX_TAGS:
        return Rendered(text=strip_tags(html))
    body = LexborHTMLParser(flatten(html)).root
    if body is None:
        return Rendered(text="")
    renderer = _Renderer()
    for node, entering in _walk(body):
        if entering:
            renderer.enter(node)
        else:
            renderer.leave(node)
    return Rendered(text=renderer.lines.finish(), folds=renderer.folds())


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node before and after its children; skipped and hidden elements not at all."""
    opened: list[LexborNode] = []
    node: LexborNode | None = root
    while node is not None or opened:
        if node is None:
            done = opened.pop()
            yield done, False
            node = done.next
        elif node.tag == "-text":
            yield node, True
            node = node.next
        elif node.tag in SKIPPED or _is_hidden(node):
            node = node.next
        else:
            yield node, True
            opened.append(node)
            node = node.child


def _is_hidden(node: LexborNode) -> bool:
    style = (node.attributes or {}).get("style")
    if not style:
        return False
    compact = "".join(style[:500].lower().split())
    return "display:none" in compact


def _is_paragraph(tag: str, node: LexborNode) -> bool:
    """Whether blank lines stand around an element; Outlook's <p class=MsoNormal> is a plain line."""
    if tag not in PARAGRAPHS:
        return False
    return tag != "p" or "Mso" not in ((node.attributes or {}).get("class") or "")


class _Renderer:
    """Turns the walk into lines and remembers on which lines a marked element stands."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.marks: list[tuple[int, Mark, int]] = []  # element, its mark, first line
        self.found: list[tuple[int, int, FoldKind]] = []
        self.links: list[tuple[str, int]] = []
        self.rest: int | None = None

    def enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self.lines.write(node.text_content or "")
            return
        self._open(tag, node)
        mark = mark_of(tag, node.attributes or {})
        if mark is not None and not (self.marks and mark is self.marks[-1][1]):
            self.lines.end_line()
            self.marks.append((node.mem_id, mark, self.lines.count))
        self._inline(tag, node)

    def _open(self, tag: str, node: LexborNode) -> None:
        if _is_paragraph(tag, node):
            self.lines.paragraph()
        elif tag in BLOCKS or tag == "p":
            self.lines.end_line()
        if tag == "blockquote":
            self._end_introduction()
            self.lines.quote(1)
        elif tag in ("ul", "ol"):
            self.lines.open_list(numbered=tag == "ol")
        elif tag == "li":
            self.lines.item()
        elif tag in ("td", "th"):
            self.lines.cell()
        elif tag == "pre":
            self.lines.preformatted += 1

    def _inline(self, tag: str, node: LexborNode) -> None:
        if tag == "br":
            self.lines.line_break()
        elif tag == "hr":
            self.lines.end_line()
            self.lines.write(RULE)
            self.lines.end_line()
        elif tag == "img":
            alt = " ".join(((node.attributes or {}).get("alt") or "").split())
            if alt:
                self.lines.write(f"[{alt[:200]}]")
        elif tag == "a":
            self.links.append(((node.attributes or {}).get("href") or "", self.lines.written))
        elif "@" in tag:  # an address in <> that somebody forgot to escape
            self.lines.write(f"<{tag}>")

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "a" and self.links:
            self._end_link()
        elif tag in PARAGRAPHS or tag in BLOCKS:
            self.lines.end_line()
            self._close(tag)
            if _is_paragraph(tag, node):
                self.lines.paragraph()
        if self.marks and self.marks[-1][0] == node.mem_id:
            self.lines.end_line()
            _, mark, start = self.marks.pop()
            self._end_mark(mark, start)

    def _close(self, tag: str) -> None:
        if tag == "blockquote":
            self.lines.quote(-1)
        elif tag in ("ul", "ol"):
            self.lines.close_list()
        elif tag == "pre":
            self.lines.preformatted = max(0, self.lines.preformatted - 1)

    def _end_link(self) -> None:
        href, since = self.links.pop()
        href = href.strip()[:MAX_URL]
        shown = self.lines.since(since)
        if address_is_news(href, shown):
            self.lines.write(f" <{href}>" if shown else f"<{href}>")

    def _end_introduction(self) -> None:
        """Inside a quote container, what stands before the first blockquote introduces it; that ends here."""
        for index, (_, mark, start) in enumerate(self.marks):
            if mark is Mark.CONTAINER:
                self._fold(start, FoldKind.QUOTE)
                self.marks[index] = (0, Mark.CONTAINER, self.lines.count)
        self.marks = [mark for mark in self.marks if mark[0]]

    def _end_mark(self, mark: Mark, start: int) -> None:
        if mark is Mark.SIGNATURE:
            if self.lines.shown(start) <= LINES_OF_SIGNATURE:
                self._fold(start, FoldKind.SIGNATURE)
        elif mark is Mark.HEADERS:
            self._end_headers(start, sure=True)
        elif mark is Mark.BORDER:
            self._end_headers(start, sure=looks_like_headers(self.lines.lines[start : start + 12]))
        else:
            self._fold(start, FoldKind.QUOTE)

    def _end_headers(self, start: int, *, sure: bool) -> None:
        if sure and self.rest is None and start < self.lines.count:
            self.rest = start

    def _fold(self, start: int, kind: FoldKind) -> None:
        if start < self.lines.count:
            self.found.append((start, self.lines.count, kind))

    def folds(self) -> tuple[Fold, ...]:
        total = len(self.lines.lines)
        found = list(self.found)
        if self.rest is not None:
            found.append((self.rest, total, FoldKind.QUOTE))
        return tuple(Fold(start=a, end=min(b, total), kind=kind) for a, b, kind in sorted(found) if a < total)


def address_is_news(href: str, shown: str) -> bool:
    """Whether a link's address says more than the text that is linked."""
    scheme = href[:8].lower()
    if scheme.startswith("mailto:"):
        return "@" not in shown and "@" in href
    if not scheme.startswith(("http:", "https:", "ftp:")):
        return False
    return _plain_url(href) != _plain_url(shown)


def _plain_url(url: str) -> str:
    url = "".join(url[:MAX_URL].split()).lower()
    for prefix in ("https://", "http://", "ftp://", "www."):
        url = url.removeprefix(prefix)
    return url.rstrip("/")
