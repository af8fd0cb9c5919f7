"""A mail's text cut into blocks: the sender's own lines, quotes, what introduces them, forwards. Linear time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from intake.parsing import attribution, forward_marks, headerblock
from intake.parsing.field_words import Field
from intake.parsing.textlines import bare, clean, is_quoted, is_rule
from intake.types import Fold, FoldKind


class Role(Enum):
    """What the lines of a block are."""

    OWN = "written by the sender"
    MARK = "introduces a quote"
    BARE = "introduces an earlier mail without quote marks"
    QUOTE = "quoted"
    REST = "an earlier mail, to the end"
    FORWARD = "a forwarded mail"
    SIGNATURE = "a signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines `start` to `end` (excluded).

    `attributed`: a quote that is introduced as one. `cut`: the last line is the sender's up to this column only.
    """

    role: Role
    start: int
    end: int
    attributed: bool = False
    cut: int | None = None


MAX_LINES = 20_000
"""Lines that are looked at; later ones go with the block that the last of them is in."""

_OPEN_URL = re.compile(r"[(<]\s*https?:[^\s)>]*$")


def scan(lines: Sequence[str], structure: Sequence[Fold] = ()) -> list[Block]:
    """Cut the text into blocks that cover all of its lines in order.

    Below a header or a bare attribution everything is the earlier mail, unless the sender has written nothing
    above it: then it is kept as the sender's.
    """
    return _Scanner(lines, structure).run()


