"""Say what to do with a mail. Pure: all it may depend on is in its arguments.

The order of the kinds is: what a person ordered, what is here already, our own mail come back, bounces, what comes from
a blocked address, what is marked as spam, then the clues to a ticket. Automatic mail is filed like any other, but opens
nothing again and is never answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from intake.routing.bounced import recorded
from intake.routing.participants import NOBODY, author
from intake.routing.threading import Candidate, candidates
from intake.types import (
    AppendArticle,
    Arrival,
    Clue,
    Decision,
    Discard,
    Facts,
    Hold,
    Kind,
    OpenTicket,
    PersonOrder,
    Refresh,
    Thread,
)
from shared.addresses import address_key, is_own
from shared.references import reference_key
from shared.tokens import Tokens

CLOSED = "closed"

Rule = Callable[[Arrival, Facts, Tokens], Decision | None]


def decide(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision:
    """Say what to do with a mail, why, and which clues were seen. `tokens` only checks signatures."""
    decision = _by_rules(arrival, facts, tokens) or _by_clues(arrival, facts, tokens)
    if isinstance(decision, Discard):
        return decision
    return replace(decision, clues=(*decision.clues, *_twin(arrival, facts)))


def _by_rules(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision | None:
    for rule in RULES:
        decision = rule(arrival, facts, tokens)
        if decision is not None:
            return decision
    return None


# ------------------------------------------------------------------ before the clues


def _ordered(arrival: Arrival, facts: Facts, _tokens: Tokens) -> Decision | None:
    order = arrival.order
    if order is None or (order.by is None and order.action == "open" and _is_blocked(arrival, facts)):
        return None
    if order.action == "refresh":
        return Refresh()
    thread = facts.threads.get(order.ticket) if order.ticket is not None else None
    if order.action == "join" and thread is not None:
        return AppendArticle(
            ticket=thread.number,
            reason="A person let it join.",
            reopen=_is_from_a_person(arrival),
            stranger=_sender(arrival) not in thread.participants,
        )
    vouched = order.by is not None or arrival.message.spam_mark is None
    return OpenTicket(reason=_why_ordered(order), acknowledge=vouched and _may_acknowledge(arrival, facts))


def _why_ordered(order: PersonOrder) -> str:
    if order.by is None:
        return "Nobody decided about it in time."
    if order.action == "join":
        return f"A person let it join ticket {order.ticket}, which was deleted meanwhile."
    return "A person made a ticket of it."


def _duplicate(arrival: Arrival, facts: Facts, _tokens: Tokens) -> Decision | None:
    seen = facts.seen.get(arrival.message.fingerprint)
    if not seen or arrival.inbound_id == min(seen.values()):
        return None
    is_elsewhere = seen.get(arrival.mailbox_id, arrival.inbound_id) == arrival.inbound_id
    first = min(seen.values()) if is_elsewhere else seen[arrival.mailbox_id]
    known = "It came to another mailbox as well" if is_elsewhere else "It is here already"
    fate = ", which was discarded" if first in facts.discarded else ""
    return Discard(reason=f"{known}, as mail {first}{fate}.", duplicate_of=first)


def _own_mail(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision | None:
    message = arrival.message
    named = message.message_id is not None and tokens.ticket_of_message_id(message.message_id) is not None
    if named or any(tokens.is_loop_mark(message.loop_mark, own) for own in facts.own):
        return Discard(reason="It is our own mail, come back.")
    return None


def _bounce(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision | None:
    report = arrival.message.bounce
    if arrival.message.kind is not Kind.BOUNCE or report is None:
        return None
    return recorded(arrival, report, facts, tokens)


def _blocked(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision | None:
    """Discard what comes from a blocked address, whatever it names; only a person who orders it overrules that."""
    block = facts.blocked.get(_sender(arrival))
    if block is None:
        return None
    reason = f"{block.by} blocked {block.address} on {block.since:%d %b %Y at %H:%M} UTC."
    return Discard(reason=reason, clues=_refused(arrival, facts, tokens, "Its sender is blocked."))


def _spam(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision | None:
    """Hold what a trusted server marks, whatever it names: a signed address is known to all who were written to."""
    mark = arrival.message.spam_mark
    if mark is None:
        return None
    clues = _refused(arrival, facts, tokens, "The mail is marked as spam.")
    ticket = clues[0].ticket if clues else None
    return Hold(reason=f"A server that is trusted marks it as spam: “{mark}”.", ticket=ticket, clues=clues)


def _refused(arrival: Arrival, facts: Facts, tokens: Tokens, note: str) -> tuple[Clue, ...]:
    """The clues to tickets that are there, none of them used."""
    named = (each for each in candidates(arrival, facts, tokens) if each.ticket in facts.threads)
    return tuple(Clue(kind=each.kind, value=each.value, ticket=each.ticket, note=note) for each in named)


RULES: tuple[Rule, ...] = (_ordered, _duplicate, _own_mail, _bounce, _blocked, _spam)


# ------------------------------------------------------------------ by the clues


def _by_clues(arrival: Arrival, facts: Facts, tokens: Tokens) -> Decision:
    clues: list[Clue] = []
    refused: tuple[int, str] | None = None
    for candidate in candidates(arrival, facts, tokens):
        objection = _objection(candidate, arrival, facts)
        used = objection is None
        clues.append(
            Clue(kind=candidate.kind, value=candidate.value, ticket=candidate.ticket, used=used, note=objection or "")
        )
        if used:
            return _join(candidate, arrival, facts, tuple(clues))
        if refused is None and candidate.named and candidate.ticket in facts.threads:
            refused = (candidate.ticket, objection or "")
    if refused is not None:
        return Hold(reason=refused[1], ticket=refused[0], clues=tuple(clues))
    return OpenTicket(reason=_why_new(arrival, clues), clues=tuple(clues), acknowledge=_may_acknowledge(arrival, facts))


def _objection(candidate: Candidate, arrival: Arrival, facts: Facts) -> str | None:
    """Why a clue may not join the mail to its ticket; None where it may."""
    thread = facts.threads.get(candidate.ticket)
    if thread is None:
        gone = candidate.ticket in facts.deleted
        return f"Ticket {candidate.ticket} was deleted." if gone else f"There is no ticket {candidate.ticket}."
    sender = _sender(arrival)
    if sender in thread.participants and (candidate.signed or sender != NOBODY.address):
        return None
    if sender in thread.removed:
        return f"The sender was taken off ticket {thread.number}."
    if sender in facts.staff:
        return f"It comes from an agent's address, which is not proven, and ticket {thread.number} is somebody else's."
    if not candidate.signed:
        return f"The sender is not on ticket {thread.number}, and the mail carries no signed clue."
    return None


def _join(candidate: Candidate, arrival: Arrival, facts: Facts, clues: tuple[Clue, ...]) -> Decision:
    thread = facts.threads[candidate.ticket]
    by_person = _is_from_a_person(arrival)
    if thread.status == CLOSED and by_person:
        return OpenTicket(
            reason=f"It answers ticket {thread.number}, which is closed.",
            clues=clues,
            acknowledge=_may_acknowledge(arrival, facts),
            follows=thread.number,
        )
    return AppendArticle(
        ticket=thread.number,
        reason=_JOINED[candidate.kind] + ("" if by_person else " It is automatic mail and opens nothing again."),
        clues=clues,
        reopen=by_person,
        stranger=_is_stranger(arrival, thread),
    )


_JOINED = {
    "signed_address": "It was sent to the signed address of that ticket.",
    "signed_message_id": "It answers a mail that we sent.",
    "reference": "It answers a message of that ticket.",
    "subject_tag": "Its subject names the ticket.",
    "awaited": "An answer to it was here before it.",
}


def _why_new(arrival: Arrival, clues: list[Clue]) -> str:
    kind = "" if _is_from_a_person(arrival) else " It is automatic mail and is not answered."
    return ("What it names leads to no ticket here." if clues else "It names no ticket.") + kind


def _twin(arrival: Arrival, facts: Facts) -> tuple[Clue, ...]:
    """Flag a mail that is no copy of another one and yet has its Message-ID."""
    own = arrival.message.message_id
    first = facts.message_ids.get(reference_key(own), arrival.inbound_id) if own else arrival.inbound_id
    if own is None or first == arrival.inbound_id:
        return ()
    note = f"Mail {first} has the same Message-ID but other content, so this is no copy of it: both are kept."
    return (Clue(kind="same_message_id", value=own, ticket=None, note=note),)


# ------------------------------------------------------------------ small predicates


def _sender(arrival: Arrival) -> str:
    return address_key(author(arrival.message).address)


def _is_blocked(arrival: Arrival, facts: Facts) -> bool:
    return _sender(arrival) in facts.blocked


def _is_stranger(arrival: Arrival, thread: Thread) -> bool:
    return _sender(arrival) not in thread.participants


def _is_from_a_person(arrival: Arrival) -> bool:
    return arrival.message.kind is Kind.NORMAL


def _may_acknowledge(arrival: Arrival, facts: Facts) -> bool:
    message = arrival.message
    who = author(message)
    return (
        who is not NOBODY
        and not arrival.quiet
        and message.kind is Kind.NORMAL
        and message.auto_response_allowed
        and arrival.envelope_from != ""
        and not is_own(who.address, facts.own)
        and not _is_blocked(arrival, facts)
    )
