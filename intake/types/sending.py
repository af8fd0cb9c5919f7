"""What became of a mail that was sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The next server took the responsibility; `response` are its words."""

    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not now: a 4xx answer or a fault of the connection. It will be tried again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not at all: a 5xx answer. A person must look at it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Handed over, and then the connection ended before the server said whether it took the mail."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The server cannot be used at all, so that neither this mail nor another goes out through it now."""

    reason: str


Outcome = Sent | Deferred | Refused | Unanswered | Unreachable
