"""What templates need beyond their own values: assets, icons of states, times, the theme."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, current_app, request, url_for
from flask_login import current_user
from sqlalchemy import func, select

from portal.alarms import alarms
from portal.desk import desk, now
from shared.models import InboundMessage, InboundState

STATIC = Path(__file__).parent / "static"
THEME_COOKIE = "theme"
THEMES = {"system": ("As the system", "screen"), "light": ("Light", "sun"), "dark": ("Dark", "moon")}

STATE_ICONS = {
    # tickets
    "new": "sealed",
    "open": "opened",
    "pending": "pending",
    "resolved": "check",
    "closed": "box",
    # inbound mail
    "received": "pending",
    "processed": "check",
    "held": "lock",
    "quarantined": "alert",
    "discarded": "trash",
    # deliveries
    "queued": "pending",
    "sending": "send",
    "sent": "check",
    "deferred": "pending",
    "failed": "bounce",
    "unknown": "alert",
}
STATE_CLASSES = {"processed": "ok"}


@cache
def _digest(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:12]


def asset(filename: str) -> str:
    """The address of a static file, with its digest, so that it may be kept for ever."""
    return url_for("static", filename=filename, v=_digest(filename))


def initials(name: str) -> str:
    """Two letters for a face: of the first and last word, or the first two of the only one."""
    words = [word for word in name.replace("@", " ").split() if word[:1].isalnum()]
    if not words:
        return "?"
    letters = words[0][:1] + words[-1][:1] if len(words) > 1 else words[0][:2]
    return letters.upper()


def short_time(moment: datetime) -> str:
    """A moment as people say it: 08:11 today, then Yesterday, then 19 Nov, then 19 Nov 2025 (UTC)."""
    today, day = now().astimezone(UTC).date(), moment.astimezone(UTC).date()
    if day == today:
        return moment.astimezone(UTC).strftime("%H:%M")
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day.day} {day:%b}" if day.year == today.year else f"{day.day} {day:%b %Y}"


def full_time(moment: datetime) -> str:
    """A moment in full: Saturday 21 November 2026, 08:11 UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment:%A} {moment.day} {moment:%B %Y, %H:%M} UTC"


def full_day(moment: datetime) -> str:
    """A day in full: 21 November 2026 (UTC)."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def since_words(moment: datetime) -> str:
    """Since when something is so: since 08:11, since yesterday, 08:11, since 19 November, 08:11 (UTC)."""
    today, moment = now().astimezone(UTC).date(), moment.astimezone(UTC)
    if moment.date() == today:
        return f"since {moment:%H:%M}"
    if moment.date() == today - timedelta(days=1):
        return f"since yesterday, {moment:%H:%M}"
    year = "" if moment.year == today.year else f" {moment.year}"
    return f"since {moment.day} {moment:%B}{year}, {moment:%H:%M}"


def file_size(size: int) -> str:
    """A number of bytes for people: 812 B, 4 kB, 2.1 MB."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"


def plural(count: int, one: str, many: str = "") -> str:
    """1 ticket, 2 tickets."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def theme() -> str:
    """The theme of the cookie: system, light or dark."""
    chosen = request.cookies.get(THEME_COOKIE, "system")
    return chosen if chosen in THEMES else "system"


def waiting_mail() -> int:
    """How many inbound messages wait for a person."""
    states = (InboundState.HELD, InboundState.QUARANTINED)
    with desk().database.reading() as session:
        return session.scalar(select(func.count()).where(InboundMessage.state.in_(states))) or 0


def here() -> str:
    """The page to come back to after choosing a theme."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    takes_get = request.url_rule is not None and "GET" in (request.url_rule.methods or ())
    return request.path if takes_get else "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of the navigation."""

    endpoint: str
    icon: str
    words: str
    url: str
    current: bool
    count: int = 0


STAFF_PLACES = (
    ("tickets.index", "inbox", "Tickets"),
    ("mail.index", "where", "Where is my mail?"),
    ("people.index", "people", "People"),
)
ADMIN_PLACES = (*STAFF_PLACES, ("mailboxes.index", "post", "Mailboxes"))
REQUESTER_PLACES = (
    ("tickets.index", "inbox", "My tickets"),
    ("tickets.new", "plus", "New ticket"),
    ("account.profile", "person", "Profile"),
)


def navigation() -> list[Place]:
    """Where the person who is signed in may go from here."""
    places = ADMIN_PLACES if current_user.is_admin else STAFF_PLACES if current_user.is_staff else REQUESTER_PLACES
    return [_place(*place) for place in places if place[0] in current_app.view_functions]


def _place(endpoint: str, icon: str, words: str) -> Place:
    noun, _, page = endpoint.partition(".")
    current = request.endpoint == endpoint or (request.blueprint == noun and page == "index")
    count = waiting_mail() if endpoint == "mail.index" else 0
    return Place(endpoint=endpoint, icon=icon, words=words, url=url_for(endpoint), current=current, count=count)


def errors_of(form: Iterable[Any]) -> list[tuple[str, str]]:
    """The faults of a form: (id of the field, sentence)."""
    return [(field.id, field.errors[0]) for field in form if field.errors]


def init_appearance(app: Flask) -> None:
    """Give the templates their globals and filters."""
    app.jinja_env.globals.update(
        asset=asset,
        theme=theme,
        themes=THEMES,
        state_icons=STATE_ICONS,
        state_classes=STATE_CLASSES,
        errors_of=errors_of,
        navigation=navigation,
        alarms=alarms,
        here=here,
        desk=desk,
    )
    app.jinja_env.filters.update(
        initials=initials,
        short_time=short_time,
        full_time=full_time,
        full_day=full_day,
        since_words=since_words,
        file_size=file_size,
        plural=plural,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
