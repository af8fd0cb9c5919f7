"""Who speaks in a mail: a mail system that reports on a delivery, some machine, or a person.

Words about failed delivery prove nothing by themselves: people quote and forward bounces to a help desk all
the time. So this is asked first, of the headers alone.
"""

from __future__ import annotations

import re
from enum import IntEnum

from intake.parsing import bounce_words as words
from intake.parsing.headers import Headers

MARK = (
    r"(?:re|aw|antw?|sv|vs|vb|vá|r|rif|ref|rép|res|resp|odp|ynt|atb|απ|отв|ответ|на|回复|回覆|答复|返信|답장"
    r"|fwd?|wg|tr|rv|enc|i|pd|doorst|továbbítás|πρθ|ilt|пересл|转发|轉寄|転送|전달)\s{0,3}(?:\[\d{1,3}\])?\s{0,3}[:：]"
)
ANSWER = re.compile(rf"\s*{MARK}", re.IGNORECASE)
MARKS = re.compile(rf"(?:\s*(?:{MARK}|\[[^\[\]]{{1,60}}\]))+\s*", re.IGNORECASE)
MAX_SUBJECT = 500
FAILURES = tuple(dict.fromkeys(phrase for phrases in words.FAILURES.values() for phrase in phrases))
EMPTY_PATHS = frozenset({"", "<>", "<mailer-daemon>", "mailer-daemon"})


class Voice(IntEnum):
    """Ordered by how sure it is that no person wrote the mail."""

    PERSON = 0
    MACHINE = 1  # a program whose subject speaks of a failure, or a sender whom nobody can answer
    REPORTER = 2  # a sender whom nobody can answer, and the subject speaks of a failure
    MAIL_SYSTEM = 3


def voice(headers: Headers, envelope_from: str | None) -> Voice:
    """Say who speaks. A failing subject counts only where it is no answer and no forward."""
    sender = sender_words(headers)
    if is_report(headers) or any(daemon in sender for daemon in words.DAEMONS + words.DAEMON_NAMES):
        return Voice.MAIL_SYSTEM
    nobody = empty_path(headers, envelope_from) or not sender or any(office in sender for office in words.OFFICES)
    if not subject_fails(headers):
        return Voice.MACHINE if nobody and not is_answer(headers) else Voice.PERSON
    if nobody:
        return Voice.REPORTER
    machine = sends_itself(headers) or any(word in sender for word in words.MACHINE_WORDS)
    return Voice.MACHINE if machine and "in-reply-to" not in headers.names() else Voice.PERSON


def sends_itself(headers: Headers) -> bool:
    """Whether the header says that a program sent the mail."""
    submitted = (headers.first("Auto-Submitted") or "no").strip().lower()
    precedence = (headers.first("Precedence") or "").strip().lower()
    return not submitted.startswith("no") or precedence.startswith(("bulk", "junk"))


def sender_words(headers: Headers) -> str:
    """The local parts and names of From, and of Sender where From is missing, in lower case."""
    people = headers.people("From") or headers.people("Sender")
    found = " ".join(f"{person.address.rpartition('@')[0] or person.address} {person.name}" for person in people[:3])
    return " ".join((found or headers.first("From") or "").lower().split())[:MAX_SUBJECT]


def is_report(headers: Headers) -> bool:
    """Whether a header says that this is a delivery report."""
    if words.REPORT_HEADERS & headers.names():
        return True
    kind = (headers.first("Content-Type") or "").lower()
    if kind.startswith("multipart/report") and ("report-type" not in kind or "delivery-status" in kind):
        return True
    routes = " ".join(headers.all("Received")[:20]).lower()
    return any(route in routes for route in words.REPORT_ROUTES)


def empty_path(headers: Headers, envelope_from: str | None) -> bool:
    """Whether the mail came with the empty reverse path (RFC 5321 section 4.5.5)."""
    if envelope_from is not None:
        return envelope_from.strip().lower() in EMPTY_PATHS
    path = headers.first("Return-Path")
    return path is not None and path.strip().lower() in EMPTY_PATHS


def is_answer(headers: Headers) -> bool:
    """Whether the subject begins as a person's answer or forward does."""
    return ANSWER.match((headers.first("Subject") or "")[:MAX_SUBJECT]) is not None


def bare_subject(headers: Headers) -> str:
    """The subject in lower case, without the marks of answers and forwards and without list tags before it."""
    subject = (headers.first("Subject") or "")[:MAX_SUBJECT]
    marks = MARKS.match(subject)
    return " ".join(subject[marks.end() if marks else 0 :].lower().split())


def subject_fails(headers: Headers) -> bool:
    """Whether the subject, being no answer, speaks of mail that was not delivered."""
    return not is_answer(headers) and fails(headers.first("Subject") or "")


def fails(text: str) -> bool:
    """Whether a short text has a phrase for failed or late delivery, in any language."""
    plain = " ".join(text[:16_000].lower().split())
    return any(phrase in plain for phrase in FAILURES)


def greets(text: str) -> bool:
    """Whether a text begins as people begin a letter."""
    opening = text.lstrip().lower()
    begun = (word for word in words.GREETINGS if opening.startswith(word))
    return any(not opening[len(word) : len(word) + 1].isalpha() or not word.isascii() for word in begun)
