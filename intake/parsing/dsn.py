"""Reads delivery status notifications (RFC 3464) as they come, not only as they should be.

Tolerates a wrong content type, a missing boundary, fields without blank lines between them, encoded parts,
and a report that stands in an attached mail. Never raises; the work is linear in what it looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from intake.parsing import transfer
from intake.parsing.bounce_values import action_by_code, action_of, address_of, clean, enhanced
from intake.parsing.structure import Entity
from intake.types import BounceAction

MAX_PARTS = 300
MAX_DEPTH = 12
MAX_REPORT = 256 * 1024  # bytes of a report that are read
MAX_RECIPIENTS = 1000

REPORT_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status", "text/delivery-status"})
HIDING_TYPES = frozenset({"text/plain", "application/octet-stream", "text/x-delivery-status"})
MAIL_TYPES = frozenset({"message/rfc822", "message/global"})

RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")
FIELDS = frozenset({*RECIPIENT_FIELDS, "action", "status", "diagnostic-code", "reporting-mta", "remote-mta"})
OUTCOME = frozenset({"action", "status"})
SPELLINGS = {
    "final-recipent": "final-recipient",
    "finalrecipient": "final-recipient",
    "original-recipent": "original-recipient",
    "originalrecipient": "original-recipient",
    "diagnostic": "diagnostic-code",
    "diagnosticcode": "diagnostic-code",
}
REPORT_LINE = re.compile(r"(?mi)^(?:original|final)[-_]?recipi?ent[ \t]*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a report says of one recipient. `address` is "" where the report names none."""

    address: str
    action: BounceAction
    status: str | None
    diagnostic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and where it stood.

    `declared`: as a part of a multipart/report, or as the mail itself; `wrapped`: inside an attached mail.
    """

    failures: tuple[Failure, ...]
    declared: bool
    wrapped: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a mail and how it is reached."""

    part: Entity
    inside: str
    wrapped: bool


def read(root: Entity, *, hidden: bool) -> Report | None:
    """Find the report in a mail: a proper one, else one in an attached mail, else, if `hidden`, one in plain text."""
    places = tuple(walk(root))
    proper = [place for place in places if place.part.get_content_type() in REPORT_TYPES]
    plain = [place for place in places if hidden and not place.wrapped and may_hide(place.part)]
    for place in sorted(proper, key=lambda place: place.wrapped) + plain:
        text = part_text(place.part)
        failures = read_fields(text) if place in proper or REPORT_LINE.search(text) else ()
        if failures:
            declared = place in proper and not place.wrapped and place.inside in {"", "multipart/report"}
            return Report(failures=failures, declared=declared, wrapped=place.wrapped)
    return None


def may_hide(part: Entity) -> bool:
    """Whether a part of another type can hold a report's fields."""
    return part.get_content_type() in HIDING_TYPES or is_broken_multipart(part)


def is_broken_multipart(part: Entity) -> bool:
    """Whether a multipart could not be taken apart, for want of its boundary."""
    return part.get_content_maintype() == "multipart" and not part.is_multipart()


def walk(root: Entity) -> Iterator[Place]:
    """The parts of a mail in order, down into attached mails but not into reports; bounded."""
    pending: list[tuple[Place, int]] = [(Place(root, "", False), 0)]
    for _ in range(MAX_PARTS):
        if not pending:
            return
        place, depth = pending.pop()
        yield place
        pending.extend((child, depth + 1) for child in reversed(children(place)) if depth < MAX_DEPTH)


def children(place: Place) -> list[Place]:
    """The parts right below one, at most MAX_PARTS; none for a report, whose fields the parser splits too."""
    kind = place.part.get_content_type()
    payload = place.part.get_payload()
    if kind in REPORT_TYPES or not isinstance(payload, list):
        return []
    wrapped = place.wrapped or kind in MAIL_TYPES
    return [Place(part, kind, wrapped) for part in payload[:MAX_PARTS] if isinstance(part, Entity)]


def part_text(part: Entity) -> str:
    """The text of a report as it was before anything took it apart, decoded."""
    content, _ = transfer.decode(part.source, part.headers().first("Content-Transfer-Encoding"))
    return as_text(content[:MAX_REPORT])


def as_text(content: bytes) -> str:
    """Bytes read as UTF-8, else as Windows-1252, without NULs."""
    content = content.replace(b"\0", b"")
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def read_fields(text: str) -> tuple[Failure, ...]:
    """Every recipient that a report's text names, with what happened. Empty where it is no report."""
    groups = joined(split_groups(text))
    return tuple(failure(group) for group in groups[:MAX_RECIPIENTS])


def split_groups(text: str) -> Iterator[dict[str, str]]:
    """The groups of known fields: a blank line, or a field that comes again, begins a new one."""
    group: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        name, value = field(line, folded=bool(current))
        if not line.strip() or name in group:
            yield group
            group, current = {}, ""
        if name:
            group[name] = value
            current = name
        elif current and line[:1] in " \t":
            group[current] = f"{group[current]} {line.strip()}"[:4096]
        else:
            current = ""
    yield group


def field(line: str, *, folded: bool) -> tuple[str, str]:
    """The lower-case name and the value of a line that begins a known field, else two empty strings."""
    name, colon, value = line.partition(":")
    if not colon or len(name) > 40 or (folded and name[:1].isspace()):
        return "", ""
    plain = name.strip().lower().replace("_", "-")
    plain = SPELLINGS.get(plain, plain)
    return (plain, value.strip()) if plain in FIELDS else ("", "")


def joined(groups: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    """Only the groups about a recipient; one that a stray blank line tore apart is put together again."""
    found: list[dict[str, str]] = []
    strays: list[dict[str, str]] = []
    for group in groups:
        if any(name in group for name in RECIPIENT_FIELDS):
            found.append(group)
        elif OUTCOME & group.keys():
            torn = found and not OUTCOME & found[-1].keys()
            found[-1:] = [found[-1] | group] if torn else found[-1:]
            strays.append(group)
    return found or strays[:1]


def failure(group: dict[str, str]) -> Failure:
    """Read one recipient's fields; what is missing is taken from the server's words."""
    words = clean(group.get("diagnostic-code", ""))
    status = enhanced(group.get("status", "")) or enhanced(words)
    return Failure(
        address=next(filter(None, (address_of(group.get(name, "")) for name in RECIPIENT_FIELDS)), ""),
        action=action_of(group.get("action", "")) or action_by_code(status, words),
        status=status,
        diagnostic=words,
    )
