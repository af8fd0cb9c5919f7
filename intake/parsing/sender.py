"""Who is to be treated as the sender of a mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing import addresses
from intake.parsing.headers import Headers
from intake.types import Person

FALLBACKS = (("reply-to", "Reply-To"), ("sender", "Sender"), ("return-path", "Return-Path"))
ORIGINAL_FROM = ("x-original-from", "x-original-sender", "x-google-original-from")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The sender, or None where the mail names nobody, and sentences on how the sender was found."""

    person: Person | None
    defects: tuple[str, ...] = ()


NOBODY = Found(person=None, defects=("Nobody is named as the sender.",))


def find(headers: Headers, envelope_from: str | None, own_addresses: frozenset[str]) -> Found:
    """Return the sender: From, or where that says nobody Reply-To, Sender or the envelope.

    Where From is one of `own_addresses` or rewritten by a mailing list, X-Original-From or a single Reply-To
    says who wrote.
    """
    people = headers.people("from")
    if not people:
        return _fallback(headers, envelope_from)
    first = people[0]
    if first.address.lower() in own_addresses or _is_rewritten(first, headers):
        original = next(_originals(headers, own_addresses), None)
        if original is not None:
            return Found(person=_named(original, first))
    return Found(person=first, defects=tuple(_oddities(headers, people)))


def _oddities(headers: Headers, people: tuple[Person, ...]) -> Iterator[str]:
    if headers.count("from") > 1:
        yield "There are several From headers; the first counts."
    elif len(people) > 1:
        yield f"From names {len(people)} people; the first counts."


def _originals(headers: Headers, own_addresses: frozenset[str]) -> Iterator[Person]:
    for name in ORIGINAL_FROM:
        yield from (person for person in headers.people(name)[:1] if person.address.lower() not in own_addresses)
    answers = headers.people("reply-to")
    if len(answers) == 1 and answers[0].address.lower() not in own_addresses:
        yield answers[0]


def _is_rewritten(person: Person, headers: Headers) -> bool:
    """Say whether a list put its own address into From ("Anna via Sales"), as Google Groups and Mailman do."""
    if " via " not in person.name or not {"list-id", "list-post", "x-original-from"} & headers.names():
        return False
    posts = " ".join((*headers.all("list-id"), *headers.all("list-post"), *headers.all("x-original-from"))).lower()
    local, _, domain = person.address.lower().rpartition("@")
    return person.address.lower() in posts or f"{local}.{domain}" in posts or "x-original-from" in headers.names()


def _named(original: Person, shown: Person) -> Person:
    """Keep the name that a list shows ("Anna via Sales" is Anna) for an address that came without one."""
    if original.name:
        return original
    return Person(address=original.address, name=shown.name.partition(" via ")[0].strip("'\" "))


def _fallback(headers: Headers, envelope_from: str | None) -> Found:
    what = "The From header has no address that can be read" if headers.first("from") else "There is no From header"
    for name, title in FALLBACKS:
        people = headers.people(name)
        if people:
            return Found(person=people[0], defects=(f"{what}; {title} was taken as the sender.",))
    if envelope_from and addresses.is_clean(envelope_from):
        return Found(person=Person(address=envelope_from), defects=(f"{what}; the envelope was taken as the sender.",))
    return Found(person=None, defects=(f"{what}; nobody is named as the sender.",))
