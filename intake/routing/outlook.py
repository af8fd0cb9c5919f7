"""The facts after a decision, so that a later mail of the same batch sees what an earlier one did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from intake.routing.participants import author, copied
from intake.routing.threading import references
from intake.types import AppendArticle, Arrival, Decision, Discard, Facts, OpenTicket, Person, Reference, Thread
from shared.addresses import address_key
from shared.references import reference_key

OPENS_AGAIN = frozenset({"pending", "resolved"})


def after(facts: Facts, arrival: Arrival, decision: Decision) -> Facts:
    """Return the facts as they will be once this decision is written."""
    known = {arrival.mailbox_id: arrival.inbound_id} | dict(facts.seen.get(arrival.message.fingerprint, {}))
    facts = replace(facts, seen={**facts.seen, arrival.message.fingerprint: known})
    own = arrival.message.message_id
    if own and not isinstance(decision, Discard):
        facts = replace(facts, message_ids={reference_key(own): arrival.inbound_id, **facts.message_ids})
    match decision:
        case OpenTicket():
            number = facts.last_number + 1
            return _filed(replace(facts, last_number=number), arrival, _opened(number, arrival, facts))
        case AppendArticle():
            return _filed(facts, arrival, _joined(facts.threads[decision.ticket], arrival, decision, facts))
        case _:
            return facts


def references_of(arrival: Arrival, ticket: int) -> Mapping[str, Reference]:
    """The Message-IDs that lead to a ticket because of a mail: its own, and those that it answers."""
    found = {reference_key(known): Reference(ticket=ticket, arrived=False) for known in references(arrival.message)}
    if arrival.message.message_id:
        found[reference_key(arrival.message.message_id)] = Reference(ticket=ticket, arrived=True)
    return found


def _filed(facts: Facts, arrival: Arrival, thread: Thread) -> Facts:
    known = {**references_of(arrival, thread.number), **facts.references}
    own = arrival.message.message_id
    if own and not known[reference_key(own)].arrived:
        known[reference_key(own)] = replace(known[reference_key(own)], arrived=True)
    return replace(facts, references=known, threads={**facts.threads, thread.number: thread})


def _opened(number: int, arrival: Arrival, facts: Facts) -> Thread:
    sender = _addresses(author(arrival.message), facts)
    return Thread(number=number, status="new", requester=sender, participants=sender | _copied(arrival, facts))


def _joined(thread: Thread, arrival: Arrival, decision: AppendArticle, facts: Facts) -> Thread:
    status = "open" if decision.reopen and thread.status in OPENS_AGAIN else thread.status
    others: frozenset[str] = frozenset()
    if address_key(author(arrival.message).address) in thread.requester:
        others = _copied(arrival, facts) - thread.removed
    return replace(thread, status=status, participants=thread.participants | others)


def _copied(arrival: Arrival, facts: Facts) -> frozenset[str]:
    nobody: frozenset[str] = frozenset()
    return nobody.union(*(_addresses(person, facts) for person in copied(arrival, facts.own)))


def _addresses(person: Person, facts: Facts) -> frozenset[str]:
    """All address keys of a person."""
    key = address_key(person.address)
    return facts.same_person.get(key, frozenset({key}))
