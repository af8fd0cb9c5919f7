"""The mail that somebody forwarded, inline or attached: who wrote it, its subject, date and text.

A forward is known by its mark ("Forwarded message"), or by header lines or an attribution when the subject
says so ("Fw:", "WG:", "TR:"): a reply has the same lines below it. Linear time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from intake.parsing import attribution, forward_marks, headerblock
from intake.parsing.blocks import MAX_LINES
from intake.parsing.field_words import WORDS, Field
from intake.parsing.forward_words import ANSWERED_ABOVE, REPLIES, SUBJECTS
from intake.parsing.headers import Headers
from intake.parsing.textlines import bare, clean, is_quoted, unquoted
from intake.types import Forward, Person

MAX_SUBJECT = 500
_FORWARDS = frozenset(prefix.casefold() for prefix in SUBJECTS)
_REPLIES = frozenset(prefix.casefold() for prefix in REPLIES)
_PREFIX = re.compile(r"\W{0,3}([^\s:：\[\]][^:：\[\]]{0,20}?)\s?(?:\[\d{1,3}\])?[:：]")
_BRACKET = re.compile(r"\s*\[(?:fwd|fw)\s?:", re.IGNORECASE)


def find(subject: str, text: str) -> Forward | None:
    """Return the mail that is forwarded inline in `text`, or None. Never raises.

    `subject` is the forwarding mail's own. The forwarded text is without its quote marks.
    """
    return _Finder(subject, text.split("\n")).run()


def from_attached(headers: Headers, text: str) -> Forward:
    """Return what the header of an attached mail (message/rfc822) and its text say."""
    people = headers.people("From")
    sender = people[0] if people else Person(address="")
    return Forward(
        from_address=sender.address or None,
        from_name=sender.name,
        subject=headers.first("Subject") or "",
        date=headers.first("Date"),
        text=text,
    )


def is_forward_subject(subject: str) -> bool:
    """Whether the first prefix of a subject says "forwarded"."""
    if _BRACKET.match(subject[:20]):
        return True
    return _first_prefix(subject) in _FORWARDS


def is_reply_subject(subject: str) -> bool:
    """Whether the first prefix of a subject says "answered"."""
    return _first_prefix(subject) in _REPLIES


def without_prefix(subject: str) -> str:
    """The subject behind its first prefix, where that says "forwarded"."""
    if _first_prefix(subject) not in _FORWARDS:
        return subject
    head, mark, rest = subject.partition(":")
    return (rest if mark else head.partition("：")[2]).strip()


def _first_prefix(subject: str) -> str:
    """The first word with a colon; a ticket's tag in brackets before it does not count."""
    subject = clean(subject)[:MAX_SUBJECT]
    while subject.startswith("[") and "]" in subject:
        subject = subject.partition("]")[2].lstrip()
    match = _PREFIX.match(subject)
    return match.group(1).casefold().strip(" .").replace("i̇", "i") if match else ""


