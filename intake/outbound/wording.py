"""The words of outgoing mail that depend on something: greetings, dates, statuses, sizes, quotes. Pure."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime

from intake.outbound import bodies, headerfields
from intake.outbound.letter import AccountTemplate, File, Quote, StatusNotice

WIDTH = 72
MAX_QUOTED_LINES = 30
MAX_QUOTED = 4_000  # characters
MAX_GREETED = 40  # characters of one word of a name
MAX_WORDS = 5
MAX_PREVIEW = 120

_NAME = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*\.?")
_SECRET = re.compile(r"(?i)(\+(?:b-)?[1-9][0-9]{0,17}-)[a-z2-7]{16}(?=@)|(/(?:t|reset|confirm)/)[a-z0-9-]{20,200}")
_TITLES = frozenset({"dr", "prof", "mr", "mrs", "ms", "herr", "frau"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWords:
    """What a status is called, and what the mail about it says: a headline, what it means, what to do."""

    label: str
    headline: str
    meaning: str
    button: str


STATUSES = {
    "new": StatusWords(
        label="New",
        headline="Your ticket is back in the queue.",
        meaning="A person will read it. There is nothing you need to do.",
        button="Look at your ticket",
    ),
    "open": StatusWords(
        label="Open",
        headline="We are working on it.",
        meaning="There is nothing you need to do.",
        button="Look at your ticket",
    ),
    "pending": StatusWords(
        label="Pending",
        headline="We need a word from you.",
        meaning="Your ticket waits until you have answered.",
        button="Look at your ticket",
    ),
    "resolved": StatusWords(
        label="Resolved",
        headline="We think this is solved.",
        meaning=(
            "If that is right, there is nothing to do. If something is still broken, say so within {days} and your "
            "ticket is open again."
        ),
        button="It is still broken",
    ),
    "closed": StatusWords(
        label="Closed",
        headline="Your ticket is closed.",
        meaning="If you write about it again, we open a new ticket that follows this one.",
        button="Look at your ticket",
    ),
}


def status_words(notice: StatusNotice) -> StatusWords:
    """What a status notice says; a status that has no words of its own is called by its name."""
    name = notice.new.capitalize()
    plain = StatusWords(label=name, headline=f"Your ticket is {name} now.", meaning="", button="Look at your ticket")
    words = STATUSES.get(notice.new, plain)
    days = f"{notice.close_after_days:g} day{'' if notice.close_after_days == 1 else 's'}"
    return StatusWords(
        label=words.label,
        headline=words.headline,
        meaning=words.meaning.format(days=days),
        button=words.button,
    )


def greeting(name: str) -> str:
    """`Hello Anna,` or `Hello,`: a name is greeted only where it looks like one.

    Whoever writes to the desk chooses the name, so it may not carry a message to somebody else.
    """
    last, _, first = headerfields.clean(name).partition(",")
    words = [word for word in f"{first} {last}".split() if word.rstrip(".").lower() not in _TITLES]
    is_name = 0 < len(words) <= MAX_WORDS and all(len(w) <= MAX_GREETED and _NAME.fullmatch(w) for w in words)
    return f"Hello {words[0]}," if is_name else "Hello,"


def moment(when: datetime) -> str:
    """A date and time as a mail says it, in UTC since nobody knows where it will be read."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y} at {utc:%H:%M} UTC"


def size(number: int) -> str:
    """A size in bytes for people: 208 kB, 1.4 MB."""
    if number < 1000:
        return f"{number} bytes"
    return f"{number / 1000:.0f} kB" if number < 999_500 else f"{number / 1_000_000:.1f} MB"


def listed(file: File) -> str:
    """A file as the mail names it."""
    return f"{headerfields.clean(file.filename)}, {size(len(file.content))}"


def attribution(quote: Quote) -> str:
    """The line above a quote."""
    who = headerfields.clean(quote.author) if quote.author is not None else "you"
    return f"On {moment(quote.written_at)}, {who} wrote:"


def quoted(quote: Quote) -> list[str]:
    """The lines of a quote, wrapped, without tokens and links that open something, and not too many."""
    text = without_secrets(bodies.clean(quote.text)).strip("\n")
    short = text[:MAX_QUOTED]
    lines = [line for whole in short.split("\n") for line in (textwrap.wrap(whole, WIDTH - 2) or [""])]
    if len(text) > MAX_QUOTED or len(lines) > MAX_QUOTED_LINES:
        lines = [*lines[:MAX_QUOTED_LINES], "…"]
    return lines if text.strip() else []


def without_secrets(text: str) -> str:
    """Blank the signed part of our addresses and links: who is quoted must not give away what only they hold."""
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}…", text)


def wrapped(sentence: str) -> str:
    """A paragraph of the desk's own words, in lines."""
    return textwrap.fill(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)


def preview(text: str) -> str:
    """The first words of a text, as a list of mails shows them beside the subject."""
    return textwrap.shorten(text[:2000], MAX_PREVIEW, placeholder=" …")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWords:
    """What a mail about an account says, where its link leads, and what holds for who did not ask for it."""

    subject: str
    headline: str
    text: str
    button: str
    path: str
    otherwise: str


ACCOUNTS = {
    AccountTemplate.CONFIRM: AccountWords(
        subject="Confirm your address",
        headline="One step is left.",
        text="open this link to confirm that this address is yours. Your account is made when you do.",
        button="Confirm my address",
        path="/confirm/",
        otherwise="If you did not register, leave this mail alone and nothing happens.",
    ),
    AccountTemplate.ALREADY_REGISTERED: AccountWords(
        subject="You have an account already",
        headline="You have an account already.",
        text="somebody, most likely you, registered with this address. There is an account for it: sign in here.",
        button="Sign in",
        path="/login",
        otherwise="If you have forgotten the password, the page that this link opens helps you to a new one.",
    ),
    AccountTemplate.RESET: AccountWords(
        subject="Choose a new password",
        headline="Choose a new password.",
        text="somebody, most likely you, asked for a new password for this address. This link lets you choose it.",
        button="Choose a new password",
        path="/reset/",
        otherwise="If you did not ask for it, leave this mail alone: your password stays as it is.",
    ),
}
