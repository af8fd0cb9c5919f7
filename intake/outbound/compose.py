"""A letter becomes a mail: headers that thread in every mail client, text and HTML, and the files of a reply.

Pure: the same letter gives the same bytes, so that a mail that goes again is recognisable as the same one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from intake.outbound import bodies, headerfields, wording
from intake.outbound.letter import AccountMail, Acknowledgement, Letter, Notice, Reply, StatusNotice
from intake.types import Person
from shared.addresses import with_plus

MAX_LOCAL = 64  # octets; RFC 5321 section 4.5.3.1.1
TEMPLATES = Path(__file__).with_name("templates")
NAMES: Mapping[type, str] = {
    Acknowledgement: "acknowledgement",
    Reply: "reply",
    StatusNotice: "status",
    AccountMail: "account",
    Notice: "notice",
}
AUTO_SUBMITTED: Mapping[type, str] = {  # RFC 3834 section 5
    Acknowledgement: "auto-replied",
    StatusNotice: "auto-generated",
    AccountMail: "auto-generated",
    Notice: "auto-generated",
}

_OWN_TAG = re.compile(r"\[#[0-9]{1,18}\]\s?")
_ANSWER = re.compile(r"(?i)(?:re|aw|sv|vs|antw|odp|ynt|r|回复|答复)\s{0,3}:\s?")
_URL = re.compile(r"https?://[^\s<>\"']{1,2000}[^\s<>\"'.,;:!?)\]]")
_BLANK = Markup('<td height="5" style="height:5px;font-size:0;line-height:0;">&nbsp;</td>\n')
_CELL = Markup(
    '<td height="5" bgcolor="{0}" style="background:{0};height:5px;font-size:0;line-height:0;">&nbsp;</td>\n'
)
_EDGE = (_CELL.format("#b8281b") + _BLANK + _CELL.format("#23489b") + _BLANK) * 9  # an airmail letter's
_LINK = Markup('<a class="link" href="{}" style="color:#23489b;">{}</a>')


class CannotComposeError(ValueError):
    """A letter cannot become a mail. The message is one sentence for the person who wrote it."""


def compose(letter: Letter) -> bytes:
    """The mail, with CRLF line ends, ASCII but for addresses that are not. Raises CannotComposeError."""
    if headerfields.portable(letter.recipient.address) is None:
        raise CannotComposeError(f"“{headerfields.clean(letter.recipient.address)}” is no address that mail can go to.")
    facts = _facts(letter)
    text = bodies.text_part("plain", _render(letter, "txt", facts))
    html = bodies.text_part("html", _render(letter, "html", facts))
    mark = hashlib.sha256(letter.message_id.encode()).hexdigest()[:24]
    body = bodies.multipart("alternative", f"=_text_{mark}", (text, html))
    if isinstance(letter.content, Reply) and letter.content.files:
        files = (bodies.file_part(file) for file in letter.content.files)
        body = bodies.multipart("mixed", f"=_all_{mark}", (body, *files))
    return _header(letter) + body


def plus_address(address: str, suffix: str) -> str | None:
    """The plus-address that carries the suffix; None where its local part would be too long for SMTP."""
    whole = with_plus(address, suffix)
    return whole if len(whole.rpartition("@")[0].encode()) <= MAX_LOCAL else None


def subject_of(letter: Letter) -> str:
    """The subject: with the ticket's tag once, and one `Re:` on replies, whatever the ticket's subject holds."""
    if isinstance(letter.content, AccountMail):
        return f"{wording.ACCOUNTS[letter.content.template].subject}: {headerfields.clean(letter.sender.name)}"
    if isinstance(letter.content, Notice):
        return headerfields.clean(f"{letter.sender.name}: {letter.content.headline}")
    if letter.thread is None:
        raise CannotComposeError("The mail belongs to no ticket.")
    bare = _bare_subject(letter.thread.subject)
    match letter.content:
        case Reply():
            return f"Re: [#{letter.thread.number}] {bare}".rstrip()
        case StatusNotice():
            label = wording.status_words(letter.content).label
            return f"[#{letter.thread.number}] {label}: {bare}".rstrip()
        case _:
            return f"[#{letter.thread.number}] {bare}".rstrip()


def _bare_subject(subject: str) -> str:
    rest = _OWN_TAG.sub("", headerfields.clean(subject))
    while answer := _ANSWER.match(rest):
        rest = rest[answer.end() :]
    return rest.strip()


def _header(letter: Letter) -> bytes:
    thread = letter.thread
    fields = [
        headerfields.people_field("From", _portable(letter.sender)),
        headerfields.people_field("To", _portable(*letter.to)) if letter.to else b"",
        headerfields.people_field("Cc", _portable(*letter.cc)) if letter.cc else b"",
        headerfields.people_field("Reply-To", _reply_to(letter)) if letter.reply_to else b"",
        headerfields.text_field("Subject", subject_of(letter)),
        headerfields.field("Date", format_datetime(letter.written_at)),
        headerfields.ids_field("Message-ID", [letter.message_id]),
        headerfields.ids_field("In-Reply-To", [thread.answers] if thread and thread.answers else []),
        headerfields.ids_field("References", thread.message_ids if thread else []),
        _automatic_fields(letter),
        headerfields.field("X-Letterdesk-Loop", letter.loop_mark),
        b"MIME-Version: 1.0\r\n",
    ]
    return b"".join(fields)


def _automatic_fields(letter: Letter) -> bytes:
    submitted = AUTO_SUBMITTED.get(type(letter.content))
    if submitted is None:
        return b""
    return headerfields.field("Auto-Submitted", submitted) + headerfields.field("X-Auto-Response-Suppress", "All")


def _portable(*people: Person) -> list[Person]:
    """The people whose addresses can stand in a header, each with its domain in ASCII."""
    written = ((headerfields.portable(person.address), person.name) for person in people)
    return [Person(address=address, name=name) for address, name in written if address is not None]


def _reply_to(letter: Letter) -> list[Person]:
    return _portable(Person(address=letter.reply_to or "", name=letter.sender.name))


def _facts(letter: Letter) -> dict[str, Any]:
    """What the templates of this letter say: clean lines and texts, nothing as it came from outside."""
    thread = letter.thread
    facts: dict[str, Any] = {
        "subject": subject_of(letter),
        "desk": headerfields.clean(letter.sender.name) or letter.sender.address,
        "address": letter.sender.address,
        "greeting": wording.greeting(letter.recipient.name),
        "number": thread.number if thread else None,
        "link": f"{letter.portal_url}/tickets/{thread.number}" if thread else letter.portal_url,
    }
    match letter.content:
        case Acknowledgement(written_at=when):
            return facts | {"written_at": wording.moment(when), "preview": "We have your letter. A person will answer."}
        case StatusNotice():
            words = wording.status_words(letter.content)
            actor = headerfields.clean(letter.content.actor)
            return facts | {"words": words, "actor": actor, "preview": f"{words.headline} {words.meaning}".strip()}
        case AccountMail():
            return facts | _account_facts(letter, letter.content)
        case Notice():
            return facts | _notice_facts(letter, letter.content)
        case Reply():
            return facts | _reply_facts(letter, letter.content)


def _account_facts(letter: Letter, content: AccountMail) -> dict[str, Any]:
    words = wording.ACCOUNTS[content.template]
    return {
        "words": words,
        "link": f"{letter.portal_url}{words.path}{content.token}",
        "expires_at": wording.moment(content.expires_at) if content.token and content.expires_at else "",
        "preview": words.headline,
    }


def _notice_facts(letter: Letter, content: Notice) -> dict[str, Any]:
    return {
        "headline": headerfields.clean(content.headline),
        "sentences": [headerfields.clean(sentence) for sentence in content.sentences],
        "link": f"{letter.portal_url}{content.path}",
        "preview": headerfields.clean(content.sentences[0]) if content.sentences else "",
    }


def _reply_facts(letter: Letter, content: Reply) -> dict[str, Any]:
    text = bodies.clean(content.text).strip("\n")
    quote = content.quote
    return {
        "text": text,
        "paragraphs": [part for part in re.split(r"\n[ \t]*\n+", text) if part.strip()],
        "files": [wording.listed(file) for file in content.files],
        "quoted": wording.quoted(quote) if quote else [],
        "attribution": wording.attribution(quote) if quote else "",
        "copies": _copies(letter),
        "preview": wording.preview(text),
    }


def _copies(letter: Letter) -> str:
    """`To Anna Kowalczyk, cc Piotr Nowak.`; nothing where there is one reader only."""
    to = ", ".join(headerfields.clean(person.name or person.address) for person in letter.to)
    cc = ", ".join(headerfields.clean(person.name or person.address) for person in letter.cc)
    if not cc:
        return ""
    return f"To {to}, cc {cc}." if to else f"Cc {cc}."


def _render(letter: Letter, ending: str, facts: dict[str, Any]) -> str:
    return _templates().get_template(f"{NAMES[type(letter.content)]}.{ending}").render(facts)


@cache
def _templates() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals["edge"] = _EDGE
    environment.filters["wrapped"] = wording.wrapped
    environment.filters["lines"] = _html_lines
    return environment


def _html_lines(text: str) -> Markup:
    """Text as HTML: its lines, its web addresses as links, everything else escaped."""
    made = Markup()
    end = 0
    for found in _URL.finditer(text):
        made += _with_breaks(text[end : found.start()]) + _LINK.format(found[0], found[0])
        end = found.end()
    return made + _with_breaks(text[end:])


def _with_breaks(text: str) -> Markup:
    return Markup("<br>\n").join(text.split("\n"))
