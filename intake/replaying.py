"""Process stored mail once more, from the command line: by the pipeline itself, whether or not a desk is running.

A mail is ordered and claimed in one transaction, so that a running worker and this never do the same one. Whatever is
interrupted is an order like any other, and a running desk carries it out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from intake.pipeline import BATCH, Pipeline
from shared import inbound
from shared.database import Database
from shared.errors import UserError
from shared.models import Article, InboundMessage, InboundState

PATIENCE = timedelta(minutes=2)  # for pauses between tries, and for another worker that has the mail
STEP_SECONDS = 0.5
QUARANTINED = InboundMessage.state == InboundState.QUARANTINED


class ReplayError(UserError):
    """Mail cannot be processed again. The message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one mail, as a sentence; `is_well` says whether it was processed."""

    inbound_id: int
    sentence: str
    is_well: bool


class Replay:
    """Processes mail again, batch by batch, with the pipeline's own code."""

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._database = database
        self._pipeline = pipeline
        self._clock = clock
        self._sleep = sleep

    def known(self, ids: Sequence[int]) -> list[int]:
        """These ids without repeats. Raises ReplayError where one of them is in no ledger; then nothing was done."""
        wanted = list(dict.fromkeys(ids))
        with self._database.reading() as session:
            there = set(session.scalars(select(InboundMessage.id).where(InboundMessage.id.in_(wanted))))
        for number in wanted:
            if number not in there:
                raise ReplayError(f"There is no mail {number}; nothing was done.")
        return wanted

    def count(self, where: ColumnElement[bool]) -> int:
        """How many mails of the ledger there are of a kind."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(InboundMessage).where(where)) or 0

    def every(self, where: ColumnElement[bool]) -> Iterator[list[int]]:
        """Yield the ids of all mails of a kind, oldest first, in batches; each comes once, whatever becomes of it."""
        last = 0
        found = select(InboundMessage.id).where(where).order_by(InboundMessage.id).limit(BATCH)
        while True:
            with self._database.reading() as session:
                ids = list(session.scalars(found.where(InboundMessage.id > last)))
            if not ids:
                return
            yield ids
            last = ids[-1]

    def again(self, ids: Sequence[int]) -> Iterator[Fate]:
        """Process these mails again, and say of each what became of it, in the order of `ids`."""
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            before, refused = self._order(batch)
            self._wait([number for number in batch if number not in refused])
            yield from self._fates(batch, before, refused)

    def _order(self, ids: Sequence[int]) -> tuple[Mapping[int, InboundState], Mapping[int, str]]:
        """Order and claim, then process; returns in which states the mails were, and who cannot be read, with why."""
        refused: dict[int, str] = {}
        with self._database.transaction() as session:
            wanted = select(InboundMessage).where(InboundMessage.id.in_(ids)).order_by(InboundMessage.id)
            rows = session.scalars(wanted.with_for_update()).all()
            before = {row.id: _state_before(row) for row in rows}
            for row in rows:
                try:
                    inbound.again(session, row, actor=None, now=self._clock())
                except inbound.InboundError as error:
                    refused[row.id] = str(error)
            claimed = self._pipeline.claim(session, [row.id for row in rows if row.id not in refused])
        self._pipeline.process(claimed)
        return before, refused

    def _wait(self, ids: Sequence[int]) -> None:
        """Go on until each is settled: what failed is tried again after its pause, what another has is waited for."""
        end = self._clock() + PATIENCE
        while (left := self._unsettled(ids)) and self._clock() < end:
            if not self._pipeline.run_once(left):
                self._sleep(STEP_SECONDS)

    def _unsettled(self, ids: Sequence[int]) -> list[int]:
        waits = InboundMessage.id.in_(ids), InboundMessage.state == InboundState.RECEIVED
        with self._database.reading() as session:
            return list(session.scalars(select(InboundMessage.id).where(*waits).order_by(InboundMessage.id)))

    def _fates(
        self, ids: Sequence[int], before: Mapping[int, InboundState], refused: Mapping[int, str]
    ) -> Iterator[Fate]:
        with self._database.reading() as session:
            for number in ids:
                if number in refused:
                    yield Fate(inbound_id=number, sentence=refused[number], is_well=False)
                    continue
                row = session.get_one(InboundMessage, number)
                was_processed = before[number] is InboundState.PROCESSED
                sentence = _renewed(session, row) if was_processed else _processed(row)
                is_well = row.last_error is None and row.state is not InboundState.QUARANTINED
                yield Fate(inbound_id=number, sentence=sentence, is_well=is_well)


def processed(*, since: datetime | None = None, first: int = 1) -> ColumnElement[bool]:
    """All mail that was processed, also what is being read again just now; received since a moment, from an id on."""
    refreshing = InboundMessage.person_order["action"].as_string() == "refresh"
    done = or_(
        InboundMessage.state == InboundState.PROCESSED,
        and_(InboundMessage.state == InboundState.RECEIVED, refreshing),
    )
    chosen = and_(done, InboundMessage.id >= first)
    return chosen if since is None else and_(chosen, InboundMessage.received_at >= since)


def _state_before(row: InboundMessage) -> InboundState:
    return InboundState.PROCESSED if inbound.is_refreshing(row) else row.state


def _renewed(session: Session, row: InboundMessage) -> str:
    if row.last_error is not None:
        return f"could not be read again, and is as it was before: {row.last_error}"
    if row.state is InboundState.RECEIVED:
        return "will be read again by the worker that has it."
    made = session.execute(select(Article.id, Article.ticket_id).where(Article.inbound_id == row.id)).one_or_none()
    if made is not None:
        return f"read again: article {made.id} of ticket {made.ticket_id}."
    if row.action == "record_bounce":
        return "read again; it is a bounce and has no article."
    return "read again; its article has been deleted."


def _processed(row: InboundMessage) -> str:
    match row.state:
        case InboundState.PROCESSED:
            return f"{OUTCOMES.get(row.action or '', 'processed')}{_named(row)}."
        case InboundState.RECEIVED:
            return f"still waits{_because(row.last_error)}; a running desk goes on with it."
        case _:
            return f"{row.state.value}{_because(row.last_error or row.reason)}"


OUTCOMES = {
    "open_ticket": "opened",
    "append_article": "joined",
    "record_bounce": "noted as a bounce of",
}


def _named(row: InboundMessage) -> str:
    if row.ticket_number is not None:
        return f" ticket {row.ticket_number}"
    return " nothing that we sent" if row.action == "record_bounce" else ""


def _because(words: str | None) -> str:
    return f": {words}" if words else ""
