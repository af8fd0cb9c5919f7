"""Headers, right and wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes

import pytest

from intake.parsing import addresses, dates, encoded_words
from intake.parsing.headers import Headers
from intake.parsing.message import parse
from intake.types import Kind, Person


def headers(text: str | bytes) -> Headers:
    content = text if isinstance(text, bytes) else text.encode()
    return Headers(message_from_bytes(content + b"\n\n"))


def one(value: str) -> tuple[str, str] | None:
    people = addresses.people(value)
    return (people[0].name, people[0].address) if people else None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("folded\r\n\tvalue", "folded value"),
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),
        ("=?iso-8859-1?Q?Gr=FC=DFe_an_alle?=", "Grüße an alle"),
        ("=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        ("=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        ("=?utf-8?B?w4k=?==?utf-8?B?w4k=?=", "ÉÉ"),
        ("=?utf-8*en?Q?caf=C3=A9?=", "café"),
        ("=?utf-8?q?Who=3F me??=", "Who? me?"),
        ("=?ISO-2022-JP?B?GyRCJDMbKEI=?= =?ISO-2022-JP?B?GyRCJHMbKEI=?=", "こん"),
        ("=?x-nowhere?Q?caf=C3=A9?=", "café"),
        ("no\0 NUL", "no NUL"),
        ("=?utf-8?Q?line=0Abreak?=", "line break"),
        ("=?utf-8?Q?=3D=3Fiso-8859-1=3FQ=3Fcaf=3DE9=3F=3D?=", "café"),
        ("2 =? 3", "2 =? 3"),
    ],
)
def test_a_value_is_decoded(value: str, text: str) -> None:
    assert encoded_words.decode(value) == text


def test_raw_8_bit_is_read_as_utf_8_then_by_the_charset_of_the_mail() -> None:
    assert headers("Subject: Grüße").first("subject") == "Grüße"
    russian = "Subject: Привет\nContent-Type: text/plain; charset=koi8-r".encode("koi8-r")
    assert headers(russian).first("subject") == "Привет"
    assert headers("Subject: Grüße".encode("latin-1")).first("subject") == "Grüße"


def test_a_header_that_is_not_there_is_none() -> None:
    assert headers("To: a@b.example").first("Subject") is None
    assert headers("To: a@b.example").people("Cc") == ()
    assert headers("To: a@b.example").date() is None


def test_names_are_compared_without_letter_case() -> None:
    found = headers("SUBJECT: one\nsubject: two")
    assert found.all("Subject") == ("one", "two")
    assert found.names() == {"subject"}
    assert found.count("Subject") == 2


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("a@client.example", "", "a@client.example"),
        ("<a@client.example>", "", "a@client.example"),
        ("Anna <a@client.example>", "Anna", "a@client.example"),
        ('"Doe, Jane" <a@client.example>', "Doe, Jane", "a@client.example"),
        ("Doe, Jane <a@client.example>", "Doe, Jane", "a@client.example"),
        ("a@client.example (Anna (Sales) Doe)", "Anna (Sales) Doe", "a@client.example"),
        ("=?utf-8?Q?M=C3=BCller=2C_J?= <a@client.example>", "Müller, J", "a@client.example"),
        ('"=?utf-8?Q?M=C3=BCller?=" <a@client.example>', "Müller", "a@client.example"),
        ("Anna a@client.example", "Anna", "a@client.example"),
        ("Anna <a@client.example", "Anna", "a@client.example"),
        ("'Anna' <'a@client.example'>", "Anna", "a@client.example"),
        ("<mailto:a@client.example>", "", "a@client.example"),
        ("<@relay.example,@b.example:a@client.example>", "", "a@client.example"),
        ("a @ client . example", "", "a@client.example"),
        ("Mikel@Home <a@client.example>", "Mikel@Home", "a@client.example"),
        ("a@client.example <a@client.example>", "a@client.example", "a@client.example"),
        ('"Anna <a@client.example>', "Anna", "a@client.example"),
        ("a@client.example>", "", "a@client.example"),
        ('"quoted local"@client.example', "", '"quoted local"@client.example'),
        ("postmaster@[192.0.2.1]", "", "postmaster@[192.0.2.1]"),
        ("jörg@bücher.example", "", "jörg@bücher.example"),
        ("a..b.@docomo.example", "", "a..b.@docomo.example"),
        ("root@localhost", "", "root@localhost"),
    ],
)
def test_an_address_is_read(value: str, name: str, address: str) -> None:
    assert one(value) == (name, address)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "<>",
        "a@[",
        "undisclosed-recipients:;",
        "MAILER-DAEMON",
        "alice@good.example)bob@evil.example",
        "alice@good.example@evil.example",
        "alice@good.example bob@evil.example",
        "<alice@good.example bob@evil.example>",
        "alice@@good.example",
        "=?utf-8?Q?alice=40good.example?=",
        "<=?utf-8?Q?alice=40good.example?=>",
        "alice@good.example\\bob@evil.example",
    ],
)
def test_what_is_no_clean_address_gives_nobody(value: str) -> None:
    assert addresses.people(value) == ()


def test_groups_are_read_as_their_members() -> None:
    found = addresses.people("Team: a@client.example, B <b@client.example>;, c@client.example")
    assert [person.address for person in found] == ["a@client.example", "b@client.example", "c@client.example"]


def test_semicolons_separate_as_outlook_writes_them() -> None:
    assert len(addresses.people("a@client.example; b@client.example")) == 2


def test_empty_entries_are_left_out() -> None:
    assert addresses.people(", a@client.example,,") == (Person(address="a@client.example"),)


def test_at_most_a_thousand_people_are_read_of_a_header() -> None:
    assert len(addresses.people("a@client.example, " * 2000)) == 1000


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b.example>", ("a@b.example",)),
        ("<a@b.example><c@d.example>\r\n <a@b.example>", ("a@b.example", "c@d.example")),
        ("<long@\r\n b.example>", ("long@b.example",)),
        ("a@b.example c@d.example", ("a@b.example", "c@d.example")),
        ("Your message of today", ()),
        ("<>", ()),
        ("<a(of us)@ b.example>", ("a@b.example",)),
        ("=?utf-8?Q?=3Ca=40b=2Eexample=3E?=", ("a@b.example",)),
    ],
)
def test_message_ids_are_read_without_brackets(value: str, ids: tuple[str, ...]) -> None:
    assert headers(f"References: {value}").ids("References") == ids


@pytest.mark.parametrize(
    ("value", "hours"),
    [
        ("Mon, 05 Jan 2026 10:00:00 +0200", 8),
        ("Mon, 5 Jan 26 08:00 GMT", 8),
        ("5 Jan 2026 08:00:00 (UTC)", 8),
        ("Mon, 05 Jan 2026 08:00:00", 8),
        ("2026-01-05T08:00:00Z", 8),
        ("2026-01-05 08:00:00 +0000", 8),
        ("05.01.2026 08:00", 8),
        ("Mo, 5 Mär 2026 08:00:00 +0000", None),
        ("Mon, 05-Jan-2026 08:00:00 GMT", 8),
        ("Monday, January 5, 2026", None),
        ("yesterday", None),
        ("Mon, 45 Jan 2026 08:00:00 +0000", None),
        ("Mon, 05 Jan 2026 08:00:00 +9999", 8),
        ("", None),
    ],
)
def test_dates_of_every_kind_are_read_or_none(value: str, hours: int | None) -> None:
    found = dates.read(value)
    if hours is not None:
        assert found == datetime(2026, 1, 5, hours, tzinfo=UTC)
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize(
    "value",
    ["Fri, 31 Dec 9999 23:59:59 -1400", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", "01.01.0001 00:00 +1400"],
)
def test_a_date_at_the_end_of_the_calendar_is_none_since_no_database_keeps_it(value: str) -> None:
    assert dates.read(value) is None


def test_a_date_keeps_its_zone() -> None:
    found = dates.read("Mon, 05 Jan 2026 10:00:00 +0200")
    assert found is not None
    assert found.tzinfo == timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "filename"),
    [
        ('attachment; filename="a.txt"', "a.txt"),
        ("attachment; filename=This is it.txt", "This is it.txt"),
        ("attachment; filename=a.txt; size=3", "a.txt"),
        ('attachment; filename="a;b, c.txt"; size=3', "a;b, c.txt"),
        ('attachment; filename="a \\"b\\".txt"', 'a "b".txt'),
        ("attachment; filename*=utf-8''%C3%BCber%20uns.txt", "über uns.txt"),
        ("attachment; filename*=iso-8859-1'de'%FCber.txt", "über.txt"),
        ("attachment; filename*0*=utf-8''%C3%BC; filename*1=\"ber.txt\"", "über.txt"),
        ('attachment; filename*1="b.txt"; filename*0="a"', "ab.txt"),
        ("attachment; filename*0*=utf-8''%C3; filename*1*=%BCber.txt", "über.txt"),
        ('attachment; filename="=?utf-8?B?w7xiZXIudHh0?="', "über.txt"),
        ('attachment;; filename="a.txt"', "a.txt"),
        ('attachment filename="a.txt"', "a.txt"),
        ('attachment; filename="a.txt', "a.txt"),
        ("attachment; filename='a.txt'", "a.txt"),
        ("attachment; filename=über.txt", "über.txt"),
        ("attachment", None),
    ],
)
def test_file_names_are_read_in_all_their_forms(value: str, filename: str | None) -> None:
    found = headers(f"Content-Disposition: {value}")
    assert found.disposition() == "attachment"
    assert found.parameter("Content-Disposition".lower(), "filename") == filename


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/HTML; charset=utf-8", "text/html"),
        ("text/plain charset=utf-8", "text/plain"),
        ("text", ""),
        ("a.doc", ""),
        ("text/plain (a comment)", "text/plain"),
        ('"text/plain"', "text/plain"),
    ],
)
def test_media_types_are_read_or_empty(value: str, kind: str) -> None:
    assert headers(f"Content-Type: {value}").content_type() == kind


# ------------------------------------------------------------------ headers that are too long

LONG = {
    "references over many lines": "References:" + "\r\n <a-message-id-of-some-length@client.example>" * 45_000,
    "people on one line": "To: " + ", ".join(f"somebody.{n}@client.example" for n in range(70_000)),
    "one word": "X-Blob: " + "x" * 9_000_000,
    "many small lines": "X-Blob: y" + "\r\n x" * 1_000_000,
}


@pytest.mark.parametrize("field", LONG.values(), ids=LONG)
def test_a_header_that_is_too_long_is_cut_and_what_follows_it_is_read(field: str) -> None:
    assert len(field) > 1_500_000
    parsed = parse(
        f"{field}\r\nFrom: a@client.example\r\nSubject: Hi\r\nAuto-Submitted: auto-replied\r\n\r\nHello".encode()
    )
    assert (parsed.subject, parsed.sender, parsed.kind) == ("Hi", Person(address="a@client.example"), Kind.AUTO_REPLY)
    assert parsed.text.strip() == "Hello"
    assert [defect for defect in parsed.defects if "longer than 65536 bytes" in defect]
    assert all(person.address.endswith("@client.example") for person in parsed.to)


def test_a_subject_that_is_too_long_keeps_its_beginning() -> None:
    parsed = parse(b"Subject: Hi " + b"x" * 2_000_000 + b"\r\nFrom: a@client.example\r\n\r\n")
    assert parsed.subject.startswith("Hi xxx")
    assert parsed.sender == Person(address="a@client.example")
