"""How what came by mail is shown: text with its folds and links, and decisions in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from portal.appearance import plural
from portal.desk import desk
from shared.addresses import without_plus
from shared.models import Article, InboundMessage, InboundState

MOST_SHOWN = 60_000  # characters of one letter on the page; the whole text is one link away
_LINK = re.compile(r"https?://[^\s<>\"“”„«»]{1,2000}")
_BLANK = re.compile(r"\n[^\S\n]*\n\s*")
FOLD_WORDS = {"quote": "Quoted text", "signature": "Signature", "forward": "Forwarded mail", "encoded": "Encoded block"}
CLUE_WORDS = {
    "signed_address": "Signed address",
    "signed_message_id": "Signed Message-ID",
    "reference": "Reference to a letter",
    "subject_tag": "Subject tag",
    "awaited": "Letters that came before it",
    "bounce_address": "Signed return address",
    "bounced_message_id": "Message-ID of the returned mail",
    "same_message_id": "Message-ID of another mail",
}
FATES = {
    "open_ticket": "Opened",
    "append_article": "Joined",
    "record_bounce": "Noted on a delivery of",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Part of a letter's text: shown (`fold` is "") or folded away under these words."""

    paragraphs: Sequence[Markup]
    fold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The text of a letter as it is shown; `cut` says that the rest of it is left out."""

    pieces: Sequence[Piece]
    cut: bool


def reading_of(article: Article) -> Reading:
    """Split an article's text at its folds. Nothing is lost but what is longer than a page can bear (`cut`)."""
    shown = article.text[:MOST_SHOWN]
    lines = shown.split("\n")
    pieces = []
    at = 0
    for start, end, kind in _good_folds(article.folds, len(lines)):
        pieces.append(_piece(lines[at:start]))
        pieces.append(_piece(lines[start:end], f"{FOLD_WORDS.get(kind, 'Folded')}, {plural(end - start, 'line')}"))
        at = end
    pieces.append(_piece(lines[at:]))
    kept = [piece for piece in pieces if piece.paragraphs]
    if len(kept) == 1 and kept[0].fold:
        kept = [Piece(paragraphs=kept[0].paragraphs)]
    return Reading(pieces=kept, cut=len(shown) < len(article.text))


def _good_folds(folds: Iterable[Sequence[Any]], count: int) -> list[tuple[int, int, str]]:
    """The folds in order, without those that overlap or lie behind the end."""
    good: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(tuple(fold) for fold in folds):
        begin = max(int(start), good[-1][1] if good else 0)
        if begin < min(int(end), count):
            good.append((begin, min(int(end), count), str(kind)))
    return good


def _piece(lines: Sequence[str], fold: str = "") -> Piece:
    text = "\n".join(lines).strip("\n")
    paragraphs = [linked(part) for part in _BLANK.split(text) if part.strip()]
    return Piece(paragraphs=paragraphs, fold=fold)


def linked(text: str) -> Markup:
    """Escaped text whose web addresses can be followed."""
    parts: list[str] = []
    at = 0
    for match in _LINK.finditer(text):
        address = match[0].rstrip(".,;:!?'’*_]}")
        if "(" not in address:
            address = address.rstrip(")")
        parts.append(escape(text[at : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noopener noreferrer nofollow" target="_blank">{0}</a>').format(address))
        at = match.start() + len(address)
    parts.append(escape(text[at:]))
    return Markup("").join(parts)


def plain_address(address: str) -> str:
    """An address without our signed suffix, which is nobody's business but its owner's."""
    plain, suffix = without_plus(address)
    return address if desk().tokens.ticket_of_suffix(suffix) is None else plain


def clue_words(kind: str) -> str:
    """The kind of a clue for people."""
    return CLUE_WORDS.get(kind, kind.replace("_", " ").replace("-", " ").capitalize())


def fate(inbound: InboundMessage) -> str:
    """What became of a mail, without why."""
    if inbound.state is InboundState.RECEIVED:
        return "Waiting to be read"
    if inbound.state is not InboundState.PROCESSED:
        return inbound.state.value.capitalize()
    if inbound.action == "record_bounce" and inbound.ticket_number is None:
        return "Noted as a bounce"
    return FATES.get(inbound.action or "", "Processed")
