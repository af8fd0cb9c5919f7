"""The counts of a desk as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from shared.alerts import is_dated

WIDTH = 11
TROUBLES = (  # of a mailbox, the worst first
    ("failing_since", "failing"),
    ("incomplete_since", "not all its mail comes in"),
    ("unsettled_since", "its policy fails"),
)
LENGTHS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def which_desk(address: str, database: URL, *, is_new: bool) -> Iterator[str]:
    """Yield the lines that say of which desk the counts are; `is_new`: its tables were made just now."""
    yield _line("Desk", address)
    if database.get_backend_name() == "sqlite":
        database = database.set(database=str(Path(database.database or "").absolute()))
    shown = database.set(query={}).render_as_string(hide_password=True)  # what follows a ? may hold a password too
    yield _line("Database", _joined(shown, "new: made just now, since there was none" if is_new else ""))


def in_words(counts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what `shared.status.collect` counted as lines: the alarms stand last, where the eye is."""
    yield _line("Mail in", _joined(_some(counts["inbound"]), *_about_arrivals(counts)))
    yield _line("Tickets", _some(counts["tickets"]))
    yield _line("Articles", str(counts["articles"]))
    yield _line("People", str(counts["users"]))
    oldest = counts["oldest_undelivered_seconds"]
    waits = f"the oldest waits for {duration(oldest)}" if oldest is not None else ""
    yield _line("Mail out", _joined(_some(counts["deliveries"]), waits))
    for mailbox in counts["mailboxes"]:
        yield _line("Mailbox", _mailbox(mailbox))
    for alert in counts["alerts"]:
        since = "" if is_dated(alert["key"]) else f" (since {_minute(alert['since'])})"
        yield _line("Alarms", f"{alert['sentence']}{since}")
    if not counts["alerts"]:
        yield _line("Alarms", "none")


def duration(seconds: float) -> str:
    """A length of time in its largest unit: 3 hours."""
    for length, unit in LENGTHS:
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a second"


def _about_arrivals(counts: Mapping[str, Any]) -> Iterator[str]:
    if counts["oldest_unprocessed_seconds"] is not None:
        yield f"the oldest unprocessed waits for {duration(counts['oldest_unprocessed_seconds'])}"
    if counts["oldest_held_seconds"] is not None:
        yield f"the oldest held for {duration(counts['oldest_held_seconds'])}"
    if counts["retrying"]:
        yield f"{counts['retrying']:,} failed and will be tried again"


def _mailbox(row: Mapping[str, Any]) -> str:
    return _joined(f"{row['address']}, {_how(row)}", row["expiry"])


def _how(row: Mapping[str, Any]) -> str:
    if not row["active"]:
        return "switched off"
    trouble = next((f"{words} since {_minute(row[name])}" for name, words in TROUBLES if row[name]), "")
    if trouble:
        return f"{trouble}: {row['last_error'] or 'no poll has ended'}; {_last_good(row)}"
    return "over SMTP" if row["lag_seconds"] is None else _last_good(row)


def _last_good(row: Mapping[str, Any]) -> str:
    return f"last good poll {duration(row['lag_seconds'])} ago" if row["last_ok"] else "no good poll yet"


def _some(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number) or "none"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _line(name: str, words: str) -> str:
    return f"{name:<{WIDTH}}{words}"
