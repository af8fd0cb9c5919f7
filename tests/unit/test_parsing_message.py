"""A mail from its bytes to the whole reading."""

from __future__ import annotations

import pytest

from intake.explain import describe
from intake.parsing.limits import MAX_TEXT
from intake.parsing.message import parse
from intake.types import Kind, Person

OWN = frozenset({"support@desk.example"})


def mail(headers: str, text: str = "Hello") -> bytes:
    return f"{headers}\n\n{text}".encode()


# ------------------------------------------------------------------ who


def sender(headers: str, *, envelope_from: str | None = None) -> Person | None:
    return parse(mail(headers), own_addresses=OWN, envelope_from=envelope_from).sender


def test_from_is_the_sender() -> None:
    assert sender("From: Anna <anna@client.example>\nReply-To: x@client.example") == Person(
        address="anna@client.example", name="Anna"
    )


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ("Reply-To: r@client.example\nSender: s@client.example", "r@client.example"),
        ("From: nobody\nSender: s@client.example", "s@client.example"),
        ("From: a@good.example)b@evil.example\nReturn-Path: <p@client.example>", "p@client.example"),
        ("From: Team:;\nSubject: x", "e@client.example"),
    ],
)
def test_without_a_readable_from_somebody_else_is_the_sender_and_a_defect_says_so(headers: str, address: str) -> None:
    parsed = parse(mail(headers), envelope_from="e@client.example")
    assert parsed.sender is not None
    assert parsed.sender.address == address
    assert any("was taken as the sender" in defect for defect in parsed.defects)


def test_mail_of_nobody_has_no_sender() -> None:
    parsed = parse(mail("Subject: x"), envelope_from="")
    assert parsed.sender is None
    assert parsed.defects


@pytest.mark.parametrize(
    "more",
    ["X-Original-From: Anna <anna@client.example>", "Reply-To: Anna <anna@client.example>"],
)
def test_mail_from_our_own_address_is_from_whom_it_names(more: str) -> None:
    found = sender(f"From: Anna via Support <support@desk.example>\n{more}")
    assert found == Person(address="anna@client.example", name="Anna")


def test_a_list_that_rewrites_from_is_seen_through() -> None:
    found = sender(
        "From: 'Anna' via Sales <sales@list.example>\nReply-To: anna@client.example\nList-Id: <sales.list.example>"
    )
    assert found == Person(address="anna@client.example", name="Anna")


def test_our_own_mail_stays_ours() -> None:
    assert sender("From: Desk <support@desk.example>") == Person(address="support@desk.example", name="Desk")
    assert sender("From: support@desk.example\nReply-To: support@desk.example") == Person(
        address="support@desk.example"
    )


def test_the_first_of_several_from_headers_that_can_be_read_counts() -> None:
    found = sender("From: [???]\nFrom: Anna <anna@client.example>")
    assert found == Person(address="anna@client.example", name="Anna")


# ------------------------------------------------------------------ what


def test_recipients_are_those_of_the_delivery_headers_in_order() -> None:
    headers = (
        "X-Forwarded-To: d@desk.example\nX-Original-To: B@desk.example\nDelivered-To: a@desk.example\n"
        "Delivered-To: b@desk.example\nEnvelope-To: c@desk.example\nTo: z@desk.example"
    )
    assert parse(mail(headers)).recipients == ("a@desk.example", "b@desk.example", "c@desk.example", "d@desk.example")


def test_the_loop_mark_is_read() -> None:
    assert parse(mail("X-Letterdesk-Loop: 17abc")).loop_mark == "17abc"
    assert parse(mail("Subject: x")).loop_mark is None


def test_threading_headers_are_without_brackets() -> None:
    parsed = parse(
        mail("Message-ID: <1@a.example>\nIn-Reply-To: <2@a.example>\nReferences: <3@a.example>\n <2@a.example>")
    )
    assert parsed.message_id == "1@a.example"
    assert parsed.in_reply_to == "2@a.example"
    assert parsed.references == ("3@a.example", "2@a.example")


def test_a_message_id_that_is_none_by_the_rules_is_kept() -> None:
    assert parse(mail("Message-ID: 12345")).message_id == "12345"
    assert parse(mail("Message-ID: <>")).message_id is None


