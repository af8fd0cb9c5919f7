"""What goes out says what it should, threads everywhere, and is read back as it was meant."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.outbound import headerfields, wording
from intake.outbound.compose import CannotComposeError, compose, plus_address
from intake.outbound.letter import (
    AccountMail,
    AccountTemplate,
    Acknowledgement,
    Content,
    File,
    Quote,
    Reply,
    StatusNotice,
    Thread,
)
from intake.parsing.message import parse
from intake.types import Kind, Person
from tests.outgoing import ANNA, DESK, MOMENT, letter

NAMES = st.text(st.characters(codec="utf-8"), max_size=60)
HOSTILE = st.text(st.sampled_from('\r\n\0\t :;,<>@"\\=?utf-8bqABC\u2028\u0085é☃𝕏中\ud800'), max_size=60)
TEXTS = st.one_of(NAMES, HOSTILE)


def read(content: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


def thread(subject: str = "Printer", **changes: object) -> Thread:
    return Thread(**({"number": 7, "subject": subject} | changes))  # type: ignore[arg-type]  # of the right types


@pytest.mark.parametrize(
    ("content", "submitted", "kind"),
    [
        (Acknowledgement(written_at=MOMENT), "auto-replied", Kind.AUTO_REPLY),
        (StatusNotice(old="open", new="resolved", actor="Jonas Okafor"), "auto-generated", Kind.AUTO_GENERATED),
        (AccountMail(template=AccountTemplate.RESET, token="abc"), "auto-generated", Kind.AUTO_GENERATED),
    ],
)
def test_automatic_mail_says_so_and_a_reply_does_not(content: Content, submitted: str, kind: Kind) -> None:
    mail = compose(letter(content))
    assert read(mail)["Auto-Submitted"] == submitted
    assert read(mail)["X-Auto-Response-Suppress"] == "All"
    assert parse(mail).kind is kind
    reply = compose(letter(Reply(text="Hello")))
    assert read(reply)["Auto-Submitted"] is None
    assert parse(reply).kind is Kind.NORMAL


def test_every_mail_carries_the_loop_mark() -> None:
    assert parse(compose(letter(Reply(text="Hello")))).loop_mark == "mark"


@pytest.mark.parametrize(
    ("subject", "composed"),
    [
        ("Printer", "Re: [#7] Printer"),
        ("Re: [#7] Printer", "Re: [#7] Printer"),
        ("AW: Re: [#7]  SV: Printer", "Re: [#7] Printer"),
        ("[#9] [#7] Printer", "Re: [#7] Printer"),
        ("", "Re: [#7]"),
        ("Region: north", "Re: [#7] Region: north"),
    ],
)
def test_the_subject_has_the_tag_once(subject: str, composed: str) -> None:
    assert parse(compose(letter(Reply(text="x"), thread=thread(subject)))).subject == composed


def test_the_thread_keeps_its_first_and_its_newest_message_ids_unbroken() -> None:
    ids = tuple(f"{number}.{'x' * 200}@mail.example" for number in range(200))
    mail = compose(letter(thread=thread(message_ids=ids, answers=ids[-1])))
    parsed = parse(mail)
    assert parsed.references == (ids[0], *ids[-50:])
    assert parsed.in_reply_to == ids[-1]
    assert max(len(line) for line in mail.split(b"\r\n")) <= 998
    assert b"=?" not in mail.partition(b"\r\n\r\n")[0]


def test_what_is_no_message_id_stays_out_of_the_thread() -> None:
    ids = ("a b@c", "a>\r\nBcc: <x", "é@c", "good@c", "x" * 1000)
    assert parse(compose(letter(thread=thread(message_ids=ids)))).references == ("good@c",)


def test_an_acknowledgement_quotes_nothing_and_greets_only_names() -> None:
    spam = Person(address=ANNA.address, name="Buy at http://bad.example now")
    text = parse(compose(letter(recipient=spam))).text
    assert "Hello, it is ticket 4821 now" in text
    assert "bad.example" not in text


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Anna Kowalczyk", "Hello Anna,"),
        ("Kowalczyk, Anna", "Hello Anna,"),
        ("Dr. Anna Kowalczyk", "Hello Anna,"),
        ("Jean-Luc O’Neill", "Hello Jean-Luc,"),
        ("李雷", "Hello 李雷,"),
        ("", "Hello,"),
        ("support@x.example", "Hello,"),
        ("www.bad.example", "Hello,"),
        ("5000$ for you", "Hello,"),
    ],
)
def test_a_greeting(name: str, greeting: str) -> None:
    assert wording.greeting(name) == greeting


def test_a_quote_gives_away_no_token() -> None:
    said = "Write to support+7-abcdefgh234567ab@desk.example or https://desk.example/reset/reset-1-2-abcdefghijklmnop"
    quote = Quote(author=None, written_at=MOMENT, text=said)
    text = parse(compose(letter(Reply(text="Hello", quote=quote)))).text
    assert "abcdefgh" not in text
    assert "support+7-…@desk.example" in text


def test_a_long_quote_is_cut() -> None:
    lines = wording.quoted(Quote(author=None, written_at=MOMENT, text="word " * 100_000))
    assert len(lines) == wording.MAX_QUOTED_LINES + 1
    assert lines[-1] == "…"


def test_a_reply_reads_as_written_and_only_what_is_new_is_the_reply() -> None:
    text = "Hello Anna,\n\n    indented, see https://x.example/?a=1&b=<2>.\n.\nFrom here on: Grüße\nJonas\n"
    quote = Quote(author="Anna", written_at=MOMENT, text="It is on fire.")
    parsed = parse(compose(letter(Reply(text=text, quote=quote))))
    assert parsed.text.startswith(text)
    assert parsed.reply_text == text.rstrip("\n")
    assert "<2>" not in (parsed.html or "")


def test_html_of_a_reply_can_hold_no_markup_of_its_author() -> None:
    mail = compose(letter(Reply(text="<script>alert(1)</script> http://x.example/\"onclick='a' <b>")))
    body = read(mail).get_body(("html",))
    assert body is not None
    assert "<script>" not in body.get_content()
    assert "onclick='a'" not in body.get_content()


def test_an_address_that_is_none_is_refused_with_a_reason() -> None:
    with pytest.raises(CannotComposeError, match="no address"):
        compose(letter(recipient=Person(address="anna@brightmill.example\r\nBcc: x@y.example")))


def test_a_domain_outside_of_ascii_is_written_in_ascii_and_a_local_part_in_utf_8() -> None:
    people = (Person(address="jürgen@bücher.example", name="Jürgen"),)
    mail = compose(letter(to=people))
    assert "<jürgen@xn--bcher-kva.example>".encode() in mail
    assert parse(mail).to == (Person(address="jürgen@xn--bcher-kva.example", name="Jürgen"),)


def test_a_plus_address_that_would_be_too_long_is_not_made() -> None:
    assert plus_address("support@desk.example", "7-abc") == "support+7-abc@desk.example"
    assert plus_address(f"{'s' * 60}@desk.example", "7-abc") is None


def test_an_attached_mail_or_page_is_only_a_file() -> None:
    assert headerfields.content_type("message/rfc822") == "application/octet-stream"
    assert headerfields.content_type('text/plain; name="x"\r\nX: y') == "application/octet-stream"


def test_the_same_letter_is_the_same_mail() -> None:
    assert compose(letter(Reply(text="Hello"))) == compose(letter(Reply(text="Hello")))


@settings(max_examples=300, deadline=None)
@given(subject=TEXTS, name=TEXTS, desk=TEXTS, filename=TEXTS, text=TEXTS)
def test_nothing_can_be_injected(subject: str, name: str, desk: str, filename: str, text: str) -> None:
    anna = Person(address=ANNA.address, name=name)
    file = File(filename=filename, content_type=text, content=b"%PDF-1.4\n")
    mail = compose(
        letter(
            Reply(text=text, files=(file,), quote=Quote(author=name, written_at=MOMENT, text=text)),
            sender=Person(address=DESK.address, name=desk),
            recipient=anna,
            to=(anna,),
            reply_to="support+7-abc@desk.example",
            thread=thread(subject),
        )
    )
    header = mail.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in header.split(b"\r\n") if not line.startswith(b" ")]
    assert names == [
        b"From", b"To", b"Reply-To", b"Subject", b"Date", b"Message-ID", b"X-Letterdesk-Loop", b"MIME-Version",
        b"Content-Type",
    ]  # fmt: skip
    assert b"\0" not in mail
    assert mail.replace(b"\r\n", b"").count(b"\n") == mail.replace(b"\r\n", b"").count(b"\r") == 0
    assert len(parse(mail).attachments) == 1


def tidy(value: str) -> str:
    return headerfields.clean(value)


@settings(max_examples=300, deadline=None)
@given(subject=NAMES, name=NAMES, cc=NAMES, text=NAMES, filename=NAMES, content=st.binary(max_size=300))
def test_what_is_composed_is_read_back(
    subject: str, name: str, cc: str, text: str, filename: str, content: bytes
) -> None:
    anna, piotr = (
        Person(address=address, name=tidy(f"A {said} z"))
        for address, said in ((ANNA.address, name), ("p@x.example", cc))
    )
    file = File(filename=f"x{tidy(filename)}.bin", content_type="application/x-own", content=content)
    mail = compose(
        letter(
            Reply(text=text, files=(file,)),
            recipient=anna,
            to=(anna,),
            cc=(piotr,),
            thread=thread(f"x {subject}", message_ids=("a@b", "c@d"), answers="c@d"),
        )
    )
    parsed = parse(mail)
    assert parsed.subject == f"Re: [#7] {tidy(f'x {subject}')}"
    assert (parsed.sender, parsed.to, parsed.cc) == (DESK, (anna,), (piotr,))
    assert (parsed.message_id, parsed.in_reply_to) == ("t4821.abc.def@desk.example", "c@d")
    assert (parsed.references, parsed.date) == (("a@b", "c@d"), MOMENT)
    (attachment,) = parsed.attachments
    assert (attachment.content, attachment.content_type) == (content, "application/x-own")
    assert parsed.defects == ()
    body = read(mail).get_body(("plain",))
    assert body is not None
    assert parsed.text.rstrip() == body.get_content().replace("\r\n", "\n").rstrip()
