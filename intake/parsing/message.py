"""Bytes to `ParsedMessage`: the way of one mail through the reader. Never raises; linear time; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from intake.parsing import automatic, bounce, content, forward, reply, sender, spam_mark, structure
from intake.parsing.fingerprint import fingerprint
from intake.parsing.headers import Headers
from intake.parsing.limits import MAX_DEFECTS
from intake.parsing.structure import Entity
from intake.types import Bounce, Fold, FoldKind, Forward, Kind, ParsedMessage

Value = TypeVar("Value")
LOOP_MARK = "X-Letterdesk-Loop"
RECIPIENT_HEADERS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Forwarded-To")


@dataclass(slots=True)
class Reading:
    """The work on one mail: its envelope and the sentences on what was wrong."""

    envelope_from: str | None
    own_addresses: frozenset[str]
    trusted_hosts: frozenset[str]
    defects: dict[str, None]

    def attempt(self, what: str, stage: Callable[[], Value], otherwise: Value) -> Value:
        """Run a stage; whatever goes wrong in it costs only what it would have read."""
        try:
            return stage()
        except Exception as error:  # noqa: BLE001 - the promise of this module: a mail is read as far as it goes
            self.note(f"The {what} could not be read ({type(error).__name__}).")
            return otherwise

    def note(self, *sentences: str | None) -> None:
        """Add sentences to the defects, each once, at most `MAX_DEFECTS`."""
        for sentence in sentences:
            if sentence and len(self.defects) < MAX_DEFECTS:
                self.defects[sentence] = None


def parse(
    content: bytes,
    *,
    own_addresses: frozenset[str] = frozenset(),
    envelope_from: str | None = None,
    trusted_hosts: frozenset[str] = frozenset(),
) -> ParsedMessage:
    """Read a mail. Always returns a whole `ParsedMessage`; what was wrong stands in its `defects`.

    `own_addresses` are the desk's addresses in lower case: mail that claims to come from one of them ("Anna via
    support@") is from whom X-Original-From or a single Reply-To names. `envelope_from` is the reverse path
    without <>: "" is the empty one, None is unknown. `trusted_hosts` are the servers, in lower case, whose mark of
    spam is believed (`spam_mark.find`).
    """
    reading = Reading(envelope_from=envelope_from, own_addresses=own_addresses, trusted_hosts=trusted_hosts, defects={})
    unsplit: tuple[Entity, tuple[str, ...]] = (_bare(content), ())
    root, defects = reading.attempt("structure", lambda: structure.split(content), unsplit)
    reading.note(*defects)
    return _assemble(reading, root, fingerprint(content, root))


def _bare(content: bytes) -> Entity:
    """Return a root without headers, whose body is all of the mail."""
    root = Entity()
    root.put(content, 0, len(content))
    return root


def _assemble(reading: Reading, root: Entity, digest: str) -> ParsedMessage:
    """Read everything that a mail says, in the order in which one thing depends on another."""
    headers = root.headers()
    subject = headers.first("subject") or ""
    body = reading.attempt("body", lambda: content.read(root, broken=bool(reading.defects)), content.NOTHING)
    reading.note(*body.defects)
    report = reading.attempt(
        "delivery report", lambda: bounce.find(root, headers, body.text, envelope_from=reading.envelope_from), None
    )
    verdict = _verdict(reading, root, body.text, report)
    forwarded = reading.attempt("forward", lambda: _forward(root, subject, body, report), None)
    newly, folds = _reply(reading, body, forwarded, report)
    who = reading.attempt(
        "sender", lambda: sender.find(headers, reading.envelope_from, reading.own_addresses), sender.NOBODY
    )
    reading.note(*who.defects)
    return ParsedMessage(
        fingerprint=digest,
        message_id=next(iter(headers.ids("message-id")), None) or _unbracketed(headers),
        in_reply_to=next(iter(headers.ids("in-reply-to")), None),
        references=headers.ids("references"),
        date=_date(reading, headers),
        subject=subject,
        sender=who.person,
        reply_to=headers.people("reply-to"),
        to=headers.people("to"),
        cc=headers.people("cc"),
        recipients=_recipients(headers),
        loop_mark=headers.first(LOOP_MARK),
        kind=verdict.kind,
        kind_reason=verdict.reason,
        auto_response_allowed=verdict.auto_response_allowed,
        spam_mark=_spam_mark(reading, root),
        text=_below(body.text, body.appendix),
        reply_text=_below(newly, body.appendix),
        folds=folds,
        html=body.html,
        attachments=body.attachments,
        forward=forwarded,
        bounce=report,
        defects=tuple(reading.defects),
    )


# ------------------------------------------------------------------ kind, forward, reply


def _verdict(reading: Reading, root: Entity, text: str, report: Bounce | None) -> automatic.Verdict:
    if report is not None:
        reason = f"It is a delivery report: {report.action.value}."
        return automatic.Verdict(kind=Kind.BOUNCE, reason=reason, auto_response_allowed=False)
    unread = automatic.Verdict(kind=Kind.NORMAL, reason="", auto_response_allowed=False)
    return reading.attempt(
        "kind",
        lambda: automatic.judge(
            root.headers(),
            envelope_from=reading.envelope_from,
            text=text,
            content_type=root.get_content_type(),
            calendar_method=automatic.calendar_method(root),
        ),
        unread,
    )


def _forward(root: Entity, subject: str, body: content.Content, report: Bounce | None) -> Forward | None:
    """Find who wrote what was forwarded: in the text, or in a mail that is attached to a forwarding subject."""
    if report is not None:
        return None
    inline = forward.find(subject, body.text)
    if inline is not None:
        return inline
    attached = content.attached_mail(root)
    return forward.from_attached(*attached) if attached else None


def _reply(
    reading: Reading, body: content.Content, forwarded: Forward | None, report: Bounce | None
) -> tuple[str, tuple[Fold, ...]]:
    """Return what the sender newly wrote, and the lines that it leaves out. A report is shown whole."""
    if report is not None:
        return body.text, ()
    whole = reply.Reply(text=body.text, folds=())
    drawn = body.structure if body.drawn or body.structure else None
    inline = forwarded is not None
    text = _without(body.text, body.encoded)
    found = reading.attempt("reply", lambda: reply.split(text, structure=drawn, forwarded=inline), whole)
    quotes = tuple(fold for fold in found.folds if fold.kind is not FoldKind.SIGNATURE)
    files = tuple(_beside(body.encoded, quotes))
    folds = _beside(found.folds, files) if files else found.folds
    return found.text, tuple(sorted((*folds, *files), key=lambda fold: fold.start))


def _without(text: str, folds: tuple[Fold, ...]) -> str:
    """Return a text with the folded lines blank."""
    if not folds:
        return text
    lines = text.split("\n")
    for fold in folds:
        lines[fold.start : fold.end] = [""] * (fold.end - fold.start)
    return "\n".join(lines)


def _beside(folds: tuple[Fold, ...], others: tuple[Fold, ...]) -> Iterator[Fold]:
    """Yield what the folds cover and the others, in order and without overlaps, do not."""
    for fold in folds:
        start = fold.start
        for other in others:
            if start < other.start < fold.end and fold.kind is not FoldKind.SIGNATURE:
                yield replace(fold, start=start, end=other.start)
            if other.start < fold.end and other.end > start:
                start = other.end
        if start < fold.end:
            yield replace(fold, start=start)


def _below(text: str, appendix: str) -> str:
    """Put what an invitation says below a text."""
    if not appendix or not text.strip():
        return appendix or text
    return f"{text.rstrip()}\n\n{appendix}"


# ------------------------------------------------------------------ headers


def _spam_mark(reading: Reading, root: Entity) -> str | None:
    fields = ((name, str(value)) for name, value in root.raw_items())
    return reading.attempt("mark of spam", lambda: spam_mark.find(fields, reading.trusted_hosts), None)


def _date(reading: Reading, headers: Headers) -> datetime | None:
    when = headers.date()
    if when is None:
        reading.note("The date cannot be read." if headers.first("date") else "There is no date.")
    return when


def _unbracketed(headers: Headers) -> str | None:
    """Return a Message-ID that is no id by the rules (RFC 5322 section 3.6.4), as it stands."""
    plain = (headers.first("message-id") or "").strip().strip("<>").strip()
    return plain[:998] or None


def _recipients(headers: Headers) -> tuple[str, ...]:
    """Return the addresses that the delivery left in the headers, lower-cased, each once."""
    found: dict[str, None] = {}
    for name in RECIPIENT_HEADERS:
        for person in headers.people(name):
            found[person.address.lower()] = None
    return tuple(found)
