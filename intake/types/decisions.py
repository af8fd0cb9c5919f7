"""What the desk does with a mail, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Something in a mail that points to a ticket, and what became of it."""

    kind: str
    value: str
    ticket: int | None
    used: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """Make a ticket. `follows` is a closed ticket that this one continues."""

    reason: str
    clues: tuple[Clue, ...] = ()
    acknowledge: bool = False
    follows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendArticle:
    """Join the mail to a ticket. `stranger`: its sender is not a participant of it."""

    ticket: int
    reason: str
    clues: tuple[Clue, ...] = ()
    reopen: bool = False
    stranger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBounce:
    """Note a delivery report on the delivery that it is about, where one was found.

    `suspends`: it is proven to come from where the mail went, and says that the address is dead.
    """

    reason: str
    delivery_id: int | None
    recipient: str | None = None
    ticket: int | None = None
    suspends: bool = False
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Keep a mail that was read but may not join the ticket that it names until a person agrees."""

    reason: str
    ticket: int | None
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Leave a mail that was understood and is not wanted. Its bytes stay in the ledger."""

    reason: str
    clues: tuple[Clue, ...] = ()
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Keep a mail that could not be processed, with the error."""

    reason: str
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """Read a mail anew that was decided about before: what was read in it is written again, the decision stays."""

    reason: str = "It is read again."
    clues: tuple[Clue, ...] = ()


Decision = OpenTicket | AppendArticle | RecordBounce | Hold | Discard | Quarantine | Refresh

ACTIONS: Mapping[type, str] = {
    OpenTicket: "open_ticket",
    AppendArticle: "append_article",
    RecordBounce: "record_bounce",
    Hold: "hold",
    Discard: "discard",
    Quarantine: "quarantine",
    Refresh: "refresh",
}
