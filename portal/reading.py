"""How what came by mail is shown: text with its folds and links, events and decisions in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from portal.appearance import plural
from portal.desk import desk
from shared.addresses import without_plus
from shared.models import Article, Event, EventKind, InboundMessage, InboundState

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


def _b(words: object) -> Markup:
    return Markup("<b><bdi>{}</bdi></b>").format(words)


def _changed(noun: str) -> Any:
    def words(detail: Mapping[str, Any]) -> Markup:
        old, new = detail.get("old"), detail.get("new")
        return Markup("{} changed from {} to {}").format(noun, _b(_said(old)), _b(_said(new)))

    return words


def _said(value: object) -> str:
    words = str(value or "nobody")
    return words.capitalize() if words.islower() and words.isascii() and " " not in words else words


def _assigned(detail: Mapping[str, Any]) -> Markup:
    new = detail.get("new")
    return Markup("Assigned to {}").format(_b(new)) if new else Markup("Assigned to nobody")


def _participant(detail: Mapping[str, Any]) -> Markup:
    added, removed = _listed(detail.get("added")), _listed(detail.get("removed"))
    if added:
        return Markup("Added {}").format(_b(added))
    return Markup("Removed {}").format(_b(removed))


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _opened(detail: Mapping[str, Any]) -> Markup:
    if detail.get("follows"):
        return Markup("Opened, follows ticket {}").format(_b(detail["follows"]))
    behalf = detail.get("on_behalf")
    return Markup("Opened on behalf of {}").format(_b(behalf)) if behalf else Markup("Opened")


def _bounced(detail: Mapping[str, Any]) -> Markup:
    status, words = str(detail.get("status") or ""), str(detail.get("diagnostic") or "")
    words = words if status in words else f"{status} {words}"
    fate = "is late" if detail.get("action") == "delayed" else "came back"
    return Markup("Mail to {} {}: <code>{}</code>").format(_b(detail.get("recipient", "")), fate, words)


def _capped(detail: Mapping[str, Any]) -> Markup:
    what = CAUSE_WORDS.get(str(detail.get("suppressed")), "Mail")
    words = Markup("{} not sent: at most {} {} go out within {}").format(
        what,
        plural(int(detail.get("most", 0)), "automatic mail"),
        detail.get("cap", "of this kind"),
        detail.get("within", "a time"),
    )
    until = detail.get("until")
    return words + (f". There is room again at {_moment(until)}" if until else "")


def _moment(moment: str) -> str:
    """A moment of an event's detail as people say it (UTC)."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M on %d %b} UTC"


def _suspended(detail: Mapping[str, Any]) -> Markup:
    address, why = _b(detail.get("address", "")), detail.get("diagnostic", "")
    return Markup("No automatic mail goes to {} any more: <code>{}</code>").format(address, why)


def _resumed(detail: Mapping[str, Any]) -> Markup:
    return Markup("Automatic mail goes to {} again").format(_b(detail.get("address", "")))


def _joined(detail: Mapping[str, Any]) -> Markup:
    number = detail.get("inbound")
    return Markup("Held mail {} joined").format(_b(number)) if number else Markup("Held mail joined")


def _followed(detail: Mapping[str, Any]) -> Markup:
    number = detail.get("number") or detail.get("ticket")
    return Markup("A letter after closing opened ticket {}").format(_b(number))


def _not_sent(detail: Mapping[str, Any]) -> Markup:
    recipient, diagnostic = _b(detail.get("recipient", "")), detail.get("diagnostic", "")
    return Markup("Mail to {} did not go out: <code>{}</code>").format(recipient, diagnostic)


def _undone(detail: Mapping[str, Any]) -> Markup:
    return Markup("A reply to {} was taken back before it left").format(_b(_listed(detail.get("recipients"))))


CAUSE_WORDS = {
    "acknowledgement": "Acknowledgement",
    "reply": "Reply",
    "status": "Notice of the status",
    "account": "Account mail",
    "notice": "Notice",
}
EVENTS: dict[EventKind, tuple[str, Any]] = {
    EventKind.OPENED: ("sealed", _opened),
    EventKind.STATUS: ("opened", _changed("Status")),
    EventKind.PRIORITY: ("flag", _changed("Priority")),
    EventKind.SUBJECT: ("note", _changed("Subject")),
    EventKind.ASSIGNEE: ("person", _assigned),
    EventKind.PARTICIPANT: ("people", _participant),
    EventKind.JOINED: ("merge", _joined),
    EventKind.BOUNCED: ("bounce", _bounced),
    EventKind.CAPPED: ("auto", _capped),
    EventKind.NOT_SENT: ("bounce", _not_sent),
    EventKind.UNDONE: ("again", _undone),
    EventKind.SUSPENDED: ("bounce", _suspended),
    EventKind.RESUMED: ("check", _resumed),
    EventKind.ALSO_AT: (
        "post",
        lambda detail: Markup("The same mail came to {} as well").format(_b(detail.get("mailbox", "another mailbox"))),
    ),
    EventKind.FOLLOWED: ("route", _followed),
}


def event_words(event: Event) -> Markup:
    """What happened, with `old` and `new` in it."""
    return EVENTS[event.kind][1](event.detail)  # type: ignore[no-any-return]


def event_icon(event: Event) -> str:
    return EVENTS[event.kind][0]


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
    return FATES.get(inbound.action or "", "Processed")
