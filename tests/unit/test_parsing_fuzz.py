"""What fuzzing found: bytes that once broke a promise of the reader, cut down to what broke it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from intake.parsing import charset
from intake.parsing.message import parse
from intake.types import FoldKind, Kind, ParsedMessage

UUENCODED = "begin 644 app.conf\n#0V%T\n`\nend\n"


def strings(value: object) -> Iterator[str]:
    """Yield every text of a reading, of whatever depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name))


def read(content: bytes) -> ParsedMessage:
    parsed = parse(content)
    for text in strings(parsed):
        assert b"\0" not in text.encode()
    return parsed


@pytest.mark.parametrize("name", ["unicode_escape", "raw_unicode_escape", "Unicode-Escape"])
def test_escapes_of_a_programming_language_are_no_charset(name: str) -> None:
    assert charset.codec(name) is None
    assert charset.decode(rb"caf\ud800", name)[0] == r"caf\ud800"


def test_half_a_character_in_utf_7_is_not_decoded() -> None:
    assert charset.decode(b"a+2AA-b", "utf-7")[0] == "a+2AA-b"
    assert charset.decode(b"a+2D3eAA-b", "utf-7")[0] == "a\U0001f600b"


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: =?unicode_escape?q?away from \\ud800?=\n\nHello",
        b"Subject: =?utf-7?q?away from +2AA-?=\n\nHello",
        b"Content-Type: text/html; charset=raw_unicode_escape\n\n<p>\\ud800</p>",
        b'Content-Type: multipart/mixed; boundary="=?unicode_escape?q?\\ud800?="\n\nHello',
        b"Content-Type: multipart/mixed; boundary*=unicode_escape''%5Cud800\n\nHello",
        b"From: a@client.example\nContent-Disposition: attachment; filename*=utf-7''+2AA-\n\nHello",
    ],
)
def test_no_charset_brings_half_characters_into_a_reading(content: bytes) -> None:
    assert not [defect for defect in read(content).defects if "could not be read (" in defect]


def test_an_address_with_a_control_character_in_its_quotes_is_not_clean() -> None:
    parsed = read(b'From: a@client.example\nTo: "quoted lo\0cal"@client.example, b@client.example\n\nHello')
    assert [person.address for person in parsed.to] == ["b@client.example"]


def test_a_delivery_report_is_read_without_its_nuls() -> None:
    report = (
        b"From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        b"Final-Recipient: rfc822; gone@client.example\nAction: failed\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 N\0o such user\n\n--b--\n"
    )
    parsed = read(report)
    assert parsed.kind is Kind.BOUNCE
    assert parsed.bounce is not None
    assert "No such user" in parsed.bounce.diagnostic


def test_a_report_in_prose_is_read_without_its_nuls() -> None:
    notice = (
        b"From: MAILER-DAEMON@yahoo.example\nSubject: Failure Notice\nContent-Type: text/plain\n\n"
        b"Sorry, we were unable to deliver your message to the following address.\n\n<gone@cli\0ent.example>:\n"
        b"This user doesn't have a yahoo.example account (gone@client.example)\n"
    )
    parsed = read(notice)
    assert parsed.bounce is not None
    assert parsed.bounce.recipients == ("gone@client.example",)


def test_an_encoded_file_inside_a_quote_is_folded_once() -> None:
    head = (
        "Thanks.\n\nDate: Tue, 13 Jan 2026 09:41:27 +0100\nFrom: Kim <kim@client.example>\nSubject: Configuration\n\n"
    )
    parsed = read(f"From: a@client.example\n\n{head}Here it is:\n\n{UUENCODED}\nKim\n".encode())
    assert parsed.reply_text == "Thanks."
    assert [fold.kind for fold in parsed.folds] == [FoldKind.QUOTE]


def test_an_encoded_file_is_never_in_the_newly_written_text() -> None:
    parsed = read(f"From: a@client.example\n\nHere it is:\n\n{UUENCODED}\n-- \nKim\n".encode())
    assert parsed.reply_text == "Here it is:"
    assert [fold.kind for fold in parsed.folds] == [FoldKind.ENCODED, FoldKind.SIGNATURE]
    assert [parsed.folds[0].start, parsed.folds[0].end] == [2, 6]
