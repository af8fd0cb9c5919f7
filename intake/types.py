"""The values that travel between the stages.

All are frozen: a stage returns a new value and never edits the one it was given. None of them knows
a database, a socket or a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# ------------------------------------------------------------------ receiving


class Source(StrEnum):
    """How a mail came to us."""

    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPosition:
    """Where a mail stands on an IMAP server (RFC 9051 section 2.3.1.1)."""

    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """The bytes of a mail as they came, and its envelope. Nothing in it has been read yet.

    `quiet` mail is taken in without causing any mail: it is older than the mailbox's connection, or
    was imported. `notes` are sentences about what was done to it on the way, such as leaving large parts out.
    """

    content: bytes = field(repr=False)
    source: Source
    mailbox_id: int
    received_at: datetime
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    position: FolderPosition | None = None
    quiet: bool = False
    notes: tuple[str, ...] = ()


# ------------------------------------------------------------------ reading


class Kind(StrEnum):
    """What sort of mail it is; the words are those of `letterdesk explain --json`."""

    NORMAL = "normal"
    AUTO_REPLY = "auto_reply"
    AUTO_GENERATED = "auto_generated"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One mailbox of an address header: the bare addr-spec, and the display name or ""."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Every part that is not the body.

    `part` names the part inside the raw mail, so that `parsing.attachments.extract(raw, part)` finds
    the same bytes again. `size` is in bytes of the decoded content, `sha256` its lower-case hex digest,
    `content_id` is without <>.
    """

    part: str
    filename: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False
    content_id: str | None = None
    content: bytes = field(repr=False)


class FoldKind(StrEnum):
    """Why lines of the text are folded away when the article is shown."""

    QUOTE = "quote"
    SIGNATURE = "signature"
    FORWARD = "forward"
    ENCODED = "encoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    r"""Lines `start` to `end` (0-based, end excluded) of `ParsedMessage.text.split("\n")`."""

    start: int
    end: int
    kind: FoldKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The mail that somebody forwarded, as far as the forwarding client wrote it down."""

    from_address: str | None
    from_name: str
    subject: str
    date: str | None
    text: str


class BounceAction(StrEnum):
    """RFC 3464 section 2.3.3, reduced to what the desk acts on."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What a delivery report says. `status` is an enhanced status code (RFC 3463) or None."""

    recipients: tuple[str, ...]
    action: BounceAction
    status: str | None
    diagnostic: str
    original_message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """What the desk reads in a mail. Always complete: what could not be read is empty and has a defect.

    Message-IDs are without <>. `text` is the whole readable text with LF line ends; `reply_text` what
    the sender newly wrote; `folds` the lines of `text` that `reply_text` leaves out. `html` is
    sanitised. `sender` is the person to treat as the sender; None where there is none.
    `recipients` are the addresses that the delivery left in headers (Delivered-To, X-Original-To, …).
    """

    fingerprint: str
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    date: datetime | None = None
    subject: str = ""
    sender: Person | None = None
    reply_to: tuple[Person, ...] = ()
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    recipients: tuple[str, ...] = ()
    loop_mark: str | None = None
    kind: Kind = Kind.NORMAL
    kind_reason: str = ""
    auto_response_allowed: bool = True
    text: str = ""
    reply_text: str = ""
    folds: tuple[Fold, ...] = ()
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    forward: Forward | None = None
    bounce: Bounce | None = None
    defects: tuple[str, ...] = ()


# ------------------------------------------------------------------ deciding


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOrder:
    """What a person decided about held mail: `join` the ticket, or `open` one. `by` is who, None the clock."""

    action: str
    ticket: int | None
    by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A stored mail that has been read, on its way to a decision. `mailbox` is the address it came to."""

    inbound_id: int
    mailbox_id: int
    mailbox: str
    message: ParsedMessage
    received_at: datetime
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    quiet: bool = False
    order: PersonOrder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A ticket as the rules see one. Addresses are keys (`shared.addresses.address_key`).

    `participants` are all addresses of the requester and the cc; `removed` those of people whom an
    agent took off the ticket, whose tokens stopped working.
    """

    number: int
    status: str
    requester: frozenset[str]
    participants: frozenset[str]
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCopy:
    """A delivery of ours that a bounce can be about. `recipient` is an address key."""

    delivery_id: int
    recipient: str
    ticket: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A Message-ID that is known: the ticket it led to, and whether that message itself is here."""

    ticket: int
    arrived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decisions about a batch depend on, as of one moment.

    `own`: address keys of our mailboxes. `staff`: those of agents and administrators among the senders.
    `references`: known Message-IDs. `seen`: fingerprint to {mailbox id: inbound id}. `copies`: deliveries by
    id, `copies_of`: by their Message-ID. `last_number` is the last ticket number given. `same_person`: address key
    to all address keys of that person, where the batch names somebody with more than one.
    """

    own: frozenset[str] = frozenset()
    staff: frozenset[str] = frozenset()
    threads: Mapping[int, Thread] = field(default_factory=dict)
    deleted: frozenset[int] = frozenset()
    references: Mapping[str, Reference] = field(default_factory=dict)
    seen: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    copies: Mapping[int, SentCopy] = field(default_factory=dict)
    copies_of: Mapping[str, tuple[SentCopy, ...]] = field(default_factory=dict)
    last_number: int = 0
    same_person: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """Something in a mail that points to a ticket, and what became of it."""

    kind: str
    value: str
    ticket: int | None
    used: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """Make a ticket. `follows` is a closed ticket that this one continues."""

    reason: str
    clues: tuple[Clue, ...] = ()
    acknowledge: bool = False
    follows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendArticle:
    """Join the mail to a ticket. `stranger`: its sender is not a participant of it."""

    ticket: int
    reason: str
    clues: tuple[Clue, ...] = ()
    reopen: bool = False
    stranger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBounce:
    """Note a delivery report on the delivery that it is about, where one was found."""

    reason: str
    delivery_id: int | None
    recipient: str | None = None
    ticket: int | None = None
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Keep a mail that was read but may not join the ticket that it names until a person agrees."""

    reason: str
    ticket: int | None
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Leave a mail that was understood and is not wanted. Its bytes stay in the ledger."""

    reason: str
    clues: tuple[Clue, ...] = ()
    duplicate_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Keep a mail that could not be processed, with the error."""

    reason: str
    clues: tuple[Clue, ...] = ()


Decision = OpenTicket | AppendArticle | RecordBounce | Hold | Discard | Quarantine

ACTIONS: Mapping[type, str] = {
    OpenTicket: "open_ticket",
    AppendArticle: "append_article",
    RecordBounce: "record_bounce",
    Hold: "hold",
    Discard: "discard",
    Quarantine: "quarantine",
}


# ------------------------------------------------------------------ sending


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The next server took the responsibility; `response` are its words."""

    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not now: a 4xx answer or a fault of the connection. It will be tried again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not at all: a 5xx answer. A person must look at it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Handed over, and then the connection ended before the server said whether it took the mail."""

    reason: str


Outcome = Sent | Deferred | Refused | Unanswered
