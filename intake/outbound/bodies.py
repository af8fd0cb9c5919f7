"""Bodies of outgoing mail as bytes that any server passes on unchanged: ASCII, CRLF, short lines (RFC 2045)."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Sequence

from intake.outbound import headerfields
from intake.outbound.letter import File

LONGEST_LINE = 990  # RFC 5322 section 2.1.1 allows 998
BASE64_LINE = 76

_LINE_END = re.compile(r"\r\n|\r|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_BARE_FROM = re.compile(r"(?m)^From ")  # some stores put a > before such a line
_QUOTED_FROM = re.compile(rb"(?m)^From ")


def clean(text: str) -> str:
    """Text with LF line ends and without control characters or halves of characters."""
    return _CONTROL.sub("", _LINE_END.sub("\n", text)).encode("utf-8", "replace").decode()


def text_part(subtype: str, text: str) -> bytes:
    """A text part with its header. The text is clean; an end of its last line is added where it has none."""
    text = text if text.endswith("\n") else f"{text}\n"
    encoding, body = _encoded(text)
    charset = "us-ascii" if text.isascii() else "utf-8"
    header = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return header.encode() + body


def file_part(file: File) -> bytes:
    """An attachment with its header."""
    return headerfields.file_fields(file.filename, file.content_type) + b"\r\n" + _base64(file.content)


def multipart(subtype: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """Parts that have their headers, put together with a header. Each part ends with CRLF."""
    header = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'
    delimiter = f"--{boundary}\r\n".encode()
    joined = b"".join(delimiter + part + b"\r\n" for part in parts)
    return header.encode() + joined + f"--{boundary}--\r\n".encode()


def _encoded(text: str) -> tuple[str, bytes]:
    raw = text.encode()
    longest = max(map(len, text.split("\n")))
    if text.isascii() and longest <= LONGEST_LINE and not ("From " in text and _BARE_FROM.search(text)):
        return "7bit", raw.replace(b"\n", b"\r\n")
    if len(raw) - len(text) > len(text) // 3:  # many letters outside of ASCII: base64 is shorter
        return "base64", _base64(raw.replace(b"\n", b"\r\n"))
    quoted = b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")
    return "quoted-printable", _QUOTED_FROM.sub(b"=46rom ", quoted) if b"From " in quoted else quoted


def _base64(content: bytes) -> bytes:
    coded = b64encode(content)
    return b"".join(coded[at : at + BASE64_LINE] + b"\r\n" for at in range(0, len(coded), BASE64_LINE))
