"""Which charset undeclared bytes are in, judged on a sample by how well the text reads. Linear in the sample.

Wrongly decoded text gives itself away: signs within words, capitals within words, letters of two scripts in one
word. The charset with the fewest of these is taken; the order of the table decides between equals.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from charset_normalizer import from_bytes

from intake.parsing.limits import CHARSET_SAMPLE

LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
OTHERS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "iso8859_5", "cp866")
EAST_ASIAN = frozenset(
    ("gb18030", "gb2312", "gbk", "big5", "big5hkscs", "cp950", "cp949", "euc_kr", "johab", "cp932", "shift_jis",
     "shift_jis_2004", "shift_jisx0213", "euc_jp", "euc_jis_2004", "euc_jisx0213", "hz", "iso2022_jp", "iso2022_kr")
)  # fmt: skip
SCORED = 4000
SHORTEST = 8
BELIEVABLE = 0.15
ASCII = frozenset(map(chr, range(128)))
QUOTES = "\u2019\u2018\xad\xb7\u2013\u2026"
ASCII_LINE = re.compile(rb"[\x00-\x7f]*\Z")


def guess(content: bytes) -> str:
    """Return the name of the likeliest codec for bytes that are neither ASCII nor UTF-8."""
    lines = content[:CHARSET_SAMPLE].splitlines()
    sample = b"\n".join(line for line in lines if not ASCII_LINE.match(line))
    name, badness = min(((name, _badness(sample, name)) for name in (*LATIN, *OTHERS)), key=lambda found: found[1])
    if badness <= BELIEVABLE / 5 or len(sample) < SHORTEST:
        return name
    eastern = _east_asian(sample)
    return eastern if eastern is not None else name


def _east_asian(sample: bytes) -> str | None:
    """Ask charset-normalizer about the charsets of several bytes a character, which it knows well."""
    for match in from_bytes(sample, cp_isolation=sorted(EAST_ASIAN)):
        if match.encoding in EAST_ASIAN and _strangeness(str(match)) <= BELIEVABLE:
            return match.encoding
    return None


def _badness(sample: bytes, name: str) -> float:
    """Return the share of characters beyond ASCII that cannot be right in a charset of one byte a character."""
    text = sample[:SCORED].decode(name, "replace")
    strange = beyond = run = 0
    for before, char, after in _triples(text):
        if char < "\x80":
            run = 0
            continue
        beyond += 1
        run += char.isalpha()
        strange += _is_strange(before, char, after)
        strange += run >= 3 if name in LATIN else _is_mixed(before, char, after)
    return strange / max(beyond, 1) + _unlikely(text, name)


def _unlikely(text: str, name: str) -> float:
    """Return more for a reading that another language explains better: letters that do not go together."""
    letters = set(text.lower()) - ASCII
    if name in ("cp1252", "cp1250"):
        turkish = letters & set("ðþýţ") and not letters & set("áéíóúæ")
        hungarian = letters & set("õû") and letters & set("öü") and letters & set("áéíó") and not letters & set("äãç")
        czech = "ø" in letters and letters & set("šžý") and not letters & set("æå")
        return BELIEVABLE if turkish or hungarian or czech else 0.0
    if name in ("cp1251", "koi8_r") and len(letters) >= SHORTEST:
        hebrew = text.lower() == text and not letters & set("ыьэюя")
        return BELIEVABLE if hebrew or text.upper() == text else 0.0
    if name == "cp1253" and len(letters) >= SHORTEST:
        return 0.0 if letters & set("άέήίόύώ") else BELIEVABLE
    if name == "cp874":
        marks = sum(unicodedata.category(char) == "Mn" for char in text)
        return 0.0 if marks * 8 >= sum(char >= "\x80" for char in text) else BELIEVABLE
    return 0.0


def _strangeness(text: str) -> float:
    """Return the share of characters beyond ASCII that no East Asian text has."""
    found = [char for char in text[:SCORED] if char >= "\x80"]
    strange = sum(char == "\ufffd" or "\ue000" <= char <= "\uf8ff" or "\uff61" <= char <= "\uff9f" for char in found)
    return strange / max(len(found), 1)


def _triples(text: str) -> Iterator[tuple[str, str, str]]:
    return zip(" " + text[:-1], text, text[1:] + " ", strict=True)


def _is_strange(before: str, char: str, after: str) -> bool:
    """Say whether a character is none of text, or stands where it cannot."""
    kind = unicodedata.category(char)
    if char == "\ufffd" or kind in ("Cc", "Co", "Cn") or (kind == "So" and char not in "°©®™№"):
        return True
    if char.isalpha():
        return char.isupper() and before.islower()
    if kind == "Mn":
        return not before.isalpha() and unicodedata.category(before) != "Mn"
    return (_is_glued(before) and _is_glued(after) and char not in QUOTES) or (kind == "Nd" and before.isalpha())


def _is_glued(neighbour: str) -> bool:
    """Say whether a sign should not stand beside this character: a letter, or a strange sign."""
    return neighbour.isalpha() or (neighbour >= "\x80" and unicodedata.category(neighbour)[0] in "SN")


def _is_mixed(before: str, char: str, after: str) -> bool:
    """Say whether a letter of another script stands beside a Latin one."""
    beside = before if before.isascii() and before.isalpha() else after
    return char.isalpha() and beside.isascii() and beside.isalpha()
