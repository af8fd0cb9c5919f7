"""What one outgoing mail says, before it has the form of a mail. Frozen values; nothing here knows a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from intake.types import Person


class AccountTemplate(StrEnum):
    """The mails about an account: a link that confirms, the word that there is one, a link to a new password."""

    CONFIRM = "confirm"
    ALREADY_REGISTERED = "already_registered"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that goes with a reply."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the requester wrote last. `author` is their name; None where they are who reads this copy."""

    author: str | None
    written_at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A new ticket has arrived. It says when, and nothing of what stood in it."""

    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a person of the desk answered."""

    text: str
    quote: Quote | None = None
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusNotice:
    """A ticket has another status. `actor` is the name of who set it, or "" where that stays unsaid."""

    old: str
    new: str
    actor: str = ""
    close_after_days: float = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMail:
    """A mail about an account. `token` is that of the link; "" where the template has none."""

    template: AccountTemplate
    token: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the people who work at the desk must know: a headline, sentences, and where in the portal it stands."""

    headline: str
    sentences: tuple[str, ...]
    path: str = "/"


Content = Acknowledgement | Reply | StatusNotice | AccountMail | Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The ticket that a mail belongs to.

    `message_ids` are those of the whole thread without <>, oldest first; `answers` the one that this mail
    answers, None where there is none yet.
    """

    number: int
    subject: str
    message_ids: tuple[str, ...] = ()
    answers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """All that a mail depends on: the same letter is composed into the same bytes.

    `sender` is the mailbox, `recipient` who gets this copy, `to` and `cc` what every copy says. `message_id` is
    without <>. `reply_to` is the plus-address for answers of this recipient, None where From will do.
    `portal_url` has no slash at its end.
    """

    message_id: str
    written_at: datetime
    sender: Person
    recipient: Person
    to: tuple[Person, ...]
    cc: tuple[Person, ...] = ()
    reply_to: str | None = None
    thread: Thread | None = None
    content: Content
    loop_mark: str
    portal_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A mail on its way: the reverse path ("" is the empty one), one recipient, and the bytes with CRLF."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)
