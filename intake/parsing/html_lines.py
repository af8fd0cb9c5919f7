"""Lines of text while an HTML mail is read: white space, blank lines, quote marks, lists and cells."""

from __future__ import annotations

import re

MAX_QUOTE_MARKS = 20
_SPACE = re.compile(r"[ \t\r\n\f]+")


class Lines:
    """Collects text; never two blank lines in a row outside preformatted text, none at the ends."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.preformatted = 0
        self.written = 0
        self._current: list[str] = []
        self._ends_in_space = True
        self._blank_wanted = False
        self._depth = 0
        self._blank_depth = 0
        self._lists: list[int | None] = []
        self._cell_empty = False

    @property
    def count(self) -> int:
        """The number of the line that is written next."""
        return len(self.lines)

    def write(self, text: str) -> None:
        """Add text; white space collapses unless it is preformatted."""
        if self.preformatted:
            self._write_preformatted(text)
            return
        text = _SPACE.sub(" ", text)
        if self._ends_in_space:
            text = text.removeprefix(" ")
        if text:
            self._add(text)

    def _write_preformatted(self, text: str) -> None:
        first, *others = text.replace("\r\n", "\n").split("\n")
        self._add_raw(first)
        for line in others:
            self._flush()
            self._add_raw(line)

    def _add_raw(self, text: str) -> None:
        if text:
            self._add(text)

    def _add(self, text: str) -> None:
        if self._cell_empty:
            self._cell_empty = False
            if self._current and not self._ends_in_space:
                self._current.append("\t")
        self._current.append(text)
        self.written += 1
        self._ends_in_space = text.endswith(" ")

    def since(self, written: int) -> str:
        """The text of the current line that was written after `written` pieces."""
        new = self.written - written
        return "".join(self._current[-new:]).strip() if 0 < new <= len(self._current) else ("" if new <= 0 else "…")

    def line_break(self) -> None:
        """<br>: ends the line; a blank line where there is nothing to end."""
        if self._has_text():
            self._flush()
        else:
            self._want_blank()

    def end_line(self) -> None:
        """A block begins or ends. The first block in a table cell stays on the row's line."""
        if self._cell_empty or not self._current:
            return
        if self._has_text():
            self._flush()
        else:
            self._want_blank()

    def paragraph(self) -> None:
        """A paragraph begins or ends."""
        if self._cell_empty:
            return
        self.end_line()
        self._want_blank()

    def quote(self, change: int) -> None:
        """Go one quote deeper (1) or back (-1)."""
        self._flush_if_text()
        self._depth = max(0, self._depth + change)
        self._blank_depth = min(self._blank_depth, self._depth)

    def open_list(self, *, numbered: bool) -> None:
        self._lists.append(0 if numbered else None)

    def close_list(self) -> None:
        if self._lists:
            self._lists.pop()

    def item(self) -> None:
        """<li>: a bullet or number, indented by the list's level."""
        self._flush_if_text()
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number = number + 1
        indent = "  " * min(len(self._lists) - 1, 10)
        self._add(f"{indent}- " if number is None else f"{indent}{number}. ")

    def cell(self) -> None:
        """<td>: its text follows on the line of the row, after a tab."""
        self._cell_empty = True

    def shown(self, start: int) -> int:
        """How many lines from `start` on show something."""
        return sum(1 for line in self.lines[start : start + 200] if line.strip())

    def finish(self) -> str:
        """End the text and return it."""
        self._flush_if_text()
        return "\n".join(self.lines)

    def _has_text(self) -> bool:
        return any(piece.strip() for piece in self._current)

    def _want_blank(self) -> None:
        self._current = []
        self._ends_in_space = True
        self._blank_depth = self._depth if not self._blank_wanted else min(self._blank_depth, self._depth)
        self._blank_wanted = True

    def _flush_if_text(self) -> None:
        if self._has_text():
            self._flush()
        else:
            self._current = []
            self._ends_in_space = True
        self._cell_empty = False

    def _flush(self) -> None:
        marks = min(self._depth, MAX_QUOTE_MARKS)
        if self._blank_wanted and self.lines:
            self.lines.append(">" * min(self._blank_depth, marks))
        self._blank_wanted = False
        prefix = ">" * marks + " " if marks else ""
        text = "".join(self._current).replace("\u00a0", " ").rstrip()
        self.lines.append((prefix + text).rstrip())
        self._current = []
        self._ends_in_space = True
        self._cell_empty = False
