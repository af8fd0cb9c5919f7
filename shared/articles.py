"""What a person writes in the portal: an article with its files. The same words twice at once count once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import blobs
from shared.models import Article, ArticleKind, Attachment, Ticket, User
from shared.ticket_rules import TicketError

SENT_TWICE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that somebody adds in the portal. Its SHA-256 (lower-case hex) is made with it, before any transaction."""

    filename: str
    content_type: str
    content: bytes = field(repr=False)
    sha256: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", hashlib.sha256(self.content).hexdigest())


def store(session: Session, files: Sequence[Upload]) -> None:
    """Store the bytes of files. Come here before anything is locked: large files take their time."""
    for file in sorted(files, key=lambda each: each.sha256):  # two who store the same files wait in no circle
        blobs.keep(session, file.sha256, file.content)


def write(
    session: Session,
    ticket: Ticket,
    kind: ArticleKind,
    *,
    author: User,
    text: str,
    files: Sequence[Upload] = (),
    now: datetime,
) -> Article:
    """Add an entry to a ticket. Raises TicketError where there is nothing in it."""
    words = plain(text)
    if not words and not files:
        raise TicketError("There is nothing to send yet: write a few words.")
    store(session, files)
    article = Article(
        ticket_id=ticket.id,
        kind=kind,
        author_id=author.id,
        from_address=author.email,
        subject=ticket.subject,
        text=words,
        reply_text=words,
        created_at=now,
    )
    article.author = author
    article.attachments = [_attachment(file) for file in files]
    session.add(article)
    ticket.last_activity_at = max(ticket.last_activity_at, now)
    session.flush()
    return article


def said_already(
    session: Session,
    ticket: Ticket,
    kind: ArticleKind,
    *,
    author: User,
    text: str,
    files: Sequence[Upload] = (),
    now: datetime,
) -> Article | None:
    """The newest article of the ticket, where it is this very one: a form that was sent twice counts once.

    The caller has locked the ticket, so that the second of two requests sees what the first one wrote.
    """
    newest = session.scalar(select(Article).where(Article.ticket_id == ticket.id).order_by(Article.id.desc()).limit(1))
    if newest is None or newest.created_at <= now - SENT_TWICE:
        return None
    if (newest.author_id, newest.kind, newest.inbound_id, newest.text) != (author.id, kind, None, plain(text)):
        return None
    digests = sorted(file.sha256 for file in files)
    return newest if sorted(each.sha256 for each in newest.attachments) == digests else None


def plain(text: str) -> str:
    """What was typed, with LF line ends."""
    return text.replace("\r\n", "\n").replace("\0", "").strip()


def _attachment(file: Upload) -> Attachment:
    return Attachment(
        blob_sha256=file.sha256,
        filename=" ".join(file.filename.replace("\0", "").split())[:255] or "file",
        content_type=file.content_type[:255] or "application/octet-stream",
        size=len(file.content),
        sha256=file.sha256,
    )
