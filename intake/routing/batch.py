"""The decisions about mails that are processed together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intake.routing.decide import decide
from intake.routing.outlook import after
from intake.types import Arrival, Decision, Facts
from shared.tokens import Tokens


def decisions(arrivals: Sequence[Arrival], facts: Facts, tokens: Tokens) -> Iterator[tuple[Arrival, Decision]]:
    """Decide mail by mail; a later one sees what an earlier one did. Pure."""
    for arrival in arrivals:
        decision = decide(arrival, facts, tokens)
        facts = after(facts, arrival, decision)
        yield arrival, decision
