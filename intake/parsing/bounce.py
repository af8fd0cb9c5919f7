"""Recognises delivery reports and reads what they say: about whom, what happened, in the server's words.

The report fields of RFC 3464 count most; prose counts only where a mail system speaks (`mail_system.py`), so
that a person who quotes or forwards a bounce is still read as a person. Pure, linear, never raises.
"""

from __future__ import annotations

import re

from intake.parsing import bounce_prose, dsn, mail_system
from intake.parsing.bounce_notice import notice_lines
from intake.parsing.bounce_values import address_of
from intake.parsing.headers import Headers
from intake.parsing.mail_system import Voice
from intake.parsing.structure import Entity
from intake.types import Bounce, BounceAction

HEADERS_TYPES = frozenset(
    {"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers"}
)
MESSAGE_ID = re.compile(r"(?mi)^[ \t>]{0,8}message-id:\s{0,20}<([^<>\s]{3,500})>")
WORST_FIRST = (BounceAction.FAILED, BounceAction.DELAYED, BounceAction.DELIVERED)
MAX_TEXT = 64 * 1024  # characters that are searched for the returned mail's Message-ID
OPENING_LINES = 12


def find(root: Entity, headers: Headers, text: str, *, envelope_from: str | None) -> Bounce | None:
    """Read a delivery report, or say that the mail is none.

    `text` is the mail's whole readable text; `envelope_from` "" is the empty reverse path, None unknown.
    The recipients are those with the worst outcome; they may be empty where the report names nobody.
    """
    voice = mail_system.voice(headers, envelope_from)
    from_nobody = mail_system.empty_path(headers, envelope_from)
    report = dsn.read(root, hidden=from_nobody or voice > Voice.PERSON)
    if report is not None and believable(report, voice, from_nobody):
        return from_report(report, root, headers, text)
    if voice is Voice.PERSON:
        return None
    return from_prose(root, headers, text, voice)


def believable(report: dsn.Report, voice: Voice, from_nobody: bool) -> bool:
    """Whether a report is the mail's own, not one that a person passed on."""
    return report.declared or voice > Voice.PERSON or (from_nobody and not report.wrapped)


def from_report(report: dsn.Report, root: Entity, headers: Headers, text: str) -> Bounce:
    """The bounce that report fields tell; prose fills in what they leave out."""
    action = min((failure.action for failure in report.failures), key=WORST_FIRST.index)
    worst = [failure for failure in report.failures if failure.action is action]
    recipients = tuple(dict.fromkeys(failure.address for failure in worst if failure.address))
    said = next((failure.diagnostic for failure in worst if failure.diagnostic), "")
    if not recipients or not said:
        notice = prose(root, headers, text)
        recipients = recipients or notice.recipients
        said = said or notice.diagnostic
    return Bounce(
        recipients=recipients or failed_header(headers),
        action=action,
        status=next((failure.status for failure in worst if failure.status), None),
        diagnostic=said,
        original_message_id=original_message_id(root, headers, text),
    )


def from_prose(root: Entity, headers: Headers, text: str, voice: Voice) -> Bounce | None:
    """The bounce that prose tells, if the mail is one."""
    lines = [line for line in notice_lines(text) if line.strip()]
    if voice is Voice.MACHINE and not opens_as_report(lines):
        return None
    notice = prose(root, headers, text)
    if not convincing(notice, headers, lines, voice):
        return None
    return Bounce(
        recipients=failed_header(headers) or notice.recipients,
        action=notice.action,
        status=notice.status,
        diagnostic=notice.diagnostic,
        original_message_id=original_message_id(root, headers, text),
    )


def prose(root: Entity, headers: Headers, text: str) -> bounce_prose.Notice:
    """Read the notice; the people of the report's own header are not the failed recipients."""
    names = ("From", "To", "Cc", "Sender", "Reply-To", "Errors-To", "Return-Path", "Delivered-To", "X-Original-To")
    people = (person for name in names for person in headers.people(name))
    others = frozenset(person.address.lower() for person in people)
    return bounce_prose.read(root, headers.first("Subject") or "", text, others=others)


def opens_as_report(lines: list[str]) -> bool:
    """Whether the first lines speak of a failure and do not greet."""
    opening = "\n".join(lines[:OPENING_LINES])
    return mail_system.fails(opening) and not mail_system.greets(opening)


def convincing(notice: bounce_prose.Notice, headers: Headers, lines: list[str], voice: Voice) -> bool:
    """Whether prose is a report: the less is known of who speaks, the more the prose has to say."""
    says_so = mail_system.fails("\n".join(lines))
    if voice is Voice.MAIL_SYSTEM:
        return notice.known or says_so or mail_system.subject_fails(headers) or bool(failed_header(headers))
    coded = notice.known or bounce_prose.coded(lines)
    if voice is Voice.REPORTER:
        return coded or (says_so and bool(notice.recipients))
    return coded and bool(notice.recipients)


def failed_header(headers: Headers) -> tuple[str, ...]:
    """The addresses of Exim's X-Failed-Recipients."""
    values = (value for line in headers.all("X-Failed-Recipients")[:100] for value in line.split(",")[:100])
    return tuple(dict.fromkeys(filter(None, map(address_of, values))))


# ------------------------------------------------------------------ which mail it is about


def original_message_id(root: Entity, headers: Headers, text: str) -> str | None:
    """The Message-ID of the mail that the report is about: from the returned mail, else from the header."""
    return returned_id(root) or id_in_text(text) or header_id(headers)


def returned_id(root: Entity) -> str | None:
    """The Message-ID of the returned mail or of its returned header; that of a wrapped report only at need."""
    reports: list[str] = []
    for place in dsn.walk(root):
        kind = place.part.get_content_type()
        if place.inside in dsn.MAIL_TYPES:
            value = next(iter(place.part.headers().ids("Message-ID")), None)
        elif kind in HEADERS_TYPES or dsn.is_broken_multipart(place.part) or is_broken_mail(place.part):
            value = id_in_text(dsn.part_text(place.part))
        else:
            continue
        if value and kind != "multipart/report":
            return value
        reports.extend([value] if value else [])
    return reports[0] if reports else None


def is_broken_mail(part: Entity) -> bool:
    """Whether an attached mail was not read as one."""
    return part.get_content_type() in dsn.MAIL_TYPES and not part.is_multipart()


def id_in_text(text: str) -> str | None:
    """The Message-ID of the first header field of that name in a text."""
    match = MESSAGE_ID.search(text[:MAX_TEXT])
    return match[1] if match else None


def header_id(headers: Headers) -> str | None:
    """What the report's own header says that it answers."""
    for name in ("X-Original-Message-ID", "In-Reply-To", "References"):
        ids = headers.ids(name)
        if ids:
            return ids[-1]
    return None
