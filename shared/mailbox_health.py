"""How a mailbox is: whether all its mail comes in, since when not, and how long its secret is good for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.models import Mailbox
from shared.oauth import OAuthClient

WARNED_DAYS = (14, 3, 1, 0)  # before a secret ends it is warned of, and once more when it has
NEVER_POLLED = "No poll has ended since then; check that “letterdesk run” or “letterdesk intake” is running"


class State(StrEnum):
    """How a mailbox is, in one word."""

    WELL = "well"
    NEW = "not polled yet"
    FAILING = "failing"
    INCOMPLETE = "not all comes in"
    UNSETTLED = "its policy fails"
    OFF = "switched off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`sentence` is for the person who looks after it; `expiry` is "" where nothing ends soon.

    `since`: when what is wrong began; `is_lasting`: that was so long ago that somebody must be told.
    """

    state: State
    sentence: str
    since: datetime | None = None
    is_lasting: bool = False
    expiry: str = ""


def health_of(mailbox: Mailbox, now: datetime, alarm_minutes: float) -> Health:
    """Say how a mailbox is: the worst that has been wrong for so many minutes, else the worst that is wrong at all."""
    expiry = expiry_of(mailbox, now) if mailbox.is_active else ""
    if not mailbox.is_active:
        return Health(state=State.OFF, sentence="It is switched off; no mail is taken in.")
    if mailbox.imap_url is None:
        return Health(state=State.WELL, sentence="Its mail comes over SMTP.", expiry=expiry)
    if mailbox.failing_since is None and mailbox.last_poll_at is None:
        return Health(state=State.NEW, sentence="It is polled in a moment.", expiry=expiry)
    wrong = troubles_of(mailbox)
    if not wrong:
        return Health(state=State.WELL, sentence=_ended(mailbox.last_error or expiry or "No fault"), expiry=expiry)
    long_ago = now - timedelta(minutes=alarm_minutes)
    state, since = next((each for each in wrong if each[1] <= long_ago), wrong[0])
    sentence = _ended(mailbox.last_error or NEVER_POLLED)
    return Health(state=state, sentence=sentence, since=since, is_lasting=since <= long_ago, expiry=expiry)


def troubles_of(mailbox: Mailbox) -> list[tuple[State, datetime]]:
    """What is wrong with how a mailbox is read, and since when; the worst first."""
    known = (
        (State.FAILING, mailbox.failing_since),
        (State.INCOMPLETE, mailbox.incomplete_since),
        (State.UNSETTLED, mailbox.unsettled_since),
    )
    return [(state, since) for state, since in known if since is not None]


def is_forgotten(mailbox: Mailbox, now: datetime, alarm_minutes: float) -> bool:
    """Whether nobody polls a mailbox that should be: no poll has ended for long, and none is going on."""
    if mailbox.imap_url is None or not mailbox.is_active or mailbox.failing_since is not None:
        return False
    known = mailbox.last_poll_at, mailbox.last_ok_at, mailbox.connected_at
    last = max((moment for moment in known if moment is not None and moment <= now), default=mailbox.created_at)
    is_held = mailbox.lease_until is not None and mailbox.lease_until >= now
    return not is_held and now - last > timedelta(minutes=alarm_minutes, seconds=mailbox.poll_seconds)


def step_of(ends: datetime, now: datetime) -> int | None:
    """Which warning it is time for: the last of 14, 3, 1 and 0 days that has been reached; None before the first."""
    reached = [days for days in WARNED_DAYS if ends - now <= timedelta(days=days)]
    return min(reached, default=None)


def expiry_of(mailbox: Mailbox, now: datetime) -> str:
    """A sentence where the secret of a mailbox ends within 14 days, or has; else ""."""
    ends = mailbox.secret_expires_at
    if ends is None or step_of(ends, now) is None:
        return ""
    client = OAuthClient.of(mailbox.oauth) if mailbox.oauth else None
    what, command = _ending(client, ends)
    when = f"{'ended' if ends <= now else 'ends'} on {day_of(ends)}"
    return f"The {what} for {mailbox.address} {when}; give a new one: letterdesk mailbox {command} {mailbox.address}"


def moment_of(moment: datetime) -> str:
    """A moment for a sentence: 21 November 2026, 08:11 UTC."""
    return f"{day_of(moment)}, {moment.astimezone(UTC):%H:%M} UTC"


def day_of(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y}"


def _ending(client: OAuthClient | None, ends: datetime) -> tuple[str, str]:
    if client is None:
        return "password", "password"
    if client.secret_expires == ends:
        return f"client secret at {client.name}", "password"
    return f"permission of {client.name}", "authorize"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
