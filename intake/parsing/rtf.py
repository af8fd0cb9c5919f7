"""Rich text bodies of winmail.dat: decompressed (MS-OXRTFCP), and the text or HTML inside (MS-OXRTFEX). Linear."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from intake.parsing import charset

COMPRESSED, PLAIN = b"LZFu", b"MELA"
HEADER = struct.Struct("<II4sI")
LARGEST = 8_000_000
PRIMER = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\", re.DOTALL
)
_HIDDEN = """
fonttbl colortbl stylesheet info pict object header footer headerl headerr footerl footerr listtable
listoverridetable revtbl rsidtbl generator themedata colorschememapping latentstyles datastore xmlnstbl fldinst
bkmkstart bkmkend pntext pntxta pntxtb
"""
HIDDEN = frozenset(_HIDDEN.split())
WRITTEN = {"par": "\n", "line": "\n", "tab": "\t", "cell": "\t", "row": "\n", "page": "\n",
           "emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022", "lquote": "\u2018", "rquote": "\u2019",
           "ldblquote": "\u201c", "rdblquote": "\u201d", "emspace": "\u2003", "enspace": "\u2002"}  # fmt: skip
SYMBOLS = {"~": "\xa0", "-": "", "_": "\u2011", "\\": "\\", "{": "{", "}": "}"}


def decompress(content: bytes) -> bytes:
    """Return the document of a compressed body, as far as it goes; b"" where there is none."""
    if len(content) < HEADER.size:
        return b""
    _, size, kind, _ = HEADER.unpack_from(content)
    if kind == PLAIN:
        return content[HEADER.size : HEADER.size + min(size, LARGEST)]
    return _unpack(content, min(size, LARGEST)) if kind == COMPRESSED else b""


def _unpack(content: bytes, size: int) -> bytes:
    """Undo LZFu: runs of eight tokens behind a byte of flags; references go into all that was written so far."""
    out = bytearray(PRIMER)
    at, goal = HEADER.size, size + len(PRIMER)
    while at < len(content) and len(out) < goal:
        flags = content[at]
        at += 1
        for bit in range(8):
            if at >= len(content) or len(out) >= goal:
                break
            if not flags >> bit & 1:
                out.append(content[at])
                at += 1
                continue
            if not _copy(out, content[at : at + 2]):
                return bytes(out[len(PRIMER) : goal])
            at += 2
    return bytes(out[len(PRIMER) : goal])


def _copy(out: bytearray, token: bytes) -> bool:
    """Write what a reference points at; False at the end mark, which points at the place to be written next."""
    if len(token) < 2:
        return False
    offset, length = (token[0] << 4) | (token[1] >> 4), (token[1] & 15) + 2
    back = (len(out) - offset) % 4096
    if back == 0 or back > len(out):
        return False
    for _ in range(length):
        out.append(out[-back])
    return True


@dataclass(frozen=True, slots=True)
class _State:
    """What a group of the document says about the text in it."""

    hidden: bool = False
    tag: bool = False
    skip: int = 1


class _Document:
    """A reading of one document: text goes to `out`, in HTML mode the tags of the original too."""

    def __init__(self, *, is_html: bool) -> None:
        self.is_html = is_html
        self.out: list[str] = []
        self.pending = bytearray()
        self.state = _State()
        self.stack: list[_State] = []
        self.codepage = "cp1252"
        self.to_skip = 0
        self.starred = False

    def read(self, document: str) -> str:
        """Return the text."""
        for match in TOKEN.finditer(document):
            word, number, byte, symbol, brace, plain = match.groups()
            if byte is not None:
                self.byte(int(byte, 16))
                continue
            self.flush()
            if brace:
                self.brace(brace)
            elif word:
                self.word(word, int(number) if number else None)
            elif symbol:
                self.symbol(symbol)
            elif plain:
                self.write(plain)
        self.flush()
        return "".join(self.out)

    def byte(self, value: int) -> None:
        if self.to_skip:
            self.to_skip -= 1
        elif not self.state.hidden:
            self.pending.append(value)

    def flush(self) -> None:
        if self.pending:
            self.out.append(charset.decode(bytes(self.pending), self.codepage)[0])
            self.pending.clear()

    def write(self, text: str) -> None:
        self.starred = False
        if self.to_skip:
            skipped = min(self.to_skip, len(text))
            text, self.to_skip = text[skipped:], self.to_skip - skipped
        if not self.state.hidden:
            self.out.append(text)

    def brace(self, brace: str) -> None:
        self.to_skip, self.starred = 0, False
        if brace == "{":
            self.stack.append(self.state)
        elif self.stack:
            self.state = self.stack.pop()

    def symbol(self, symbol: str) -> None:
        if symbol == "*":
            self.starred = True
        elif symbol in "\r\n":
            self.write("\n")
        else:
            self.write(SYMBOLS.get(symbol, ""))

    def word(self, word: str, number: int | None) -> None:
        if word == "htmltag":
            self.state = replace(self.state, hidden=False, tag=True)
        elif word in HIDDEN or (self.starred and word != "mhtmltag") or word == "mhtmltag":
            self.state = replace(self.state, hidden=True)
        elif word == "htmlrtf":
            self.state = replace(self.state, hidden=self.is_html and number != 0)
        elif word == "ansicpg":
            self.codepage = f"cp{number}" if number else self.codepage
        elif word == "uc":
            self.state = replace(self.state, skip=number if number is not None else 1)
        elif word == "u" and number is not None:
            self.write(_character(number))
            self.to_skip = self.state.skip
        elif word in WRITTEN:
            self.write(WRITTEN[word])
        self.starred = False


def _character(number: int) -> str:
    code = number % 65536
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)


def read(document: bytes) -> tuple[str, str]:
    """Return the text and the HTML that a document holds: one of them, the other is ""."""
    source = document[:LARGEST].decode("latin-1")
    if not source.startswith("{\\rtf"):
        return "", ""
    is_html = "\\fromhtml" in source[:2000]
    text = _Document(is_html=is_html).read(source)
    return ("", text) if is_html else (text.strip("\n "), "")
