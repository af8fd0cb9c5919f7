"""A mail as it comes in, before anything in it has been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """How a mail came to us."""

    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPosition:
    """Where a mail stands on an IMAP server (RFC 9051 section 2.3.1.1), and what the server says of it.

    `told_size`: its size, where that is the true one; some servers guess. `internal_date`: when the server got it.
    """

    folder: str
    uidvalidity: int
    uid: int
    told_size: int | None = None
    internal_date: datetime | None = None


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