class _Scanner:
    def __init__(self, lines: Sequence[str], structure: Sequence[Fold]) -> None:
        self.lines = lines
        self.total = min(len(lines), MAX_LINES)
        self.structure = {fold.start: fold for fold in map(self._from_first_word, structure) if fold.start < fold.end}
        self.blocks: list[Block] = []
        self.own_seen = False
        self.at = 0

    def _from_first_word(self, fold: Fold) -> Fold:
        """The fold without blank lines at its beginning."""
        start = fold.start
        while start < min(fold.end, self.total) and not self.lines[start].strip():
            start += 1
        return Fold(start=start, end=fold.end, kind=fold.kind)

    def run(self) -> list[Block]:
        while self.at < self.total:
            block = self._next() if self.lines[self.at].strip() else None
            if block is None:
                block = self._own_line()
            self._append(block)
            self.at = block.end
        if self.total < len(self.lines):
            last = self.blocks.pop()
            role = Role.OWN if last.role in (Role.MARK, Role.BARE) else last.role
            self.blocks.append(replace(last, role=role, end=len(self.lines), cut=None))
        return self.blocks

    def _own_line(self) -> Block:
        """One line of the sender's, or one blank line, which goes with what stands above it."""
        line = self.lines[self.at]
        end = self.at + 1
        if not clean(line):
            last = self.blocks[-1].role if self.blocks else Role.OWN
            return Block(role=Role.OWN if last in (Role.MARK, Role.BARE) else last, start=self.at, end=end)
        self.own_seen = self.own_seen or not is_rule(bare(line))
        return Block(role=Role.OWN, start=self.at, end=end, cut=self._shared())

    def _shared(self) -> int | None:
        """The column where an attribution begins behind the sender's words on this line."""
        cut = attribution.shared_at(self.lines[self.at])
        return cut if cut is not None and self._quoted_below(self.at + 1) else None

    def _append(self, block: Block) -> None:
        last = self.blocks[-1] if self.blocks else None
        if last is None or last.role is not block.role or last.cut is not None or block.role is Role.MARK:
            self.blocks.append(block)
            return
        attributed = last.attributed or block.attributed
        self.blocks[-1] = Block(role=last.role, start=last.start, end=block.end, attributed=attributed, cut=block.cut)

    def _next(self) -> Block | None:
        """The block that begins here, when it is not the sender's own."""
        if forward_marks.forward_at(self.lines, self.at) is not None:
            return self._forward()
        if is_quoted(self.lines[self.at]):
            return self._quote()
        return self._structure() or self._attribution() or self._header()

    def _forward(self) -> Block:
        end = self.total
        if is_quoted(self.lines[self.at]):
            end = self._end_of_quote()
        elif self._quoted_below(self.at + 1):
            self.at, mark = self._below(self.at + 1), self.at
            end, self.at = self._end_of_quote(), mark
        if not self.own_seen:
            self.own_seen = True
            return Block(role=Role.OWN, start=self.at, end=self.total)
        return Block(role=Role.FORWARD, start=self.at, end=end)

    def _quote(self) -> Block:
        attributed = self._is_introduced()
        if not attributed:
            header = headerblock.read(self.lines, self.at)
            attributed = bool(
                attribution.lines_at(self.lines, self.at)
                or (header is not None and header.convincing)
                or forward_marks.is_original(bare(self.lines[self.at]))
            )
        return Block(role=Role.QUOTE, start=self.at, end=self._end_of_quote(), attributed=attributed)

    def _is_introduced(self) -> bool:
        """Whether an introduction is the last that stands above, with nothing but blank lines between."""
        if not self.blocks:
            return False
        above = self.blocks[-1]
        blank = above.role is Role.OWN and not any(clean(line) for line in self.lines[above.start : above.end])
        if blank and len(self.blocks) > 1:
            above = self.blocks[-2]
        return above.role is Role.MARK or above.cut is not None

    def _end_of_quote(self) -> int:
        """Behind the last quoted line of this run; blank lines and broken addresses within belong to it."""
        at = end = self.at
        while at < self.total and at - end <= 4:
            if is_quoted(self.lines[at]):
                end = at + 1
            elif clean(self.lines[at]) and not self._is_broken(at):
                break
            elif self.lines[at - 1].endswith("="):
                end = at + 1
            at += 1
        return end

    def _is_broken(self, at: int) -> bool:
        """The rest of a quoted line: behind an undecoded soft break, or of a web address, with the quote going on."""
        if at == self.at or at + 1 >= self.total:
            return False
        if self.lines[at - 1].endswith("="):
            return True
        if not is_quoted(self.lines[at - 1]) or not is_quoted(self.lines[at + 1]):
            return False
        line = self.lines[at].strip()
        return len(line) < 200 and _OPEN_URL.search(self.lines[at - 1][-300:]) is not None and line[-1:] in ")>"

    def _structure(self) -> Block | None:
        fold = self.structure.get(self.at)
        if fold is None:
            return None
        if fold.kind is FoldKind.SIGNATURE:
            return Block(role=Role.SIGNATURE, start=fold.start, end=fold.end)
        if self._below(fold.end) >= self.total:
            return self._rest(fold.start)
        role = Role.MARK if self._quoted_below(fold.end) else Role.QUOTE
        return Block(role=role, start=fold.start, end=fold.end, attributed=True)

    def _attribution(self) -> Block | None:
        taken = attribution.lines_at(self.lines, self.at)
        if not taken and self.own_seen and attribution.has_mail_behind(self.lines[self.at]):
            return Block(role=Role.REST, start=self.at, end=self.total)
        if not taken or (taken == 1 and self._shared() is not None):
            return None
        end = self.at + taken
        if self.own_seen and not self._quoted_below(end):
            return Block(role=Role.REST, start=self.at, end=self.total)
        bare_mail = self._below(end) < self.total and not self._quoted_below(end)
        return Block(role=Role.BARE if bare_mail else Role.MARK, start=self.at, end=end)

    def _header(self) -> Block | None:
        line = self.lines[self.at]
        end = self.at + 1
        header = headerblock.read(self.lines, self.at)
        if header is not None and (header.convincing or self._is_below_rule(header)):
            end = header.end
        elif not forward_marks.is_original(line):
            return None
        if self._quoted_below(end):
            return Block(role=Role.MARK, start=self.at, end=end)
        return self._rest(self.at)

    def _is_below_rule(self, header: headerblock.HeaderBlock) -> bool:
        """A drawn line and "From: …@…" are enough."""
        if "@" not in header.values.get(Field.FROM, ""):
            return False
        above = headerblock.start_of_rule(self.lines, self.at)
        return any(is_rule(bare(line)) for line in self.lines[above : self.at])

    def _rest(self, start: int) -> Block:
        role = Role.REST if self.own_seen else Role.OWN
        self.own_seen = True
        return Block(role=role, start=start, end=self.total)

    def _below(self, at: int) -> int:
        """The next line that shows something; the number of lines where there is none."""
        while at < self.total and not self.lines[at].strip():
            at += 1
        return at

    def _quoted_below(self, at: int) -> bool:
        for below in range(at, min(self.total, at + 8)):
            if clean(self.lines[below]):
                return is_quoted(self.lines[below])
        return False
