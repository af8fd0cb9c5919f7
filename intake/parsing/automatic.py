"""Tells the mail of programs from the mail of people, and whether an automatic answer may go back.

Headers decide (RFC 3834 section 5, RFC 5230, and what vendors use in the wild). Words are weak: a subject that begins
as out-of-office answers do counts with a text that says the same, and alone only forbids an automatic answer.
Pure, linear, never raises. Bounces are told before, in `bounce.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from intake.parsing import absence
from intake.parsing import automatic_words as words
from intake.parsing.dsn import part_text, walk
from intake.parsing.headers import Headers
from intake.parsing.mail_system import empty_path, sender_words
from intake.parsing.structure import Entity
from intake.types import Kind

LIST_MAIL = "mailing list"  # the reason of mail that only its list headers keep from being acknowledged
MAX_CALENDAR = 16_000  # characters of a calendar part that are looked at
CALENDAR_ANSWERS = frozenset({"REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH"})

KEYWORD_ENDS = re.compile(r"[\s;(,]")
METHOD_LINE = re.compile(r"(?mi)^METHOD:([A-Z]{1,20})")
COMMENT_LINE = re.compile(r"(?mi)^COMMENT(?:;[^:\r\n]{0,200})?:(?:\\n|[ \t])*+[^\s\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What kind of mail it is (never BOUNCE), why in plain words, and whether to answer it automatically."""

    kind: Kind
    reason: str
    auto_response_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What the rules look at."""

    headers: Headers
    empty_path: bool
    text: str
    content_type: str
    calendar_method: str


Clue = Callable[[Mail], str]  # says what it saw, "" for nothing


def judge(
    headers: Headers,
    *,
    envelope_from: str | None,
    text: str,
    content_type: str,
    calendar_method: str | None = None,
) -> Verdict:
    """Say what kind of mail it is. The first clue of the table below that sees something decides.

    `envelope_from` "" is the empty reverse path, None unknown (then Return-Path counts); `content_type` the mail's
    own; `calendar_method` the METHOD of a calendar part (RFC 5546 section 1.4), None where there is none.
    """
    mail = Mail(
        headers=headers,
        empty_path=empty_path(headers, envelope_from),
        text=text,
        content_type=(headers.first("Content-Type") or content_type).lower(),
        calendar_method=(calendar_method or "").upper(),
    )
    for kind, clue in CLUES:
        seen = clue(mail)
        if seen:
            return Verdict(kind=kind, reason=seen, auto_response_allowed=False)
    return Verdict(kind=Kind.NORMAL, reason="nothing says that a program sent it", auto_response_allowed=True)


def calendar_method(root: Entity) -> str | None:
    """The METHOD of a mail's calendar part (RFC 5546 section 1.4); None without one, and where it holds a COMMENT."""
    for place in walk(root):
        if place.part.get_content_type() == "text/calendar" and not place.wrapped:
            lines = part_text(place.part)[:MAX_CALENDAR]
            found = METHOD_LINE.search(lines)
            return found[1] if found and not COMMENT_LINE.search(lines) else None
    return None


# ------------------------------------------------------------------ clues to a program


def auto_replied(mail: Mail) -> str:
    """Auto-Submitted: auto-replied (RFC 3834 section 5), whatever comments and parameters follow."""
    value = auto_submitted(mail)
    return f"Auto-Submitted: {value}" if value.startswith(words.AUTO_REPLIED) else ""


def auto_submitted_otherwise(mail: Mail) -> str:
    """Every other value of Auto-Submitted but `no`."""
    value = auto_submitted(mail)
    return f"Auto-Submitted: {value}" if value not in words.SAYS_NO else ""


def auto_submitted(mail: Mail) -> str:
    """The keyword of the header, in lower case; the first that is not `no` where there are several."""
    values = (value.strip().lower() for value in mail.headers.all("Auto-Submitted"))
    keywords = (KEYWORD_ENDS.split(value, maxsplit=1)[0] for value in values)
    return next((keyword for keyword in keywords if keyword not in words.SAYS_NO), "")


def reply_header(mail: Mail) -> str:
    return matching(mail.headers, words.REPLY_HEADERS)


def generated_header(mail: Mail) -> str:
    return matching(mail.headers, words.GENERATED_HEADERS)


def matching(headers: Headers, table: dict[str, tuple[str, ...]]) -> str:
    """The first header of a table whose value is one of those wanted, as `Name: value`."""
    for name in sorted(table.keys() & headers.names()):
        for value in headers.all(name)[:20]:
            plain = " ".join(value.lower().split())[:100]
            if any(plain not in words.SAYS_NO if wanted == "*" else plain.startswith(wanted) for wanted in table[name]):
                return f"{name.title()}: {plain}"
    return ""


def suppresses_all(mail: Mail) -> str:
    """X-Auto-Response-Suppress: All; shorter lists are stamped on ordinary mail too and count below."""
    values = set(suppressed(mail.headers))
    return "X-Auto-Response-Suppress: All" if values & {*words.SUPPRESS_ALL} else ""


