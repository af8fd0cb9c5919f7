"""Values for the tests of the rules: each builder gives something whole, and a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from intake.types import Arrival, Facts, ParsedMessage, Person, Thread

DESK = "support@desk.example"
ANNA = "anna@brightmill.example"
BOB = "bob@brightmill.example"
EVE = "eve@elsewhere.example"
AGENT = "mira@desk.example"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def message(sender: str | None = ANNA, **fields: Any) -> ParsedMessage:
    """A person's first mail to the desk."""
    who = Person(address=sender, name="") if sender is not None else None
    whole = ParsedMessage(
        fingerprint="f" * 64,
        message_id="first@brightmill.example",
        sender=who,
        to=(Person(address=DESK),),
        subject="The printer is on fire",
        text="Please come.",
        reply_text="Please come.",
    )
    return replace(whole, **fields)


def arrival(read: ParsedMessage | None = None, **fields: Any) -> Arrival:
    """A read mail in the desk's own mailbox."""
    whole = Arrival(
        inbound_id=1,
        mailbox_id=1,
        mailbox=DESK,
        message=read if read is not None else message(),
        received_at=NOON,
        envelope_from=ANNA,
        envelope_to=(DESK,),
    )
    return replace(whole, **fields)


def thread(number: int = 7, status: str = "open", **fields: Any) -> Thread:
    """A ticket that Anna opened."""
    whole = Thread(number=number, status=status, requester=frozenset({ANNA}), participants=frozenset({ANNA}))
    return replace(whole, **fields)


def facts(*threads: Thread, **fields: Any) -> Facts:
    """A desk with one mailbox, one agent and these tickets."""
    whole = Facts(
        own=frozenset({DESK}),
        staff=frozenset({AGENT}),
        threads={known.number: known for known in threads},
        last_number=max((known.number for known in threads), default=0),
    )
    return replace(whole, **fields)
