"""Who takes part in a ticket because of a mail."""

from __future__ import annotations

from intake.types import Arrival, Kind, ParsedMessage, Person
from shared.addresses import address_key, is_address, is_own

MAX_CC = 20
NOBODY = Person(address="nobody@unknown.invalid", name="Unknown sender")  # RFC 2606: reaches nobody


def author(message: ParsedMessage) -> Person:
    """Who wrote the mail; `NOBODY` where it does not say."""
    return message.sender if message.sender is not None and is_address(message.sender.address) else NOBODY


def copied(arrival: Arrival, own: frozenset[str]) -> tuple[Person, ...]:
    """To and Cc of a person's mail, beside the author and our own addresses; at most `MAX_CC`."""
    message = arrival.message
    if message.kind is not Kind.NORMAL:
        return ()
    found: dict[str, Person] = {}
    for person in (*message.to, *message.cc):
        if is_address(person.address) and not is_own(person.address, own):
            found.setdefault(address_key(person.address), person)
    found.pop(address_key(author(message).address), None)
    return tuple(found.values())[:MAX_CC]
