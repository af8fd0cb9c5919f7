"""What the sender newly wrote: the text without the mail that is answered and without the signature.

Whatever is doubtful stays. Answers between quoted lines keep the quotes they stand between. Linear time:
every rule looks at a few lines, and at the head of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from intake.parsing import headerblock, signature
from intake.parsing.blocks import Block, Role, scan
from intake.parsing.textlines import bare, clean, is_rule
from intake.types import Fold, FoldKind

KINDS = {
    Role.MARK: FoldKind.QUOTE,
    Role.BARE: FoldKind.QUOTE,
    Role.QUOTE: FoldKind.QUOTE,
    Role.FORWARD: FoldKind.FORWARD,
    Role.SIGNATURE: FoldKind.SIGNATURE,
}
ABOVE = (Role.MARK, Role.BARE, Role.REST, Role.FORWARD, Role.SIGNATURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The newly written text, and the lines of the full text that it leaves out.

    Where an attribution shares a line with the sender's words, the line is cut in `text` and not folded.
    """

    text: str
    folds: tuple[Fold, ...] = ()


def split(text: str, *, structure: tuple[Fold, ...] | None = None, forwarded: bool = False) -> Reply:
    """Return the newly written text of a mail and the folds of `text` (LF line ends). Never raises.

    `structure` are the folds of `htmltext.render` for a text made from HTML, None for plain text. What stands
    below the sender's words is a forwarded mail where `forwarded` says so, and a quote elsewhere. A mail
    that is nothing but an introduced quote has the reply text ""; one of a quote or a forward alone is kept.
    """
    lines = text.split("\n")
    below = FoldKind.FORWARD if forwarded else FoldKind.QUOTE
    blocks = [part for block in scan(lines, structure or ()) for part in _without_rule(lines, block)]
    blocks = _without_signatures(lines, blocks, drawn=structure is not None)
    folded = _folded(lines, blocks)
    if folded is None:
        return Reply(text=_trimmed(lines))
    return Reply(text=_trimmed(_kept(lines, blocks, folded)), folds=_folds(lines, folded, below))


def _without_rule(lines: Sequence[str], block: Block) -> tuple[Block, ...]:
    """Lines drawn at the end of the sender's block belong to what follows it."""
    if block.role is not Role.OWN or block.end >= len(lines) or block.cut is not None:
        return (block,)
    at = max(block.start, headerblock.start_of_rule(lines, block.end))
    if not any(is_rule(bare(line)) for line in lines[at : block.end]):
        return (block,)
    return (replace(block, end=at), Block(role=Role.MARK, start=at, end=block.end))


def _without_signatures(lines: Sequence[str], blocks: Sequence[Block], *, drawn: bool) -> list[Block]:
    """Cut the signature from the sender's blocks that end above a quote's introduction or are the last."""
    last_own = max((at for at, block in enumerate(blocks) if block.role is Role.OWN), default=-1)
    out: list[Block] = []
    for at, block in enumerate(blocks):
        ends = at >= last_own or blocks[at + 1].role in ABOVE
        start = block.end
        if block.role is Role.OWN and ends and block.cut is None:
            start = signature.start_in(lines, block.start, block.end, drawn=drawn)
        if start > block.start:
            out.append(replace(block, end=start))
        if start < block.end:
            out.append(Block(role=Role.SIGNATURE, start=start, end=block.end))
    return out


def _folded(lines: Sequence[str], blocks: Sequence[Block]) -> list[Block] | None:
    """The blocks that are left out of the reply; None where the whole text stays."""
    own = [at for at, block in enumerate(blocks) if block.role is Role.OWN and _shows(lines, block)]
    quotes = [at for at, block in enumerate(blocks) if block.role is Role.QUOTE]
    if not own:
        only_quotes = all(block.role in (Role.QUOTE, Role.MARK, Role.OWN) for block in blocks)
        introduced = any(blocks[at].attributed for at in quotes)
        return list(blocks) if only_quotes and introduced else None
    answered = [at for at in quotes if at < own[-1]]
    folded = [block for block in blocks if block.role not in (Role.OWN, Role.QUOTE)]
    folded += [blocks[at] for at in quotes if at > own[-1]]
    unclear = any(block.role is Role.BARE for block in blocks)  # whose the text below it is
    if len(answered) == 1 and not unclear and blocks[answered[0]].attributed:
        folded.append(blocks[answered[0]])
    return sorted(folded, key=lambda block: block.start)


def _shows(lines: Sequence[str], block: Block) -> bool:
    return any(clean(line) for line in lines[block.start : block.end])


def _kept(lines: Sequence[str], blocks: Sequence[Block], folded: Sequence[Block]) -> list[str]:
    out: list[str] = []
    gone = {block.start for block in folded}
    for block in blocks:
        if block.start in gone:
            continue
        part = list(lines[block.start : block.end])
        if block.cut is not None:
            part[-1] = part[-1][: block.cut].rstrip()
        out += part
    return out


def _trimmed(lines: Sequence[str]) -> str:
    """The lines without blank ones at the ends, and with two in a row at most."""
    out: list[str] = []
    blank = 0
    for line in lines:
        blank = 0 if line.strip() else blank + 1
        if blank <= 2:
            out.append(line.rstrip())
    return "\n".join(out).strip("\n")


def _folds(lines: Sequence[str], folded: Sequence[Block], below: FoldKind) -> tuple[Fold, ...]:
    """Neighbours of one kind are one fold, with the blank lines between them."""
    folds: list[Fold] = []
    for block in folded:
        kind = below if block.role in (Role.REST, Role.MARK) else KINDS.get(block.role, FoldKind.QUOTE)
        if folds and folds[-1].kind is kind and _is_gap(lines[folds[-1].end : block.start]):
            folds[-1] = Fold(start=folds[-1].start, end=block.end, kind=kind)
        else:
            folds.append(Fold(start=block.start, end=block.end, kind=kind))
    return tuple(folds)


def _is_gap(lines: Sequence[str]) -> bool:
    return len(lines) <= 3 and not any(line.strip() for line in lines)
