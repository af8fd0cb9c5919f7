"""Sequence sets: how IMAP, and our cursors, write many UIDs shortly ("4,7:9", RFC 9051 section 4.1.1)."""

from __future__ import annotations

from collections.abc import Iterable


def to_text(uids: Iterable[int]) -> str:
    """Write UIDs as a sequence set; "" for none."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def from_text(text: str) -> frozenset[int]:
    """Read what `to_text` wrote."""
    found: set[int] = set()
    for run in filter(None, text.split(",")):
        first, _, last = run.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
