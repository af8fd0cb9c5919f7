"""Header fields written so that nothing in a value can become a header of its own (RFC 5322, 2047, 2231, 6532)."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from intake.types import Person
from shared.addresses import is_address

LINE = 76  # characters; RFC 5322 section 2.1.1 wants at most 78
LONGEST_ID = 900  # a line has at most 998 characters, and an id is never broken
MAX_REFERENCES = 51  # the first, which makes the thread, and the newest
WORD_BYTES = 42  # of UTF-8 in one encoded word, which has at most 75 characters
PIECE = 55  # characters of one piece of a parameter

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_MESSAGE_ID = re.compile(r"[!-;=?-~]+")  # printable ASCII without <>
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_SAFE_NAME = re.compile(r"[A-Za-z0-9 !#$&'()+,.=@^_`{}~-]{1,60}")
COMPOSITE = ("message", "multipart")


def clean(value: str) -> str:
    """One line without control characters: runs of white space become one space, and none is at the ends."""
    if value.isascii() and value.isprintable():
        return " ".join(value.split())
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in value)
    return " ".join(spaced.encode("utf-8", "replace").decode().split())


def field(name: str, value: str) -> bytes:
    """A field whose value is ASCII and clean already, folded at its spaces."""
    return _folded(name, value.split(" "))


def text_field(name: str, value: str) -> bytes:
    """An unstructured field (Subject) of any text."""
    value = clean(value)
    return _folded(name, value.split(" ") if _is_plain(value) else list(_encoded_words(value)))


def people_field(name: str, people: Sequence[Person]) -> bytes:
    """An address field; an address outside of ASCII stands in UTF-8 (RFC 6532 section 3.2)."""
    words: list[str] = []
    for number, person in enumerate(people, 1):
        comma = "," if number < len(people) else ""
        words.extend(_phrase(clean(person.name)))
        words.append((f"<{person.address}>" if clean(person.name) else person.address) + comma)
    return _folded(name, words)


def ids_field(name: str, message_ids: Iterable[str]) -> bytes:
    """Message-IDs, each in <> and in one piece; what is none is left out, "" where nothing is left.

    Of a long thread the first and the newest stay (RFC 5322 section 3.6.4 allows to leave some out).
    """
    whole = list(dict.fromkeys(i for i in message_ids if len(i) <= LONGEST_ID and _MESSAGE_ID.fullmatch(i)))
    kept = whole[:1] + whole[1:][-(MAX_REFERENCES - 1) :]
    return _folded(name, [f"<{i}>" for i in kept]) if kept else b""


def content_type(value: str) -> str:
    """The media type as it may be said of an attachment in base64; application/octet-stream where it may not."""
    value = value.strip().lower()
    is_fit = _TYPE.fullmatch(value) and value.partition("/")[0] not in COMPOSITE
    return value if is_fit else "application/octet-stream"


def file_fields(filename: str, media_type: str) -> bytes:
    """The header of an attachment in base64, with its name in pieces where it is long (RFC 2231)."""
    name = clean(filename)
    parameters = _parameter("filename", name)
    return (
        field("Content-Type", content_type(media_type))
        + b"Content-Disposition: attachment"
        + b"".join(b";\r\n " + parameter for parameter in parameters)
        + b"\r\nContent-Transfer-Encoding: base64\r\n"
    )


def portable(address: str) -> str | None:
    """The address as it goes into a mail, its domain in ASCII (IDNA); None where it is no address to write to."""
    if not is_address(address) or clean(address) != address:
        return None
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"
    except UnicodeError:
        return None


def _is_plain(value: str) -> bool:
    return value.isascii() and "=?" not in value and all(len(word) < LINE for word in value.split(" "))


def _phrase(name: str) -> list[str]:
    if not name:
        return []
    if not _is_plain(name):
        return list(_encoded_words(name))
    if _ATOMS.fullmatch(name):
        return name.split(" ")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.split(" ")


def _encoded_words(value: str) -> Iterator[str]:
    """UTF-8 in base64, no character torn apart (RFC 2047 section 5)."""
    piece = b""
    for character in value:
        letters = character.encode()
        if len(piece) + len(letters) > WORD_BYTES:
            yield _encoded_word(piece)
            piece = b""
        piece += letters
    if piece:
        yield _encoded_word(piece)


def _encoded_word(piece: bytes) -> str:
    return f"=?utf-8?b?{b64encode(piece).decode()}?="


def _folded(name: str, words: Sequence[str]) -> bytes:
    lines, line = [], f"{name}:"
    for number, word in enumerate(words):
        if number and len(line) + 1 + len(word) > LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line, ""]).encode()


def _parameter(name: str, value: str) -> list[bytes]:
    if _SAFE_NAME.fullmatch(value):
        return [f'{name}="{value}"'.encode()]
    pieces = list(_percent_pieces(value))
    if len(pieces) == 1:
        return [f"{name}*=utf-8''{pieces[0]}".encode()]
    pieces[0] = f"utf-8''{pieces[0]}"
    return [f"{name}*{number}*={piece}".encode() for number, piece in enumerate(pieces)]


def _percent_pieces(value: str) -> Iterator[str]:
    piece = ""
    for character in value:
        letters = quote(character, safe="")
        if len(piece) + len(letters) > PIECE:
            yield piece
            piece = ""
        piece += letters
    yield piece
