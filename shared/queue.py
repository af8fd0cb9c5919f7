"""How work is claimed from a table and given back, so that no two workers do it and none is forgotten.

A claim counts the attempt and commits before the work begins: work that kills its process is counted too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from shared.models import Delivery, InboundMessage

LEASE = timedelta(seconds=30)
SKEW = timedelta(minutes=1)  # what is later than that from now was written by a clock that ran ahead
TOGETHER = 2  # so often work is tried together with other work; what was not done then is tried alone

Row = type[InboundMessage] | type[Delivery]


def claim(
    session: Session,
    row: Row,
    states: Sequence[StrEnum],
    *,
    owner: str,
    now: datetime,
    limit: int,
    where: ColumnElement[bool] | None = None,
    stray: ColumnElement[bool] | None = None,
    least_tried_first: bool = False,
    **values: Any,
) -> list[int]:
    """Take up to `limit` rows that are due and nobody's, oldest first; returns their ids in that order.

    With `least_tried_first` the tries come before the age, so that no row stands first at each death of its worker.

    `where` narrows the choice, `values` are written to the rows as well. Rows that another transaction is
    just claiming are passed over (SKIP LOCKED; on SQLite there is only one writer). What is `stray` is due where
    nothing else is.
    """
    chosen = select(row.id).where(row.state.in_(states), is_free(row, now))
    if where is not None:
        chosen = chosen.where(where)
    order = (row.attempts, row.due_at, row.id) if least_tried_first else (row.due_at, row.id)
    chosen = chosen.order_by(*order).limit(limit).with_for_update(skip_locked=True)
    ids = session.scalars(chosen.where(row.due_at <= now)).all()
    if not ids and stray is not None:
        ids = session.scalars(chosen.where(stray)).all()
    taken = (
        update(row)
        .where(row.id.in_(ids))
        .values(attempts=row.attempts + 1, lease_by=owner, lease_until=now + LEASE, **values)
        .execution_options(synchronize_session=False)
    )
    session.execute(taken)
    return list(ids)


def is_free(row: Row, now: datetime) -> ColumnElement[bool]:
    """Nobody's lease; one that reaches too far ahead is of a clock that was set back."""
    until = row.lease_until
    return or_(until.is_(None), until <= now, until > now + 2 * LEASE)


def is_stray(row: Row, now: datetime, *, tried: timedelta, fresh: timedelta = timedelta()) -> ColumnElement[bool]:
    """What is due later than it is ever put off, by a clock that was set back meanwhile.

    `tried` is the longest pause before another try, `fresh` before the first.
    """
    return or_(row.due_at > now + tried, and_(row.attempts == 0, row.due_at > now + fresh))


def renew(session: Session, row: Row, ids: Sequence[int], *, owner: str, now: datetime) -> bool:
    """Keep the claimed rows for another lease. False where one of them was taken by somebody else."""
    kept = (
        update(row)
        .where(row.id.in_(ids), row.lease_by == owner)
        .values(lease_until=now + LEASE)
        .returning(row.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(kept).all()) == len(ids)


def give_back(session: Session, row: Row, ids: Sequence[int], *, owner: str, counts: bool) -> None:
    """Free claimed rows that were not worked on to the end; `counts` says whether that was a try."""
    session.execute(
        update(row)
        .where(row.id.in_(ids), row.lease_by == owner)
        .values(lease_by=None, lease_until=None, attempts=row.attempts - (0 if counts else 1))
        .execution_options(synchronize_session=False)
    )


def pause(attempts: int, *, first: timedelta, longest: timedelta, chance: float) -> timedelta:
    """How long to wait after so many failures: doubling, at most `longest`, ±10 % by `chance` (0 to 1)."""
    grown = first * 2 ** min(max(attempts - 1, 0), 30)
    wait: timedelta = min(grown, longest)
    return wait * (0.9 + 0.2 * chance)
