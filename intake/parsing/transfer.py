"""Content-Transfer-Encoding (RFC 2045 section 6), right and wrong, and uuencode. Nothing raises, time is linear."""

from __future__ import annotations

import base64
import binascii
import quopri
import re

from intake.parsing import encoded_words

BASE64_BLOCK = re.compile(rb"[\r\n]*(?:[A-Za-z0-9+/]+[ \t]*[\r\n]+)*(?:[A-Za-z0-9+/]*={0,2}[ \t]*(?:[\r\n]+|\Z))")
WORDS = re.compile(rb"[ _-][^\r\n]*[ _-]")
SPACES = re.compile(rb"[\s\x00]+")
UU_BEGIN = re.compile(rb"(?:\A|(?<=\n))begin[ -](?:base64 )?([0-7]{3,4}) ([^\r\n]{1,255})\r?\n")
UU_BEGIN_LINE = re.compile(r"begin[ -](?:base64 )?[0-7]{3,4} \S")
UU_END = re.compile(rb"(?<=\n)end[ \t]*(?:\r?\n|\Z)")
NAMES = (("base64", "base64"), ("quoted", "quoted-printable"), ("uu", "uuencode"), ("x-uu", "uuencode"))


def name(declared: str | None) -> str:
    """Return the encoding that a header means: `7-bit`, `BASE64;` and `quoted_printable` are understood."""
    plain = (declared or "").strip().lower().strip("\"';, \t")
    for beginning, meant in NAMES:
        if plain.startswith(beginning):
            return meant
    return "" if re.match(r"(?:7|8|bin)", plain) or not plain else plain


def decode(content: bytes, declared: str | None, *, is_text: bool = False) -> tuple[bytes, str | None]:
    """Return what an encoded body holds, and a sentence on what was wrong, or None.

    Unknown encodings stay as they are. Text that a list program put below base64 stays where the body `is_text`.
    """
    meant = name(declared)
    if meant == "":
        return content, None
    if meant == "base64":
        return _base64(content, is_text)
    if meant == "quoted-printable":
        return _quoted(content), None
    if meant == "uuencode":
        files = uuencoded(content)
        return (files[0][1], None) if files else (content, "The uuencoded content could not be read.")
    return content, f"The transfer encoding {meant[:40]!r} is unknown; the content was left as it is."


def _base64(content: bytes, is_text: bool) -> tuple[bytes, str | None]:
    try:
        return base64.b64decode(content.translate(None, b"\r\n\t "), validate=True), None
    except (binascii.Error, ValueError):
        pass
    block, rest = _block_and_rest(content)
    if not _looks_like_base64(block):
        return content, "The content says that it is base64 and is not; it was left as it is."
    found = encoded_words.base64_bytes(block)
    if rest.strip():
        below = b"\n" + rest if is_text else b""
        return found + below, "Something that is no base64 follows the base64 content."
    return found, "The base64 content is damaged; what is whole was read."


def _block_and_rest(content: bytes) -> tuple[bytes, bytes]:
    """Split base64 from the text that list programs put under it: what follows the padding or a line with spaces."""
    match = BASE64_BLOCK.match(content)
    end = match.end() if match else 0
    rest = content[end:]
    return (content, b"") if not WORDS.search(rest[:2000]) else (content[:end], rest)


def _looks_like_base64(content: bytes) -> bool:
    """Say whether most of the first lines are base64; plain text with a wrong label is not."""
    sample = content[:4000]
    dense = SPACES.sub(b"", sample)
    fitting = len(encoded_words.NOT_BASE64.sub(b"", dense)) + dense.count(b"=")
    if not dense or fitting < len(dense) * 0.8 or b" " in sample[:200].strip():
        return False
    return len(dense) >= 8 or len(dense) % 4 != 1


def _quoted(content: bytes) -> bytes:
    return quopri.decodestring(content)


def uuencoded(content: bytes) -> list[tuple[str, bytes]]:
    """Return the names and contents of the uuencoded files in a text, in order."""
    found: list[tuple[str, bytes]] = []
    at = 0
    while match := UU_BEGIN.search(content, at):
        end = UU_END.search(content, match.end())
        if end is None:
            break
        at = end.end()
        lines = content[match.end() : end.start()].splitlines()
        if lines and all(_is_uu_line(line) for line in lines[:3]):
            found.append((match[2].decode("utf-8", "replace").strip(), b"".join(_uu_line(line) for line in lines)))
    return found


def _is_uu_line(line: bytes) -> bool:
    """Say whether a line is as long as its first character says."""
    if not line:
        return True
    size = (line[0] - 32) & 63
    return 32 <= line[0] <= 96 and len(line) - 1 <= (size + 2) // 3 * 4 + 2


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except (binascii.Error, ValueError):
        size = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
    try:
        return binascii.a2b_uu(line[:size])
    except (binascii.Error, ValueError):
        return b""
