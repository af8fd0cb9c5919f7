"""Bytes to text: the declared charset, then UTF-8, then detection. Nothing here raises or loses a byte silently."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache

from intake.parsing import detection
from intake.parsing.limits import CHARSET_SAMPLE

# What mail programs write, and what they mean: the superset of each family, as browsers read it
# (WHATWG Encoding Standard), so that "ISO-8859-1" with smart quotes and "gb2312" with rare names are read.
ALIASES = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "ansi": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso88591": "cp1252",
    "8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "windows-1252": "cp1252",
    "cp-1252": "cp1252",
    "x-ansi": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "tis-620": "cp874",
    "tis620": "cp874",
    "dos-874": "cp874",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "ms936": "gb18030",
    "windows-936": "gb18030",
    "csgb2312": "gb18030",
    "euc-cn": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "x-x-big5": "cp950",
    "cn-big5": "cp950",
    "windows-950": "cp950",
    "big5-hkscs": "big5hkscs",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "euc-kr": "cp949",
    "windows-949": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "cp932": "cp932",
    "eucjp": "euc_jp",
    "x-euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "koi8-ru": "koi8_u",
    "cp-1251": "cp1251",
    "win-1251": "cp1251",
    "win1251": "cp1251",
    "windows-1251": "cp1251",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ce": "mac_latin2",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "cp65001": "utf-8",
    "utf-8n": "utf-8",
    "utf-16": "utf-16",
    "unicode": "utf-16",
}
UNDECLARED = frozenset({"", "unknown-8bit", "x-unknown", "unknown", "default", "default_charset", "binary", "8bit",
                        "none", "undefined", "x-user-defined", "user-defined", "_autodetect", "auto"})  # fmt: skip
NO_CHARSETS = frozenset({"undefined", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})
TRIM = re.compile(r"""^[\s"'<=;:]+|[\s"'>;:,.]+$""")
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ASCII = re.compile(rb"[\x00-\x7f]*\Z")
ESCAPED = re.compile(rb"\x1b[$(]")
SURROGATE = re.compile("[\ud800-\udfff]")
C1 = {code: bytes([code]).decode("cp1252", "replace").replace("\ufffd", chr(code)) for code in range(0x80, 0xA0)}


@lru_cache(maxsize=512)
def codec(name: str) -> str | None:
    """Return Python's name for a charset that a mail declares; None where there is no such text codec."""
    plain = TRIM.sub("", name.lower())[:60]
    known = ALIASES.get(plain) or ALIASES.get(plain.replace("_", "-"))
    if known:
        return known
    for guess in _spellings(plain):
        try:
            found = codecs.lookup(guess)
        except (LookupError, ValueError, UnicodeError):
            continue
        if getattr(found, "_is_text_encoding", True) and found.name not in NO_CHARSETS:
            return ALIASES.get(found.name, found.name)
    return None


def _spellings(name: str) -> Iterator[str]:
    """Yield a declared name as it stands and without the decoration that programs add to it."""
    yield name
    yield name.replace(" ", "-")
    if name.startswith("x-"):
        yield name[2:]
    if name.startswith("charset="):
        yield name[8:].strip("\"' ")
    match = re.search(r"(?:windows|win|cp|ms)[-_ ]?(\d{3,4})", name)
    if match:
        yield "cp" + match[1]
    match = re.search(r"(?:iso[-_ ]?)?8859[-_ ]?(\d{1,2})", name)
    if match:
        yield "iso8859-" + match[1]
    if "utf" in name and "8" in name:
        yield "utf-8"


def decode(content: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """Return the text of bytes, and a sentence on what was wrong, or None.

    The declared charset counts where the bytes are right in it; a declaration of a single-byte charset
    counts less than valid UTF-8, because random text is never valid UTF-8. Linear in the size.
    """
    name = declared or ""
    if TRIM.sub("", name.lower()) in UNDECLARED:
        return _undeclared(content)
    found = codec(name)
    if found is None:
        text, _ = _undeclared(content)
        return text, f"The charset {name[:40]!r} is unknown; it was detected."
    return _declared(content, found, name)


def _declared(content: bytes, found: str, name: str) -> tuple[str, str | None]:
    if found in ("cp1252", "cp1254") and not ASCII.match(content):
        text = _strict(content, "utf-8-sig")
        if text is not None and not _is_ascii_name(name):
            return text, f"The text is UTF-8 although it says {name[:40]!r}."
        if _is_ascii_name(name):
            return _undeclared(content)[0], "The text has 8-bit characters although it says US-ASCII."
        return _western(content, found), None
    text = _strict(content, _without_mark(content, found))
    if text is not None:
        if found == "cp1252" and ESCAPED.search(content):
            return _undeclared(content)
        return text, None
    return _wrongly_declared(content, found, name)


def _wrongly_declared(content: bytes, found: str, name: str) -> tuple[str, str | None]:
    """Read bytes that are not valid in their charset: a few bad ones, or another charset altogether."""
    text = _strict(content, "utf-8-sig")
    if text is not None:
        return text, f"The text is UTF-8 although it says {name[:40]!r}."
    text = _lenient(content, found)
    bad = text.count("\ufffd")
    if bad * 20 <= sum(1 for char in text[:CHARSET_SAMPLE] if char > "\x7f") or found.startswith(("iso2022", "utf-16")):
        return text, f"Some bytes are not valid {name[:40]}; they are shown as \ufffd."
    return _detected(content), f"The text is not {name[:40]}; its charset was detected."


def _undeclared(content: bytes) -> tuple[str, str | None]:
    if ASCII.match(content):
        if ESCAPED.search(content):
            return _lenient(content, "iso2022_jp_ext"), None
        return content.decode("ascii"), None
    for mark, name in BOMS:
        if content.startswith(mark):
            return _lenient(content, name), None
    text = _strict(content, "utf-8")
    if text is not None:
        return text, None
    return _detected(content), "No charset is declared; it was detected."


def _detected(content: bytes) -> str:
    """Read bytes by the likeliest charset, judged on a sample of `CHARSET_SAMPLE` bytes."""
    text = _lenient(content, "utf-8")
    bad = text.count("\ufffd")
    if bad * 3 <= len(text) - len(text.encode("ascii", "ignore")):
        return text
    found = codec(detection.guess(content)) or "cp1252"
    return _western(content, found) if found == "cp1252" else _lenient(content, found)


def _strict(content: bytes, name: str) -> str | None:
    try:
        text = content.decode(name)
    except (UnicodeError, ValueError, LookupError):
        return None
    return None if name == "utf-7" and SURROGATE.search(text) else text


def _lenient(content: bytes, name: str) -> str:
    try:
        text = content.decode(_without_mark(content, name), "replace")
    except (UnicodeError, ValueError, LookupError):
        return content.decode("latin-1")
    return SURROGATE.sub("\ufffd", text) if name == "utf-7" else text


def _western(content: bytes, name: str) -> str:
    """Decode cp1252, with the five bytes that it leaves undefined kept as control characters."""
    text = _strict(content, name)
    return text if text is not None else content.decode("latin-1").translate(C1)


def _without_mark(content: bytes, name: str) -> str:
    """Choose the codec that takes a byte order mark away; UTF-16 without one is big-endian (RFC 2781)."""
    if name == "utf-8":
        return "utf-8-sig"
    if name == "utf-16" and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    return name


def _is_ascii_name(name: str) -> bool:
    return "ascii" in name.lower() or "ansi_x3" in name.lower()
