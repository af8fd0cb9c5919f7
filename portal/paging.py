"""Pages of a list: which one was asked for, and what there is around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import request

SIZES = (25, 50, 100)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The page that a request asks for: `number` from 1, `size` one of SIZES."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """The items of one page and how many there are in all."""

    items: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """The place of the first item in the whole list, from 1; 0 where there is none."""
        return (self.number - 1) * self.size + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The place of the last item in the whole list."""
        return self.first + len(self.items) - 1 if self.items else 0

    @property
    def around(self) -> list[int | None]:
        """The page numbers to link: the first, the last and those near this one; None for what is left out."""
        near = {1, self.count, *range(max(1, self.number - 1), min(self.count, self.number + 1) + 1)}
        shown: list[int | None] = []
        for number in sorted(near):
            if shown and shown[-1] is not None and number > shown[-1] + 1:
                shown.append(None)
            shown.append(number)
        return shown


def wanted() -> Wanted:
    """Read `page` and `per_page` of the current request; anything odd becomes the first page or the first size."""
    number = request.args.get("page", 1, type=int)
    size = request.args.get("per_page", SIZES[0], type=int)
    return Wanted(number=min(max(1, number), 1_000_000), size=size if size in SIZES else SIZES[0])


def page_of(items: Sequence[T], total: int, asked: Wanted) -> Page[T]:
    """The page with these items out of `total`."""
    return Page(items=items, number=asked.number, size=asked.size, total=total)
