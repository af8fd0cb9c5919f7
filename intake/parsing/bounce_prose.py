"""Reads delivery reports that were written for people: qmail, Exchange, Yahoo and the rest.

What flufl.bounce knows comes first, on a small copy of the mail; general rules read the others. The caller has
made sure that a mail system speaks. Never raises; looks at no more than MAX_NOTICE characters.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import parseaddr

from flufl.bounce import all_failures

from intake.parsing import bounce_words as words
from intake.parsing import transfer
from intake.parsing.bounce_values import ADDRESS, ENHANCED, MAX_DIAGNOSTIC, REFUSAL, enhanced
from intake.parsing.dsn import MAIL_TYPES, is_broken_multipart
from intake.parsing.mail_system import fails
from intake.parsing.structure import Entity
from intake.types import BounceAction

MAX_NOTICE = 24_000  # characters
MAX_LINE = 300
MAX_LINES = 600
MAX_COPIED_PARTS = 20
MAX_COPIED_DEPTH = 5
BARE = 30  # characters beside the addresses: a shorter paragraph only names them
NOBODY = "nobody@sender.invalid"
KEPT_HEADERS = ("From", "To", "Subject", "X-Mailer", "Content-Description", "X-Failed-Recipients")

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs every detector that it tries

RULE = re.compile(r"[-=*_#~>\s]*")
NAMED = re.compile(
    r"^[\s*-]*(?:<([^<>\s]{3,300})>\s*(?::|\(|\.\.\.)"
    r"|(?:failed |intended |unknown )?(?:recipients?|rcpt to|addressee|user|empfänger|destinataire|destinatario)"
    r"(?: address)?\s*:\s*\W{0,3}(?:smtp:)?<?([^<>\s\]]{3,300}))",
    re.IGNORECASE,
)
ALONE = re.compile(r"^[\s*>•·-]*(?:mailto:)?[<\"'\[(]?([^\s<>\"'()\[\]]{3,300})[>\"'\])]?\s*[:.,;]?\s*$")
FINAL = re.compile(r"(?<![\w.-])5(?:\d\d[ -]|\.\d{1,3}\.\d)")
HEADING = re.compile(r"(?mi)^\s{0,8}subject:")
OWN_OFFICES = ("postmaster", "mailer-daemon", "abuse", "hostmaster", "helpdesk", "support")


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


# ------------------------------------------------------------------ the notice, without what it is about


def notice_lines(text: str) -> list[str]:
    """The lines that the mail system wrote: unquoted, above the mail that it returns."""
    lines: list[str] = []
    for line in bounded_lines(text):
        if begins_original(line):
            break
        if not line.startswith(">"):
            lines.append(line.rstrip())
    return lines


def bounded_lines(text: str) -> Iterator[str]:
    """At most MAX_LINES lines of at most MAX_LINE characters: flufl.bounce's patterns need short ones."""
    for line in text[:MAX_NOTICE].splitlines()[:MAX_LINES]:
        yield line[:MAX_LINE]


def begins_original(line: str) -> bool:
    """Whether from this line on the returned mail is shown."""
    lowered = line.lower()
    if lowered.startswith(words.HEADERS_BEGIN):
        return True
    bare = RULE.sub("", lowered, count=1)
    if not bare.startswith(words.ORIGINAL_BEGINS):
        return False
    ruled = lowered.strip()[:2] in {"--", "==", "**", "__", "##", "~~"}
    return ruled or bare.rstrip().endswith((":", "--")) or "follow" in bare


# ------------------------------------------------------------------ what flufl.bounce knows


def known_failures(root: Entity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The delayed and the failed recipients that flufl.bounce finds; both empty where it does not know the form."""
    try:
        copy = small_copy(root, 0)
        if not parseaddr(copy["From"] or "")[1]:
            del copy["From"]
            copy["From"] = NOBODY  # one detector raises without a sender
        delayed, failed = all_failures(copy)
    except (ValueError, TypeError, LookupError, AttributeError):  # its detectors trip over malformed mail
        return (), ()
    return tuple(valid(delayed)), tuple(valid(failed))


def valid(addresses: Iterable[bytes]) -> Iterator[str]:
    """The well-formed ones, sorted."""
    for address in sorted(addresses):
        match = ADDRESS.search(address.decode("ascii", "replace").strip())
        if match:
            yield match[0].rstrip(".")


def small_copy(part: Entity, depth: int) -> Message:
    """A copy that has only notices in it: few headers, short decoded text, attached mails as empty parts."""
    copy = Message()
    for name in KEPT_HEADERS:
        value = part.headers().first(name)
        if value is not None:
            copy[name] = value[:2000]
    copy["Content-Type"] = part.get_content_type()
    payload = part.get_payload()
    if part.get_content_type() in MAIL_TYPES or depth > MAX_COPIED_DEPTH:
        copy.set_payload("")
    elif isinstance(payload, list):
        parts = [child for child in payload[:MAX_COPIED_PARTS] if isinstance(child, Entity)]
        copy.set_payload([small_copy(child, depth + 1) for child in parts])
    else:
        copy.set_payload(small_text(part))
    return copy


def small_text(part: Entity) -> str:
    """The beginning of a text part, to the line with which the returned mail begins, as ASCII."""
    if part.get_content_maintype() != "text" and not is_broken_multipart(part):
        return ""
    content, _ = transfer.decode(part.source, part.headers().first("Content-Transfer-Encoding"))
    lines: list[str] = []
    for line in bounded_lines(content[:MAX_NOTICE].decode("ascii", "replace").replace("\ufffd", "?")):
        lines.append(line)
        if begins_original(line):
            break
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------ general rules


def named_recipients(lines: list[str], others: frozenset[str]) -> tuple[str, ...]:
    """The failed addresses: those named as such, else alone on a line, else beside a phrase, else any."""
    for rule in (by_name, by_line, by_phrase, anywhere):
        found = dict.fromkeys(address for line in lines for address in rule(line) if wanted(address, others))
        if found:
            return tuple(found)
    return ()


def wanted(address: str, others: frozenset[str]) -> bool:
    """Whether an address can be that of a recipient: not the reporter's and not the report's own recipient's."""
    lowered = address.lower()
    return lowered not in others and lowered.partition("@")[0] not in OWN_OFFICES


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
    about = (
        n for n, said in enumerate(told) if any(name in said for name in recipients[:20]) and not HEADING.search(said)
    )
    at = next(about, None)
    if at is None:
        return one_line([said for said in told if fails(said)][:1])
    if len(told[at]) - sum(map(len, recipients)) >= BARE:
        return one_line(told[at : at + 1])
    announced = at > 0 and told[at - 1].rstrip().endswith(":")
    return one_line(told[at - 1 : at + 1] if announced else told[at : at + 2])


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
