"""Files and the laid-out view of letters. They are hostile: each is downloaded, or shown in a locked frame."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from urllib.parse import quote, unquote

from flask import Blueprint, Response, abort, render_template, request
from flask_login import login_required
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access import me, staff_only
from portal.auth import Answer
from portal.desk import desk
from portal.thread import is_image
from portal.tickets import found
from shared import blobs
from shared.models import Article, ArticleKind, Attachment, InboundRaw

blueprint = Blueprint("attachments", __name__)

ARTICLE = "/tickets/<int(max=999999999999999):number>/articles/<int(max=999999999999999):article_id>"
MAX_PICTURES = 8 * 1024 * 1024  # bytes of a letter's own pictures that its laid-out view shows
LOCKED = "default-src 'none'; sandbox"
FRAME = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_OWN_PICTURE = re.compile(r'src="cid:([^"\s]{1,500})"', re.IGNORECASE)
_REMOTE_PICTURE = re.compile(r'data-remote-src="(https?://[^"]*)"', re.IGNORECASE)


@blueprint.get(f"{ARTICLE}/files/<int(max=999999999999999):file_id>")
@login_required
def file(number: int, article_id: int, file_id: int) -> Answer:
    """A file of a letter: pictures of harmless types in place, everything else as a download."""
    with desk().database.reading() as db:
        article = _article(db, number, article_id)
        chosen = db.get(Attachment, file_id)
        if chosen is None or chosen.article_id != article.id:
            abort(404)
        content = _content(db, article, chosen)
    in_place = is_image(chosen) and "download" not in request.args
    return locked(content, chosen.content_type if in_place else "", "" if in_place else chosen.filename)


@blueprint.get(f"{ARTICLE}/html")
@login_required
def html(number: int, article_id: int) -> Answer:
    """A letter as its sender laid it out, for a frame; remote pictures only with `images=1`."""
    with desk().database.reading() as db:
        article = _article(db, number, article_id)
        if article.html is None:
            abort(404)
        pictures = _pictures(db, article)
    with_remote = request.args.get("images") == "1"
    body = _OWN_PICTURE.sub(lambda match: _own(match, pictures), article.html)
    if with_remote:
        body = _REMOTE_PICTURE.sub(lambda match: f'src="{match[1]}"', body)
    response = Response(render_template("tickets/letter_frame.html", body=body))
    response.headers["Content-Security-Policy"] = FRAME.format(images=" https: http:" if with_remote else "")
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.get(f"{ARTICLE}/text")
@login_required
def text(number: int, article_id: int) -> Answer:
    """The whole text of a letter, for those too long for a page."""
    with desk().database.reading() as db:
        article = _article(db, number, article_id)
    return locked(article.text.encode(errors="replace"), "text/plain; charset=utf-8", "")


@blueprint.get("/mail/<int(max=999999999999999):number>/raw")
@staff_only
def raw(number: int) -> Answer:
    """A mail as it came, byte for byte."""
    with desk().database.reading() as db:
        if db.get(InboundRaw, number) is None:
            abort(404)
        content = blobs.raw_mail(db, number)
    return locked(content, "message/rfc822", f"mail-{number}.eml")


def locked(content: bytes, content_type: str, filename: str) -> Response:
    """A response that a browser neither runs nor guesses at; with a filename it is a download."""
    response = Response(content, content_type=content_type or "application/octet-stream")
    response.headers["Content-Security-Policy"] = LOCKED
    response.headers["X-Content-Type-Options"] = "nosniff"
    if filename:
        plain = re.sub(r"[^\w .,()+-]|[^\x20-\x7e]", "_", filename) or "file"
        named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
        response.headers["Content-Disposition"] = named
    return response


def _article(db: Session, number: int, article_id: int) -> Article:
    ticket = found(db, number)
    article = db.scalar(select(Article).where(Article.id == article_id, Article.ticket_id == ticket.id))
    if article is None or (article.kind is ArticleKind.NOTE and not me().is_staff):
        abort(404)
    return article


def _content(db: Session, article: Article, chosen: Attachment) -> bytes:
    if chosen.blob_sha256 is not None:
        return blobs.read(db, chosen.blob_sha256)
    if chosen.part is None or article.inbound_id is None:
        abort(404)
    if not _is_harmless(article):
        abort(409)
    return desk().extract(blobs.raw_mail(db, article.inbound_id), chosen.part)


def _is_harmless(article: Article) -> bool:
    """Whether the letter's mail was read well the last time; to take a file out of another might end the portal."""
    return article.inbound is not None and article.inbound.last_error is None


def _pictures(db: Session, article: Article) -> Mapping[str, str]:
    """The letter's own pictures as data: addresses, by Content-ID; a locked frame could not fetch them.

    None where its mail could not be read the last time.
    """
    if not _is_harmless(article):
        return {}
    wanted = select(Attachment).where(Attachment.article_id == article.id, Attachment.content_id.is_not(None))
    room, found_ones = MAX_PICTURES, {}
    raw_bytes = None
    for picture in db.scalars(wanted.order_by(Attachment.id)):
        if not is_image(picture) or picture.size > room or picture.part is None or article.inbound_id is None:
            continue
        raw_bytes = raw_bytes or blobs.raw_mail(db, article.inbound_id)
        content = desk().extract(raw_bytes, picture.part)
        room -= len(content)
        found_ones[picture.content_id or ""] = (
            f"data:{picture.content_type};base64,{base64.b64encode(content).decode()}"
        )
    return found_ones


def _own(match: re.Match[str], pictures: Mapping[str, str]) -> str:
    address = pictures.get(match[1]) or pictures.get(unquote(match[1]))
    return f'src="{escape(address)}"' if address else 'src="data:,"'
