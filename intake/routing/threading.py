"""Which ticket a mail points to: its clues, strongest first, each with what it is worth.

Source: RFC 5322 section 3.6.4 for References; the tokens are our own (`shared.tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from intake.types import Arrival, Facts, ParsedMessage
from shared.addresses import address_key, without_plus
from shared.references import reference_key
from shared.tokens import Tokens

SUBJECT_TAG = re.compile(r"\[#([1-9][0-9]{0,17})\]")
MAX_REFERENCES = 200  # a thread that is longer is known by its newest messages
MAX_TAGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A clue before it is judged. `signed`: we made it ourselves and nobody changed it."""

    kind: str
    value: str
    ticket: int
    signed: bool = False
    named: bool = True  # the mail names the ticket; False where only another mail named this one


def suffixes(arrival: Arrival, own: frozenset[str]) -> tuple[str, ...]:
    """The plus-suffixes of our addresses that the mail was sent to, envelope first, each once."""
    message = arrival.message
    named = (p.address for p in (*message.to, *message.cc))
    found: dict[str, None] = {}
    for address in (*arrival.envelope_to, *message.recipients, *named):
        base, suffix = without_plus(address_key(address))
        if suffix and base in own:
            found[suffix] = None
    return tuple(found)


def references(message: ParsedMessage) -> tuple[str, ...]:
    """The Message-IDs that a mail answers, nearest first, each once, at most `MAX_REFERENCES`."""
    nearest = ((message.in_reply_to,) if message.in_reply_to else ()) + tuple(reversed(message.references))
    return tuple(dict.fromkeys(nearest))[:MAX_REFERENCES]


def tags(subject: str) -> tuple[int, ...]:
    """The ticket numbers that a subject names as `[#1024]`."""
    return tuple(dict.fromkeys(int(n) for n in SUBJECT_TAG.findall(subject)[:MAX_TAGS]))


def claimed_tickets(arrival: Arrival, own: frozenset[str], tokens: Tokens) -> set[int]:
    """All ticket numbers that a mail names in whatever way, for the facts to be gathered."""
    found = {tokens.ticket_of_suffix(suffix) for suffix in suffixes(arrival, own)}
    found |= {tokens.ticket_of_message_id(reference) for reference in references(arrival.message)}
    found |= set(tags(arrival.message.subject))
    if arrival.order is not None:
        found.add(arrival.order.ticket)
    return {number for number in found if number is not None}


def candidates(arrival: Arrival, facts: Facts, tokens: Tokens) -> Iterator[Candidate]:
    """The clues of a mail, strongest first."""
    yield from _addresses(arrival, facts, tokens)
    answered = references(arrival.message)
    for reference in answered:
        number = tokens.ticket_of_message_id(reference)
        if number is not None:
            yield Candidate(kind="signed_message_id", value=reference, ticket=number, signed=True)
    for reference in answered:
        known = facts.references.get(reference_key(reference))
        if known is not None:
            yield Candidate(kind="reference", value=reference, ticket=known.ticket)
    for number in tags(arrival.message.subject):
        yield Candidate(kind="subject_tag", value=f"[#{number}]", ticket=number)
    yield from _awaited(arrival.message, facts)


def _addresses(arrival: Arrival, facts: Facts, tokens: Tokens) -> Iterator[Candidate]:
    for suffix in suffixes(arrival, facts.own):
        number = tokens.ticket_of_suffix(suffix)
        thread = facts.threads.get(number) if number is not None else None
        if thread is not None and tokens.reply_recipient(suffix, thread.participants) is not None:
            yield Candidate(kind="signed_address", value=f"+{suffix}", ticket=thread.number, signed=True)


def _awaited(message: ParsedMessage, facts: Facts) -> Iterator[Candidate]:
    """Yield the ticket of an answer to this mail that overtook it."""
    known = facts.references.get(reference_key(message.message_id)) if message.message_id else None
    if known is not None and not known.arrived:
        yield Candidate(kind="awaited", value=message.message_id or "", ticket=known.ticket, named=False)