def test_a_date_that_cannot_be_read_is_a_defect() -> None:
    assert "The date cannot be read." in parse(mail("Date: yesterday")).defects
    assert "There is no date." in parse(mail("Subject: x")).defects


def test_an_ordinary_mail_has_no_defects() -> None:
    parsed = parse(mail("From: a@client.example\nDate: Mon, 05 Jan 2026 10:00:00 +0100\nSubject: x"))
    assert parsed.defects == ()
    assert parsed.kind is Kind.NORMAL
    assert parsed.auto_response_allowed


def test_a_reply_is_split_from_its_quote() -> None:
    parsed = parse(
        mail("From: a@client.example", "Yes.\n\nOn Mon, Jan 5, 2026 at 9:00 AM B <b@desk.example> wrote:\n> ok?")
    )
    assert parsed.reply_text == "Yes."
    assert parsed.text.endswith("> ok?")
    assert parsed.folds


def test_an_attached_mail_is_a_forward() -> None:
    inner = "From: B <b@client.example>\nSubject: Question\n\nInner text"
    outer = (
        "From: a@client.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n"
        f"--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"
    )
    parsed = parse(outer.encode())
    assert parsed.forward is not None
    assert parsed.forward.from_address == "b@client.example"
    assert parsed.forward.subject == "Question"
    assert parsed.reply_text == "see below"


def test_a_text_that_is_too_long_is_cut_with_a_defect() -> None:
    parsed = parse(mail("From: a@client.example", "word " * (MAX_TEXT // 4)))
    assert len(parsed.text) == MAX_TEXT
    assert any("longer than" in defect for defect in parsed.defects)


@pytest.mark.parametrize("content", [b"", b"\0", b"\r", b"\n\n\n", b":", b"From:", b"\xff" * 10, b"--", b"From \n"])
def test_the_smallest_mails_are_read(content: bytes) -> None:
    assert parse(content).fingerprint


# ------------------------------------------------------------------ fingerprint

HEAD = "Message-ID: <1@a.example>\nFrom: a@client.example\nDate: Mon, 05 Jan 2026 10:00:00 +0100\nSubject: x"


def fingerprint(headers: str, text: str = "Hello\n") -> str:
    return parse(mail(headers, text)).fingerprint


def test_trace_headers_and_line_ends_do_not_change_the_fingerprint() -> None:
    one = mail(HEAD, "Hello\nBye\n")
    assert parse(one).fingerprint == parse(one.replace(b"\n", b"\r\n")).fingerprint
    assert fingerprint(HEAD) == fingerprint(f"Received: by mx\nDelivered-To: x@desk.example\n{HEAD}")


@pytest.mark.parametrize(
    "change", [("1@a", "2@a"), ("a@client", "b@client"), ("05 Jan", "06 Jan"), ("Subject: x", "Subject: y")]
)
def test_another_message_id_sender_date_or_subject_changes_it(change: tuple[str, str]) -> None:
    assert fingerprint(HEAD) != fingerprint(HEAD.replace(*change))


def test_another_body_changes_it() -> None:
    assert fingerprint(HEAD) != fingerprint(HEAD, "Hello!\n")


def test_without_a_message_id_the_whole_mail_counts() -> None:
    without = HEAD.partition("\n")[2]
    assert fingerprint(without) != fingerprint(f"Received: by mx\n{without}")
    assert parse(mail(without)).fingerprint == parse(mail(without).replace(b"\n", b"\r\n")).fingerprint


# ------------------------------------------------------------------ explain


def test_explain_says_what_the_contract_names() -> None:
    found = describe("a.eml", parse(mail("From: Anna <a@client.example>\nDate: Mon, 05 Jan 2026 10:00:00 +0100")))
    assert list(found) == [
        "file", "kind", "auto_response_allowed", "from", "reply_to", "to", "cc", "subject", "message_id", "in_reply_to",
        "references", "date", "text", "reply_text", "html", "attachments", "forward", "bounce", "defects",
    ]  # fmt: skip
    assert found["from"] == {"address": "a@client.example", "name": "Anna"}
    assert found["date"] == "2026-01-05T10:00:00+01:00"
    assert found["forward"] is None
