"""The article of a mail, and its attachments: views of the stored mail, which can be made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from intake.record.books import Books
from intake.record.storable import ADDRESS_LIMIT, ID_LIMIT, NAME_LIMIT, clean
from intake.routing.participants import author
from intake.types import Arrival, Kind, Person
from shared import tickets
from shared.addresses import address_key, is_own
from shared.models import Article, ArticleKind, Attachment, Ticket


def write_article(books: Books, ticket: Ticket, arrival: Arrival, *, stranger: bool) -> None:
    """Add the article that a mail becomes."""
    article = Article(
        ticket_id=ticket.id,
        kind=ArticleKind.MESSAGE,
        author_id=books.users[address_key(author(arrival.message).address)].id,
        inbound_id=arrival.inbound_id,
        stranger=stranger,
        created_at=books.now,
        **content_of(arrival, books.own),
    )
    article.attachments = [Attachment(**columns) for columns in attachments_of(arrival)]
    books.session.add(article)


def content_of(arrival: Arrival, own: frozenset[str]) -> dict[str, Any]:
    """The columns of an article that say what was read in the mail, and nothing that was decided about it."""
    message = arrival.message
    return {
        "message_id": clean(message.message_id, ID_LIMIT) if message.message_id else None,
        "from_address": clean(author(message).address, ADDRESS_LIMIT),
        "to": _pairs(message.to),
        "cc": _pairs(message.cc),
        "reply_to": _reply_to(arrival, own),
        "subject": clean(message.subject, tickets.SUBJECT_LIMIT),
        "text": clean(message.text),
        "reply_text": clean(message.reply_text),
        "folds": [[fold.start, fold.end, fold.kind.value] for fold in message.folds],
        "html": clean(message.html) if message.html is not None else None,
        "automatic": message.kind is not Kind.NORMAL,
        "defects": [clean(defect, 500) for defect in message.defects],
    }


def attachments_of(arrival: Arrival) -> Iterator[dict[str, Any]]:
    """The columns of each attachment, but for its article."""
    for attachment in arrival.message.attachments:
        yield {
            "part": attachment.part,
            "filename": clean(attachment.filename, 255),
            "content_type": clean(attachment.content_type, 255),
            "size": attachment.size,
            "sha256": attachment.sha256,
            "inline": attachment.inline,
            "content_id": clean(attachment.content_id, ID_LIMIT) if attachment.content_id else None,
        }


def _pairs(persons: Sequence[Person]) -> list[list[str]]:
    return [[clean(person.address, ADDRESS_LIMIT), clean(person.name, NAME_LIMIT)] for person in persons[:100]]


def _reply_to(arrival: Arrival, own: frozenset[str]) -> str | None:
    """A single Reply-To that differs from the sender; answers go there."""
    message = arrival.message
    if len(message.reply_to) != 1 or message.kind is not Kind.NORMAL:
        return None
    address = message.reply_to[0].address
    same = address_key(address) == address_key(author(message).address)
    return None if same or is_own(address, own) else clean(address, ADDRESS_LIMIT)
