"""Calendar invitations (RFC 5545, RFC 5546) as text: what, when, where and who."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from icalendar import Calendar

HEADINGS = {
    "REQUEST": "Invitation",
    "PUBLISH": "Event",
    "CANCEL": "Cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Proposal of another time",
    "DECLINECOUNTER": "Proposal declined",
    "ADD": "Further dates",
}
ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "maybe",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "",
}
LARGEST = 200_000
NOT_TEXT = {0: None, 13: None}
MAX_EVENTS = 10
MAX_ATTENDEES = 30
KINDS = ("VEVENT", "VTODO")


def describe(content: bytes) -> str:
    """Return a calendar file as a few lines of text; "" where nothing can be read in it. Times keep their zone."""
    if len(content) > LARGEST or b"BEGIN:VCALENDAR" not in content[:2000].upper():
        return ""
    try:
        return _described(content).translate(NOT_TEXT)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, ArithmeticError):
        return ""  # hostile or broken files, of which the library complains early or late


def _described(content: bytes) -> str:
    calendar = Calendar.from_ical(content)
    method = str(calendar.get("METHOD", "")).upper()
    events = [event for event in calendar.walk() if event.name in KINDS][:MAX_EVENTS]
    return "\n\n".join(filter(None, (_event(event, method) for event in events)))


def _event(event: Any, method: str) -> str:
    lines = [f"{HEADINGS.get(method, 'Event')}: {_text(event.get('SUMMARY')) or '(no title)'}"]
    lines += _line("When", _when(event))
    lines += _line("Where", _text(event.get("LOCATION")))
    lines += _line("Organizer", _person(event.get("ORGANIZER")))
    attendees = _many(event.get("ATTENDEE"))
    lines += _line("Who", ", ".join(filter(None, (_person(one) for one in attendees[:MAX_ATTENDEES]))))
    if len(attendees) > MAX_ATTENDEES:
        lines[-1] += f" and {len(attendees) - MAX_ATTENDEES} more"
    lines += _line("Repeats", _repeats(event))
    lines += _line("Status", _text(event.get("STATUS")).lower() if method not in ("REQUEST", "REPLY") else "")
    description = _text(event.get("DESCRIPTION")).strip()
    return "\n".join([*lines, *(["", description[:5000]] if description else [])])


def _line(name: str, value: str) -> list[str]:
    return [f"{name}: {value}"] if value else []


def _when(event: Any) -> str:
    start, end = _moment(event.get("DTSTART")), _moment(event.get("DTEND") or event.get("DUE"))
    if start is None:
        return _written(end) if end else ""
    if end is None or end == start:
        return _written(start)
    if isinstance(start, datetime) and isinstance(end, datetime) and start.date() == end.date():
        return f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}{_zone(start)}"
    return f"{_written(start)} to {_written(end)}"


def _moment(value: Any) -> date | None:
    moment = getattr(value, "dt", None)
    return moment if isinstance(moment, date) else None


def _written(moment: date) -> str:
    if isinstance(moment, datetime):
        return f"{moment:%Y-%m-%d %H:%M}{_zone(moment)}"
    return moment.isoformat()


def _zone(moment: datetime) -> str:
    key = getattr(moment.tzinfo, "key", None) or (moment.tzname() if moment.tzinfo else None)
    return f" {key}" if key else ""


def _person(value: Any) -> str:
    if value is None:
        return ""
    address = str(value)
    address = address[7:] if address.lower().startswith("mailto:") else address
    parameters = getattr(value, "params", {})
    name = str(parameters.get("CN", "")).strip()
    answer = ANSWERS.get(str(parameters.get("PARTSTAT", "")).upper(), "")
    shown = f"{name} <{address}>" if name and name.lower() != address.lower() else address
    return f"{shown} ({answer})" if answer else shown


def _repeats(event: Any) -> str:
    rule = event.get("RRULE")
    return str(rule.to_ical().decode("utf-8", "replace")).lower() if hasattr(rule, "to_ical") else ""


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = next(iter(value), "")
    return "" if value is None else str(value).strip()
