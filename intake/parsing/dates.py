"""Dates of every kind (RFC 5322 section 3.3, and what programs write instead) to aware datetimes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T\s]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?"
)
EUROPEAN = re.compile(
    r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[,\s]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?)?\s*([+-]\d\d:?\d\d)?"
)
RFC = re.compile(
    r"(\d{1,2})[\s-]*([A-Za-z]{3})[A-Za-z]*[\s,-]*(\d{4}|\d{2})\b[,\s]*"
    r"(?:(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?)?\s*([+-]\s?\d\d:?\d\d)?"
)
COMMENT = re.compile(r"\([^()]*\)")
MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrt", "apr avr abr", "may mai mei maj", "jun", "jul", "aug aoû ago", "sep",
         "oct okt out", "nov", "dec dez déc dic"), 1)
    for name in names.split()
}  # fmt: skip
LONGEST = 200
FIRST_YEAR, LAST_YEAR = 2, 9998  # those beside them leave the calendar in another time zone


def read(value: str) -> datetime | None:
    """Return a date as an aware datetime; without a zone it is UTC. None where there is none to be read."""
    text = COMMENT.sub(" ", " ".join(value[:LONGEST].split())).strip()
    return _standard(text) or _written(text)


def _standard(text: str) -> datetime | None:
    try:
        parts = parsedate_tz(text)
    except (TypeError, ValueError, IndexError, OverflowError):  # the stdlib raises on some broken dates
        return None
    if parts is None:
        return None
    year, month, day, hour, minute, second = parts[:6]
    return _moment(year, month, day, hour, minute, second, parts[9] or 0)


def _written(text: str) -> datetime | None:
    match = RFC.search(text)
    if match and match[2].lower() in MONTHS:
        year = int(match[3]) + (0 if len(match[3]) == 4 else 2000 if int(match[3]) < 69 else 1900)
        return _from_match(year, MONTHS[match[2].lower()], int(match[1]), match)
    match = ISO.search(text)
    if match:
        return _from_match(int(match[1]), int(match[2]), int(match[3]), match)
    match = EUROPEAN.search(text)
    return _from_match(int(match[3]), int(match[2]), int(match[1]), match) if match else None


def _from_match(year: int, month: int, day: int, match: re.Match[str]) -> datetime | None:
    hour, minute, second = (int(match[number] or 0) for number in (4, 5, 6))
    return _moment(year, month, day, hour, minute, second, _offset(match[7]))


def _offset(zone: str | None) -> int:
    """Return a zone's seconds east of UTC."""
    if not zone or zone == "Z":
        return 0
    digits = re.sub(r"\D", "", zone)
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60
    return -seconds if zone[0] == "-" else seconds


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int, offset: int) -> datetime | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    zone = UTC if offset == 0 or abs(offset) >= 24 * 3600 else timezone(timedelta(seconds=offset))
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except (ValueError, OverflowError):
        return None
