"""How long work waits that failed: longer each time, never for too long, and not all of it until the same moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.queue import pause

FIRST, LONGEST = timedelta(minutes=1), timedelta(hours=1)


def minutes(attempts: int, chance: float = 0.5) -> float:
    return pause(attempts, first=FIRST, longest=LONGEST, chance=chance).total_seconds() / 60


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    assert [minutes(attempts) for attempts in range(1, 9)] == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


@pytest.mark.parametrize(("chance", "times"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
@pytest.mark.parametrize(("attempts", "usual"), [(1, 1), (4, 8), (7, 60), (10_000, 60)])
def test_chance_moves_a_pause_by_a_tenth_at_most(attempts: int, usual: float, chance: float, times: float) -> None:
    assert minutes(attempts, chance) == pytest.approx(usual * times)


@pytest.mark.parametrize("attempts", [31, 1_000, 10**9])
def test_no_number_of_failures_is_too_large(attempts: int) -> None:
    assert minutes(attempts) == 60


def test_what_has_not_failed_yet_waits_as_after_the_first_failure() -> None:
    assert minutes(0) == minutes(-1) == 1
