"""winmail.dat opened (MS-OXTNEF): its files and the bodies inside. Nothing raises, time is linear."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from intake.parsing import charset, mapi, rtf

SIGNATURE = b"\x78\x9f\x3e\x22"
MESSAGE, ATTACHMENT = 1, 2
BODY, OEM_CODEPAGE, MESSAGE_PROPERTIES = 0x800C, 0x9007, 0x9003
RENDER_DATA, TITLE, CONTENT, FILE_PROPERTIES, TRANSPORT_NAME = 0x9002, 0x8010, 0x800F, 0x9005, 0x9001
CODEPAGES = {65001: "utf-8", 28591: "iso-8859-1", 28592: "iso-8859-2", 28595: "iso-8859-5", 20127: "us-ascii",
             20866: "koi8-r", 21866: "koi8-u", 50220: "iso-2022-jp", 51932: "euc-jp", 51949: "euc-kr", 54936: "gb18030",
             65000: "utf-7"}  # fmt: skip
HEADER = struct.Struct("<BII")
MAX_ATTRIBUTES = 20_000
CUT_OFF = "The winmail.dat is cut off; what is whole was read."


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file inside the container. `content_type` is "" where it names none."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What a winmail.dat holds. `text` and `html` are "" where it has no such body."""

    files: tuple[File, ...]
    text: str
    html: str
    defects: tuple[str, ...] = ()


@dataclass(slots=True)
class _File:
    title: bytes = b""
    transport_name: bytes = b""
    content: bytes | None = None
    properties: dict[int, mapi.Value] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    """What was read of a container so far."""

    files: list[_File] = field(default_factory=list)
    properties: dict[int, mapi.Value] = field(default_factory=dict)
    body: bytes = b""
    codepage: str = "cp1252"
    defects: list[str] = field(default_factory=list)

    def add(self, level: int, name: int, value: bytes) -> None:
        """Take in one attribute."""
        if level == 0:
            self.defects.append(CUT_OFF)
        elif level == ATTACHMENT:
            _add_to_file(self.files, name, value)
        elif name == OEM_CODEPAGE and len(value) >= 2:
            self.codepage = f"cp{struct.unpack_from('<H', value)[0]}"
        elif name == BODY:
            self.body = value
        elif name == MESSAGE_PROPERTIES:
            self.properties.update(mapi.read(value))


def read(content: bytes) -> Container | None:
    """Return what a container holds, or None where it is no container or nothing is in it."""
    if not content.startswith(SIGNATURE):
        return None
    reading = _Reading()
    for level, name, value in _attributes(content):
        reading.add(level, name, value)
    found = tuple(one for file in reading.files for one in _files(file, reading.codepage))
    text, html = _bodies(reading.properties, reading.body, reading.codepage)
    if not (found or text or html):
        return None
    return Container(files=found, text=text, html=html, defects=tuple(reading.defects))


def _attributes(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, name and value of the attributes (MS-OXTNEF section 2.1.3); level 0 where the stream is cut off."""
    at = len(SIGNATURE) + 2
    for _ in range(MAX_ATTRIBUTES):
        if at + HEADER.size > len(content):
            break
        level, tag, size = HEADER.unpack_from(content, at)
        at += HEADER.size
        if level not in (MESSAGE, ATTACHMENT):
            break
        yield level, tag & 0xFFFF, content[at : at + size]
        if at + size > len(content):
            yield 0, 0, b""
            return
        at += size + 2
    if at < len(content) < at + HEADER.size and content[at:].strip(b"\0\r\n"):
        yield 0, 0, b""


def _add_to_file(files: list[_File], name: int, value: bytes) -> None:
    if name == RENDER_DATA or not files:
        files.append(_File())
    file = files[-1]
    if name == TITLE:
        file.title = value
    elif name == TRANSPORT_NAME:
        file.transport_name = value
    elif name == CONTENT:
        file.content = value
    elif name == FILE_PROPERTIES:
        file.properties.update(mapi.read(value))


def _files(file: _File, codepage: str) -> Iterator[File]:
    """Yield what one attachment holds: its content, and besides it the object that it embeds."""
    kind = mapi.text(file.properties.get(mapi.ATTACH_MIME_TAG), codepage).strip().lower()
    content_id = mapi.text(file.properties.get(mapi.ATTACH_CONTENT_ID), codepage).strip("<> ") or None
    contents = [file.content] if file.content is not None else []
    embedded = file.properties.get(mapi.ATTACH_DATA)
    if embedded is not None and (not file.content or embedded.kind == mapi.OBJECT):
        contents.append(embedded.content[16:] if embedded.kind == mapi.OBJECT else embedded.content)
    for content in contents:
        yield File(name=_name(file, codepage), content_type=kind, content=content, content_id=content_id)


def _name(file: _File, codepage: str) -> str:
    names = (
        mapi.text(file.properties.get(mapi.ATTACH_LONG_FILENAME), codepage),
        charset.decode(file.title, codepage)[0],
        mapi.text(file.properties.get(mapi.ATTACH_FILENAME), codepage),
        mapi.text(file.properties.get(mapi.DISPLAY_NAME), codepage),
        charset.decode(file.transport_name, codepage)[0],
    )
    return next((name.strip("\0 ") for name in names if name.strip("\0 ")), "")


def _bodies(message: dict[int, mapi.Value], body: bytes, codepage: str) -> tuple[str, str]:
    """Return the text and the HTML of the message itself; a rich text body is read when there is no other."""
    text = mapi.text(message.get(mapi.BODY), codepage) or charset.decode(body, codepage)[0].strip("\0")
    html = _html(message, codepage)
    compressed = message.get(mapi.RTF_COMPRESSED)
    if compressed is not None and not html:
        document = rtf.decompress(compressed.content)
        rich_text, rich_html = rtf.read(document)
        text, html = text or rich_text, rich_html
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""), html


def _html(message: dict[int, mapi.Value], codepage: str) -> str:
    value = message.get(mapi.HTML) or message.get(mapi.HTML_TEXT)
    if value is None:
        return ""
    if value.kind == mapi.UNICODE:
        return mapi.text(value, codepage)
    number = mapi.number(message.get(mapi.INTERNET_CODEPAGE))
    return charset.decode(value.content, CODEPAGES.get(number, f"cp{number or 1252}"))[0].strip("\0")