class _Finder:
    """Looks from the top for the first line that decides."""

    def __init__(self, subject: str, lines: Sequence[str]) -> None:
        self.lines = lines
        self.subject = subject
        self.forwarded = is_forward_subject(subject)
        self.answered = is_reply_subject(subject)
        self.nothing_above = True

    def run(self) -> Forward | None:
        for at, line in enumerate(self.lines[:MAX_LINES]):
            if not line.strip():
                continue
            if is_quoted(line) and at > 0 and is_quoted(self.lines[at - 1]):
                continue
            decided, found = self._look(at)
            if decided:
                return found
            self.nothing_above = self.nothing_above and not clean(line)
        return None

    def _look(self, at: int) -> tuple[bool, Forward | None]:
        """Whether line `at` decides, and the forward when there is one."""
        after = forward_marks.forward_at(self.lines, at)
        if after is not None:
            return True, (_in_one_line(after, self.lines, at) if after else None) or self._marked(at)
        if self._is_header(at):
            if self.forwarded or (self.nothing_above and not self.answered):
                return True, self._marked(at, required=True)
            return True, None
        taken = attribution.lines_at(self.lines, at)
        if taken:
            return True, self._attributed(at, taken)
        return False, None

    def _is_header(self, at: int) -> bool:
        if forward_marks.is_original(bare(self.lines[at])):
            return True
        header = headerblock.read(self.lines, at)
        if header is None or not header.convincing:
            return False
        first = bare(self.lines[at]).casefold()
        if first.startswith(ANSWERED_ABOVE.get(_first_prefix(self.subject), "\0")):
            self.forwarded, self.answered = False, True
        return True

    def _marked(self, at: int, *, required: bool = False) -> Forward | None:
        """Read the header lines at a mark or a few lines below it."""
        for start in range(at, min(len(self.lines), at + 5)):
            header = headerblock.read(self.lines, start)
            if header is not None and Field.FROM in header.values:
                return self._from_header(header)
        for start in range(at + 1, min(len(self.lines), at + 5)):
            taken = attribution.lines_at(self.lines, start)
            if taken:
                return self._from_attribution(start, taken)
        if required:
            return None
        return Forward(from_address=None, from_name="", subject="", date=None, text=_plain(self.lines[at + 1 :]))

    def _from_header(self, header: headerblock.HeaderBlock) -> Forward:
        values = header.values
        value = values[Field.FROM]
        sender = headerblock.person(value)
        return Forward(
            from_address=sender.address if sender else None,
            from_name=sender.name if sender else headerblock.plain_name(value),
            subject=values.get(Field.SUBJECT, ""),
            date=values.get(Field.DATE) or None,
            text=_plain(self.lines[header.end :]),
        )

    def _attributed(self, at: int, taken: int) -> Forward | None:
        """Take "On … Anna wrote:" for a forward when the subject says so and no quote marks follow."""
        below = next((line for line in self.lines[at + taken : at + taken + 8] if clean(line)), ">")
        if not self.forwarded or is_quoted(below) or is_quoted(self.lines[at]):
            return None
        return self._from_attribution(at, taken)

    def _from_attribution(self, at: int, taken: int) -> Forward | None:
        words = " ".join(bare(line) for line in self.lines[at : at + taken])
        sender = attribution.author(words)
        if sender is None:
            return None
        return Forward(
            from_address=sender.address,
            from_name=sender.name,
            subject=without_prefix(self.subject),
            date=None,
            text=_plain(self.lines[at + taken :]),
        )


def _plain(lines: Sequence[str]) -> str:
    """Lines without the quote marks of the first level, when they begin with such."""
    first = next((line for line in lines if clean(line)), "")
    if is_quoted(first):
        lines = [unquoted(line) for line in lines]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _label(field: Field, end: str) -> re.Pattern[str]:
    labels = sorted((label for label in WORDS[field] if len(label) > 1), key=len, reverse=True)
    return re.compile("(?:" + "|".join(map(re.escape, labels)) + ")" + end)


_FIND: dict[Field, tuple[re.Pattern[str], ...]] = {
    field: (_label(field, r"\s?[:：]\s?"), _label(field, r"\s")) for field in (Field.SUBJECT, Field.DATE)
}


def _in_one_line(words: str, lines: Sequence[str], at: int) -> Forward | None:
    """Yahoo's plain text has all header lines in one, without anything between them."""
    first = re.match(r"([^:：]{1,40}?)\s?[:：]\s?", words)
    if first is None or headerblock.field_of(words[: first.end()] + "x") is None:
        return None
    line = lines[at].strip()
    line = line[line.find(words[:40]) :][first.end() :][:4000]
    sender = headerblock.person(line)
    behind = line.partition(">")[2] if sender else line
    subject, before = _value(Field.SUBJECT, behind)
    date, _ = _value(Field.DATE, before)
    return Forward(
        from_address=sender.address if sender else None,
        from_name=sender.name if sender else "",
        subject=subject.strip(),
        date=date.strip() or None,
        text=_plain(lines[at + 1 :]),
    )


def _value(field: Field, text: str) -> tuple[str, str]:
    """What stands behind a label within a line, and what before it."""
    for pattern in _FIND[field]:
        match = pattern.search(text)
        if match is not None:
            return text[match.end() :], text[: match.start()]
    return "", text
