"""Write an article anew from its mail: what was read changes, what was decided and done does not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from intake.record.articles import attachments_of, content_of
from intake.record.books import Books
from intake.types import Arrival
from shared.models import Article, Attachment


def refresh_article(books: Books, arrival: Arrival) -> None:
    """Bring the article of a mail up to date, where it made one that is still there. Twice is like once.

    Files that are found where they were, with the same content, keep their ids, so that links to them stay good.
    """
    made = select(Article).where(Article.inbound_id == arrival.inbound_id)
    article = books.session.scalar(made.with_for_update())
    if article is None:
        return
    _set(article, content_of(arrival, books.own))
    known = {(file.part, file.sha256): file for file in article.attachments}
    for columns in attachments_of(arrival):
        file = known.pop((columns["part"], columns["sha256"]), None)
        if file is None:
            article.attachments.append(Attachment(**columns))
        else:
            _set(file, columns)
    for gone in known.values():
        article.attachments.remove(gone)


def _set(row: Article | Attachment, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
