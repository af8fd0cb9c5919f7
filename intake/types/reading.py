"""What is read in a mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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
    `recipients` are the addresses that the delivery left in headers (Delivered-To, X-Original-To, …). `spam_mark`
    is the header field, as `Name: value`, by which a trusted host marks it as spam.
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
    spam_mark: str | None = None
    text: str = ""
    reply_text: str = ""
    folds: tuple[Fold, ...] = ()
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    forward: Forward | None = None
    bounce: Bounce | None = None
    defects: tuple[str, ...] = ()