def exchange_rule(mail: Mail) -> str:
    """An answer by an inbox rule of Exchange. What a rule only redirects has the loop header alone."""
    loop = "x-ms-exchange-inbox-rules-loop" in mail.headers.names()
    return "an inbox rule of Exchange answered" if loop and suppresses_all(mail) else ""


def suppressed(headers: Headers) -> Iterator[str]:
    """The values of X-Auto-Response-Suppress, in lower case."""
    for line in headers.all("X-Auto-Response-Suppress")[:20]:
        yield from (value.strip().lower() for value in line.split(",")[:20])


def vacation_mailer(mail: Mail) -> str:
    """A program that does nothing but answer."""
    for name in ("X-Mailer", "User-Agent"):
        value = (mail.headers.first(name) or "").lower()[:200]
        if any(word in value for word in words.VACATION_MAILERS):
            return f"{name}: {value}"
    return ""


def away(mail: Mail) -> str:
    """An out-of-office subject, and a text or a header that bears it out."""
    subject = away_subject(mail)
    if subject and absence.in_text(mail.text):
        return f"{subject}, and the text says so too"
    return subject if mail.empty_path or auto_submitted(mail) or suppresses_all(mail) else ""


def report(mail: Mail) -> str:
    """A receipt (RFC 8098), an abuse report (RFC 5965) or another multipart/report that is no bounce."""
    return "a multipart/report" if mail.content_type.startswith("multipart/report") else ""


def calendar_answer(mail: Mail) -> str:
    """An answer to an invitation with which nobody wrote anything (`calendar_method`)."""
    answers = mail.calendar_method in CALENDAR_ANSWERS
    return f"a calendar answer (METHOD:{mail.calendar_method})" if answers else ""


def nobody_sent_it(mail: Mail) -> str:
    return "the envelope sender is empty" if mail.empty_path else ""


def mail_daemon(mail: Mail) -> str:
    """Mail of a mail system that is no bounce."""
    sent_by = sender_words(mail.headers).startswith(("mailer-daemon", "mailerdaemon"))
    return "a mail system sent it" if sent_by else ""


def campaign(mail: Mail) -> str:
    """Mail to many by a sending service: it can be unsubscribed from and is counted, and nobody can post to it."""
    names = mail.headers.names()
    sent_to_many = {"list-unsubscribe-post", "feedback-id"} <= names or {"list-unsubscribe", "x-feedback-id"} <= names
    return "a campaign that can be unsubscribed from" if sent_to_many and "list-post" not in names else ""


# ------------------------------------------------------------------ clues against answering, of people's mail too


def list_mail(mail: Mail) -> str:
    """Mail of a list. Exactly LIST_MAIL, so that a list that is ours can be told and be answered after all."""
    if words.LIST_HEADERS & mail.headers.names():
        return LIST_MAIL
    values = (mail.headers.first("Precedence") or mail.headers.first("X-Precedence") or "").strip().lower()
    return LIST_MAIL if values.startswith(("list", "first-class list")) else ""


def asks_for_quiet(mail: Mail) -> str:
    found = sorted({*words.QUIET_HEADERS} & mail.headers.names())
    return f"{found[0].title()} is there" if found else ""


def suppresses_some(mail: Mail) -> str:
    """The values that speak of automatic answers; those about receipts alone do not."""
    found = sorted(set(suppressed(mail.headers)) & {"autoreply", "oof"})
    return f"X-Auto-Response-Suppress: {', '.join(found)}" if found else ""


def silent_sender(mail: Mail) -> str:
    """An address that takes no answers, where no other one is given to answer to."""
    people = mail.headers.people("From")
    sender = people[0].address.rpartition("@")[0].lower() if people else ""
    silent = sender.startswith(words.SILENT_STARTS) or sender.endswith(words.SILENT_ENDS)
    return f"{sender}@ takes no answers" if silent and not mail.headers.people("Reply-To") else ""


def away_subject(mail: Mail) -> str:
    phrase = absence.in_subject(mail.headers)
    return f"the subject begins with “{phrase}”" if phrase else ""


CLUES: tuple[tuple[Kind, Clue], ...] = (
    (Kind.AUTO_REPLY, auto_replied),
    (Kind.AUTO_REPLY, reply_header),
    (Kind.AUTO_REPLY, exchange_rule),
    (Kind.AUTO_REPLY, vacation_mailer),
    (Kind.AUTO_REPLY, away),
    (Kind.AUTO_GENERATED, auto_submitted_otherwise),
    (Kind.AUTO_GENERATED, calendar_answer),
    (Kind.AUTO_GENERATED, report),
    (Kind.AUTO_GENERATED, generated_header),
    (Kind.AUTO_GENERATED, suppresses_all),
    (Kind.AUTO_GENERATED, campaign),
    (Kind.AUTO_GENERATED, mail_daemon),
    (Kind.AUTO_GENERATED, nobody_sent_it),
    (Kind.NORMAL, away_subject),
    (Kind.NORMAL, suppresses_some),
    (Kind.NORMAL, asks_for_quiet),
    (Kind.NORMAL, silent_sender),
    (Kind.NORMAL, list_mail),
)
