"""Header values to text: raw 8-bit, encoded words (RFC 2047) right and wrong, control characters.

Values come as the standard library keeps them: bytes beyond ASCII as surrogates.
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from intake.parsing import charset

# "?" inside the text is against the rules and common in Q words; the counts bound the time of a match.
WORD = re.compile(
    r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*(?:(?<!=)\?(?!=)[^?]{0,200}){0,8})\?=(?!\S{0,1}=[0-9A-F])"
    r"|=\?([^?\s]{1,80})\?([bBqQ])\?([^?\s]{1,2000})\Z"
)
FOLD = re.compile(r"[ \t]*[\r\n]+[ \t]*")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
PADDING = re.compile(rb"=+")
QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
MAX_PIECES = 10_000
MAX_NESTING = 2


def decode(value: str, hint: str | None = None) -> str:
    """Return a header's value as one line of text, without NUL, CR and LF.

    `hint` is a charset to try for raw 8-bit text that is not UTF-8. Linear in the length.
    """
    if "\n" in value or "\r" in value:
        value = FOLD.sub(" ", value)
    text = raw_text(value, hint)
    for _ in range(MAX_NESTING):
        if "=?" not in text:
            break
        text = words(text)
    if "\n" in text or "\r" in text:
        text = FOLD.sub(" ", text)
    return CONTROL.sub("", text).strip()


def raw_text(value: str, hint: str | None = None) -> str:
    """Return a value with its raw bytes beyond ASCII (and raw ISO-2022-JP) read as text."""
    if value.isascii():
        return charset.decode(value.encode("ascii"))[0] if "\x1b" in value else value
    try:
        content = value.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8") if _has_surrogates(value) else value
    return _raw_bytes(content, hint)


def _has_surrogates(value: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in value)


def _raw_bytes(content: bytes, hint: str | None) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if hint and charset.codec(hint) not in (None, "utf-8"):
        return charset.decode(content, hint)[0]
    lenient = content.decode("utf-8", "replace")
    if lenient.count("\ufffd") * 4 <= sum(char > "\x7f" for char in lenient):
        return lenient
    return charset.decode(content, "iso-8859-1")[0]


def words(text: str) -> str:
    """Replace the encoded words of a text. Neighbours of one charset are joined before they are decoded."""
    out: list[str] = []
    pending: list[bytes] = []
    pending_charset = ""
    end = 0
    for match in WORD.finditer(text):
        between = text[end : match.start()]
        name, encoding, body = (match[1], match[2], match[3]) if match[1] else (match[4], match[5], match[6])
        name = name.partition("*")[0].lower()
        neighbours = bool(pending) and not between.strip()
        if not (neighbours and name == pending_charset):
            _flush(out, pending, pending_charset)
        if not neighbours:
            out.append(between)
        pending.append(_unpack(body, encoding))
        pending_charset = name
        end = match.end()
    _flush(out, pending, pending_charset)
    out.append(text[end:])
    return "".join(out)


def _flush(out: list[str], pending: list[bytes], name: str) -> None:
    if pending:
        out.append(_join(pending, name))
        pending.clear()


def _join(pieces: list[bytes], name: str) -> str:
    """Decode words together (characters may be split between them), or each alone where it has shift states."""
    whole = b"".join(pieces)
    if len(pieces) > 1 and (charset.codec(name) or "").startswith(("iso2022", "hz", "utf-16", "utf-7")):
        return "".join(charset.decode(piece, name)[0] for piece in pieces)
    return charset.decode(whole, name)[0]


def _unpack(body: str, encoding: str) -> bytes:
    content = body.encode("utf-8", "replace")
    if encoding in "bB":
        return base64_bytes(content)
    return QUOTED.sub(lambda match: bytes((int(match[1], 16),)), content.replace(b"_", b" "))


def base64_bytes(content: bytes) -> bytes:
    """Return what base64 text holds, as far as it goes: padding inside, missing padding and strange bytes are met."""
    pieces = [NOT_BASE64.sub(b"", piece) for piece in PADDING.split(content, MAX_PIECES)]
    return b"".join(_base64_piece(piece) for piece in pieces if piece)


def _base64_piece(piece: bytes) -> bytes:
    if len(piece) % 4 == 1:
        piece = piece[:-1]
    try:
        return base64.b64decode(piece + b"=" * (-len(piece) % 4))
    except (binascii.Error, ValueError):
        return b""


def extended(value: str, fallback: str | None = None) -> str:
    """Return an RFC 2231 extended value (`charset'language'percent-encoded`) as text."""
    name, quote, rest = value.partition("'")
    if quote and "'" in rest and len(name) < 60:
        rest = rest.partition("'")[2]
    else:
        name, rest = fallback or "", value
    content = unquote_to_bytes(rest.encode("ascii", "surrogateescape") if not _foreign(rest) else rest)
    return charset.decode(content, name or None)[0]


def _foreign(value: str) -> bool:
    return any(char > "\x7f" and not "\udc80" <= char <= "\udcff" for char in value)
