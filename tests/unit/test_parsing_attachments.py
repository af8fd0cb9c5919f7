"""Attachments, what is inside winmail.dat, and invitations."""

from __future__ import annotations

import base64
import struct

import pytest

from intake.parsing import calendar, mapi, naming, rtf, tnef
from intake.parsing.attachments import extract
from intake.parsing.message import parse

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def mixed(*parts: str) -> bytes:
    inside = "".join(f"--b\n{part}\n" for part in parts)
    return f"From: a@client.example\nContent-Type: multipart/mixed; boundary=b\n\n{inside}--b--\n".encode()


def file(headers: str, content: bytes = b"content") -> str:
    return f"{headers}\nContent-Transfer-Encoding: base64\n\n{base64.b64encode(content).decode()}"


def only(raw: bytes) -> tuple[str, str]:
    attachment = parse(raw).attachments[0]
    return attachment.filename, attachment.content_type


@pytest.mark.parametrize(
    ("headers", "content", "filename", "kind"),
    [
        ("Content-Type: application/pdf; name=a.pdf", b"%PDF-1.4", "a.pdf", "application/pdf"),
        ("Content-Type: application/octet-stream; name=a.pdf", b"%PDF-1.4", "a.pdf", "application/octet-stream"),
        ("Content-Disposition: attachment", PNG, "attachment-1.png", "image/png"),
        ("Content-Disposition: attachment", b"words", "attachment-1.txt", "text/plain"),
        ("Content-Disposition: attachment", b"\0\1\2", "attachment-1.bin", "application/octet-stream"),
        ("Content-Disposition: attachment; filename=page", b"<!DOCTYPE html><p>x", "page", "text/html"),
        ("Content-Disposition: attachment; filename=x", b"<?xml version='1.0'?><svg xmlns='x'>", "x", "image/svg+xml"),
        ("Content-Disposition: attachment; filename=t.csv", b"a;b", "t.csv", "text/csv"),
        ("Content-Type: image/jpg", b"x", "attachment-1.jpg", "image/jpg"),
        ("Content-Type: text/calendar", b"x", "invite.ics", "text/calendar"),
        ("Content-Type: nonsense; name=a.pdf", b"%PDF-1.4", "a.pdf", "application/pdf"),
    ],
)
def test_a_part_is_named_and_typed(headers: str, content: bytes, filename: str, kind: str) -> None:
    assert only(mixed(file(headers, content))) == (filename, kind)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("/tmp/a.txt", "a.txt"),
        ("2025/26.pdf", "2025_26.pdf"),
        ("a\0b\n.txt", "a_b_.txt"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("..", ""),
        ("", ""),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_file_name_is_made_safe(name: str, safe: str) -> None:
    assert naming.safe(name) == safe


def test_an_attached_mail_stays_whole() -> None:
    inner = "From: b@client.example\nSubject: Inner\n\nInner text"
    parsed = parse(mixed("Content-Type: text/plain\n\nOuter text", f"Content-Type: message/rfc822\n\n{inner}"))
    assert parsed.text == "Outer text"
    assert [(a.filename, a.content_type, a.content) for a in parsed.attachments] == [
        ("Inner.eml", "message/rfc822", inner.encode())
    ]


def test_an_image_of_the_html_is_inline() -> None:
    parsed = parse(
        mixed("Content-Type: text/html\n\n<img src='cid:x@y'>", file("Content-Type: image/png\nContent-ID: <x@y>"))
    )
    assert parsed.attachments[0].inline
    assert parsed.attachments[0].content_id == "x@y"


def test_extract_finds_the_bytes_again() -> None:
    raw = mixed("Content-Type: text/plain\n\nx", file("Content-Type: application/pdf", b"%PDF-1.4"))
    assert extract(raw, "2") == b"%PDF-1.4"


@pytest.mark.parametrize("part", ["", "9", "1/1", "2/1", "x", "1.1", "../1"])
def test_extract_of_a_part_that_is_not_there_is_a_key_error(part: str) -> None:
    with pytest.raises(KeyError):
        extract(mixed("Content-Type: text/plain\n\nx", file("Content-Type: application/pdf")), part)


def test_uuencoded_files_are_attachments_and_stay_in_the_text() -> None:
    raw = b"From: a@client.example\n\nHello\nbegin 644 a.txt\n%2&5L;&\\\n`\nend\nBye\n"
    parsed = parse(raw)
    assert [(a.filename, a.content, a.part) for a in parsed.attachments] == [("a.txt", b"Hello", "1/1")]
    assert "begin 644" in parsed.text
    assert "begin 644" not in parsed.reply_text
    assert extract(raw, "1/1") == b"Hello"


def test_encrypted_mail_says_so() -> None:
    parsed = parse(
        mixed("Content-Type: application/pgp-encrypted\n\nVersion: 1", "Content-Type: application/octet-stream\n\nx")
    )
    assert any("encrypted with PGP" in defect for defect in parsed.defects)


# ------------------------------------------------------------------ winmail.dat


def attribute(level: int, name: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, name, len(value)) + value + b"\0\0"


def properties(*found: tuple[int, int, bytes]) -> bytes:
    out = struct.pack("<I", len(found))
    for kind, name, value in found:
        out += struct.pack("<HHII", kind, name, 1, len(value)) + value + bytes(-len(value) % 4)
    return out


def container(*attributes: bytes) -> bytes:
    return tnef.SIGNATURE + b"\0\0" + b"".join(attributes)


RENDER = attribute(2, 0x9002, b"")


def test_a_winmail_dat_is_opened() -> None:
    long_name = (mapi.UNICODE, mapi.ATTACH_LONG_FILENAME, "Übersicht.pdf\0".encode("utf-16-le"))
    found = tnef.read(
        container(
            attribute(1, 0x800C, b"Hello\r\n\0"),
            RENDER + attribute(2, 0x8010, b"UEBERS~1.PDF\0") + attribute(2, 0x800F, b"%PDF"),
            attribute(2, 0x9005, properties(long_name)),
            RENDER + attribute(2, 0x8010, b"b.txt\0") + attribute(2, 0x800F, b"two"),
        )
    )
    assert found is not None
    assert [(one.name, one.content) for one in found.files] == [("Übersicht.pdf", b"%PDF"), ("b.txt", b"two")]
    assert found.text == "Hello\n"


def test_an_object_inside_a_winmail_dat_is_a_file_without_its_class_id() -> None:
    embedded = attribute(2, 0x9005, properties((mapi.OBJECT, mapi.ATTACH_DATA, bytes(16) + b"inside")))
    found = tnef.read(container(RENDER, attribute(2, 0x8010, b"x\0"), embedded))
    assert found is not None
    assert [one.content for one in found.files] == [b"inside"]


@pytest.mark.parametrize("content", [b"", b"\x78\x9f", tnef.SIGNATURE, tnef.SIGNATURE + b"\0\0\1", b"PK\3\4"])
def test_what_is_no_winmail_dat_is_kept_as_a_file(content: bytes) -> None:
    assert tnef.read(content) is None
    headers = "Content-Type: application/ms-tnef; name=winmail.dat"
    assert only(mixed(file(headers, content))) == ("winmail.dat", "application/ms-tnef")


def test_rich_text_is_read_as_html_or_text() -> None:
    assert rtf.read(rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe\par \u8364? 5}") == ("Grüße\n€ 5", "")
    html = rb"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}\htmlrtf \par \htmlrtf0 Hello{\*\htmltag72 </p>}}"
    assert rtf.read(html) == ("", "<p>Hello</p>")
    assert rtf.read(b"no rich text") == ("", "")


def test_compressed_rich_text_is_unpacked() -> None:
    example = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert rtf.decompress(example) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert rtf.decompress(example[:30]).startswith(b"{\\rtf1")
    assert rtf.decompress(b"") == b""


# ------------------------------------------------------------------ calendar

EVENT = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Survey\r\nDTSTART:20260120T090000Z\r\n"
    "DTEND:20260120T100000Z\r\nLOCATION:Room 3\r\nORGANIZER;CN=Henrik:mailto:h@client.example\r\n"
    "ATTENDEE;CN=Mona;PARTSTAT=ACCEPTED:MAILTO:m@client.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_an_invitation_says_what_when_where_and_who() -> None:
    assert calendar.describe(EVENT.encode()).split("\n") == [
        "Invitation: Survey",
        "When: 2026-01-20 09:00-10:00 UTC",
        "Where: Room 3",
        "Organizer: Henrik <h@client.example>",
        "Who: Mona <m@client.example> (accepted)",
    ]


def test_an_invitation_is_readable_in_the_text() -> None:
    parsed = parse(f"From: h@client.example\nContent-Type: text/calendar\n\n{EVENT}".encode())
    assert parsed.text.startswith("Invitation: Survey\n")
    assert parsed.reply_text.startswith("Invitation: Survey\n")
    assert parsed.attachments[0].filename == "invite.ics"


@pytest.mark.parametrize(
    "content", [b"", b"BEGIN:VCALENDAR", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:x\nEND:VEVENT", b"words"]
)
def test_a_broken_invitation_is_no_text(content: bytes) -> None:
    assert "BEGIN" not in calendar.describe(content)
