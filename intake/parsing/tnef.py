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
HEADER = struct.Struct("<BII")
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


def read(content: bytes) -> Container | None:
    """Return what a container holds, or None where it is no container or nothing is in it."""
    if not content.startswith(SIGNATURE):
        return None
    files: list[_File] = []
    message: dict[int, mapi.Value] = {}
    body, codepage, defects = b"", "cp1252", []
    for level, name, value in _attributes(content):
        if level == 0:
            defects.append(CUT_OFF)
        elif level == ATTACHMENT:
            _add_to_file(files, name, value)
        elif name == OEM_CODEPAGE and len(value) >= 2:
            codepage = f"cp{struct.unpack_from('<H', value)[0]}"
        elif name == BODY:
            body = value
        elif name == MESSAGE_PROPERTIES:
            message.update(mapi.read(value))
    found = tuple(one for file in files for one in _files(file, codepage))
    text, html = _bodies(message, body, codepage)
    if not (found or text or html):
        return None
    return Container(files=found, text=text, html=html, defects=tuple(defects))


def _attributes(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, name and value of the attributes (MS-OXTNEF section 2.1.3); level 0 where the stream is cut off."""
    at = len(SIGNATURE) + 2
    while at + HEADER.size <= len(content):
        level, tag, size = HEADER.unpack_from(content, at)
        at += HEADER.size
        if level not in (MESSAGE, ATTACHMENT):
            return
        yield level, tag & 0xFFFF, content[at : at + size]
        if at + size > len(content):
            yield 0, 0, b""
            return
        at += size + 2


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
    return text.replace("\r\n", "\n").replace("\r", "\n"), html


def _html(message: dict[int, mapi.Value], codepage: str) -> str:
    value = message.get(mapi.HTML) or message.get(mapi.HTML_TEXT)
    if value is None:
        return ""
    if value.kind == mapi.UNICODE:
        return mapi.text(value, codepage)
    number = mapi.number(message.get(mapi.INTERNET_CODEPAGE))
    return charset.decode(value.content, {65001: "utf-8", 28591: "iso-8859-1", 20127: "us-ascii"}.get(number, f"cp{number or 1252}"))[0].strip("\0")
