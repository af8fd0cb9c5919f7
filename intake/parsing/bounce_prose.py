"""Reads delivery reports that were written for people: qmail, Exchange, Yahoo and the rest.

What flufl.bounce knows comes first, on a small copy of the mail; general rules read the others. The caller has
made sure that a mail system speaks. Never raises; looks only at the notice (`bounce_notice.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing import bounce_words as words
from intake.parsing.bounce_known import known_failures
from intake.parsing.bounce_notice import notice_lines
from intake.parsing.bounce_values import ADDRESS, ENHANCED, MAX_DIAGNOSTIC, REFUSAL, enhanced
from intake.parsing.mail_system import fails
from intake.parsing.structure import Entity
from intake.types import BounceAction

BARE = 30  # characters beside the addresses: a shorter paragraph only names them

NAMED = re.compile(
    r"^[\s*-]*(?:<([^<>\s]{3,300})>\s*(?::|\(|\.\.\.)"
    r"|(?:failed |intended |unknown )?(?:recipients?|rcpt to|addressee|user|empfänger|destinataire|destinatario)"
    r"(?: address)?\s*:\s*\W{0,3}(?:smtp:)?<?([^<>\s\]]{3,300}))",
    re.IGNORECASE,
)
ALONE = re.compile(r"^[\s*>•·-]*(?:mailto:)?[<\"'\[(]?([^\s<>\"'()\[\]]{3,300})[>\"'\])]?\s*[:.,;]?\s*$")
FINAL = re.compile(r"(?<![\w.-])5(?:\d\d[ -]|\.\d{1,3}\.\d)")
REASON = re.compile(
    r"(?mi)^[\s*]{0,8}(?:technical details|(?:the )?(?:reason|cause|error)\b[^\n:]{0,40}:|because:|diagnos"
    r"|grund\b|fehler\b|raison\b|motif\b|motivo\b|causa\b|reden\b|причина|powód\b|原因|理由)"
)
HEADING = re.compile(r"(?mi)^\s{0,8}subject:")
OFFICES = ("postmaster", "mailer-daemon", "abuse", "hostmaster", "helpdesk", "support")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a report in prose says. `known`: flufl.bounce knows this form of report."""

    recipients: tuple[str, ...]
    action: BounceAction
    status: str | None
    diagnostic: str
    known: bool


def read(root: Entity, subject: str, text: str, *, others: frozenset[str]) -> Notice:
    """Read a report. `text` is the mail's text, `others` lower-case addresses that are not the failed ones."""
    lines = notice_lines(text)
    delayed, failed = known_failures(root)
    recipients = failed or delayed or named_recipients(lines, others)
    words_said = diagnostic(lines, recipients)
    status = enhanced(words_said) or enhanced("\n".join(lines))
    return Notice(
        recipients=recipients,
        action=BounceAction.DELAYED if delayed and not failed else action(subject, lines, status or words_said),
        status=status,
        diagnostic=words_said,
        known=bool(delayed or failed),
    )


def named_recipients(lines: list[str], others: frozenset[str]) -> tuple[str, ...]:
    """The failed addresses: those named as such, else alone on a line, else beside a phrase, else any."""
    for rule, sure in ((by_name, True), (by_line, True), (by_phrase, False), (anywhere, False)):
        found = dict.fromkeys(address for line in lines for address in rule(line) if wanted(address, others, sure=sure))
        if found:
            return tuple(found)
    return ()


def wanted(address: str, others: frozenset[str], *, sure: bool) -> bool:
    """Whether an address can be a failed one: nobody of the report's header, and no office to turn to unless `sure`."""
    lowered = address.lower()
    return lowered not in others and (sure or lowered.partition("@")[0] not in OFFICES)


def by_name(line: str) -> Iterator[str]:
    """`<address>: …`, `Recipient: address`, `RCPT TO:<address>`."""
    match = NAMED.match(line)
    return anywhere(match[1] or match[2]) if match else iter(())


def by_line(line: str) -> Iterator[str]:
    """An address that has a line for itself."""
    match = ALONE.match(line)
    return anywhere(match[1]) if match else iter(())


def by_phrase(line: str) -> Iterator[str]:
    """Addresses on a line with a reply code or a phrase for failed delivery."""
    if coded([line]) or fails(line):
        yield from anywhere(line)


def anywhere(line: str) -> Iterator[str]:
    """Every address on a line that is no part of a link or of a Message-ID."""
    for match in ADDRESS.finditer(line):
        if "/" not in match[0] and "." in match[0].rpartition("@")[2].strip("."):
            yield match[0].rstrip(".'!?>")


def diagnostic(lines: list[str], recipients: tuple[str, ...]) -> str:
    """The server's own words: from a line with a reply code on, else what is said of the recipients."""
    start = next((n for n, line in enumerate(lines) if coded([line])), None)
    if start is not None:
        return one_line(paragraphs(lines[start:])[:1])
    told = paragraphs(lines)
    reason = next((n for n, said in enumerate(told) if REASON.search(said)), None)
    if reason is not None:
        return one_line(told[reason : reason + 2] if told[reason].rstrip().endswith(":") else told[reason : reason + 1])
    return one_line(said_of(recipients, told))


def said_of(recipients: tuple[str, ...], told: list[str]) -> list[str]:
    """The paragraphs about the recipients: where one only names them, with what announces or follows it."""
    about = (
        n for n, said in enumerate(told) if any(name in said for name in recipients[:20]) and not HEADING.search(said)
    )
    at = next(about, None)
    if at is None:
        return [said for said in told if fails(said)][:1]
    if len(told[at]) - sum(map(len, recipients)) >= BARE:
        return told[at : at + 1]
    announced = at > 0 and told[at - 1].rstrip().endswith(":")
    return told[at - 1 : at + 1] if announced else told[at : at + 2]


def coded(lines: list[str]) -> bool:
    """Whether a line has a server's code: of RFC 3463, or a refusal of RFC 5321."""
    return any(ENHANCED.search(line) or REFUSAL.search(line) for line in lines)


def paragraphs(lines: list[str]) -> list[str]:
    """Lines put together, cut at blank ones; ruled headings are left out."""
    text = "\n".join("" if line.lstrip().startswith("---") else line for line in lines)
    return [part for part in re.split(r"\n[ \t]*\n", text) if part.strip()]


def one_line(parts: list[str]) -> str:
    return " ".join(" ".join(parts).split())[:MAX_DIAGNOSTIC]


def action(subject: str, lines: list[str], code: str) -> BounceAction:
    """Failed, unless the words say that it will be tried again or has arrived."""
    said = " ".join(" ".join([subject, *lines]).lower().split())
    if any(phrase in said for phrase in words.DELAYS) and not FINAL.search(code):
        return BounceAction.DELAYED
    if any(phrase in said for phrase in words.ARRIVALS) and not any(phrase in said for phrase in words.NOT_ARRIVED):
        return BounceAction.DELIVERED
    return BounceAction.FAILED
