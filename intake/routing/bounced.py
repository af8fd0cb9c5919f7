"""Which delivery a bounce is about, and whether it proves that its address is dead. Pure."""

from __future__ import annotations

from intake.parsing.bounce_values import REPLY_CODE
from intake.routing.threading import suffixes
from intake.types import Arrival, Bounce, BounceAction, Clue, Facts, RecordBounce, SentCopy
from shared.addresses import address_key
from shared.tokens import Tokens

ABOUT_THE_MAIL = ("5.2.3", "5.3.4", "5.6.")  # RFC 3463: too long, too big, not to be converted; the address is well


def recorded(arrival: Arrival, report: Bounce, facts: Facts, tokens: Tokens) -> RecordBounce:
    """Record a report on the copy that it is about: that of our signed return address, else of our Message-ID inside.

    Only the former proves that it comes from where the mail went; a report of another recipient proves nothing.
    """
    clues: list[Clue] = []
    proven = _copy_by_envelope(arrival, facts, tokens, clues)
    copy = proven or _copy_by_message_id(report, facts, clues)
    if copy is None:
        return RecordBounce(reason="It is a bounce of nothing that we sent.", delivery_id=None, clues=tuple(clues))
    return RecordBounce(
        reason=f"It is a bounce of what we sent to {copy.recipient}.",
        delivery_id=copy.delivery_id,
        recipient=copy.recipient,
        ticket=copy.ticket,
        suspends=proven is not None and proven.recipient in _recipients(report) and is_permanent(report),
        clues=tuple(clues),
    )


def is_permanent(report: Bounce) -> bool:
    """Whether the address will take no mail tomorrow either, by the codes of the report, else by its words alone."""
    if report.action is not BounceAction.FAILED:
        return False
    if report.status is not None:
        return report.status.startswith("5.") and not report.status.startswith(ABOUT_THE_MAIL)
    code = REPLY_CODE.search(report.diagnostic)
    return code is None or code[1] == "5"


def _recipients(report: Bounce) -> set[str]:
    return {address_key(recipient) for recipient in report.recipients}


def _copy_by_envelope(arrival: Arrival, facts: Facts, tokens: Tokens, clues: list[Clue]) -> SentCopy | None:
    for suffix in suffixes(arrival, facts.own):
        number = tokens.delivery_of_bounce(suffix)
        copy = facts.copies.get(number) if number is not None else None
        if copy is not None:
            clues.append(Clue(kind="bounce_address", value=f"+{suffix}", ticket=copy.ticket, used=True))
            return copy
    return None


def _copy_by_message_id(report: Bounce, facts: Facts, clues: list[Clue]) -> SentCopy | None:
    original = report.original_message_id
    copies = facts.copies_of.get(original, ()) if original else ()
    failed = _recipients(report)
    copy = next((c for c in copies if c.recipient in failed), copies[0] if len(copies) == 1 else None)
    if copy is not None:
        clues.append(Clue(kind="bounced_message_id", value=original or "", ticket=copy.ticket, used=True))
    return copy
