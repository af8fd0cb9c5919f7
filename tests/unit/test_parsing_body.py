"""Structure, charsets, transfer encodings and the choice of the body."""

from __future__ import annotations

import base64
from email.message import Message

import pytest

from intake.parsing import body, charset, flowed, structure, transfer
from intake.parsing.headers import Headers
from intake.parsing.limits import MAX_DEPTH, MAX_PARTS
from intake.parsing.message import parse


def mail(content_type: str, text: str) -> bytes:
    return f"From: a@client.example\nContent-Type: {content_type}\n\n{text}".encode()


def multipart(kind: str, *parts: str, boundary: str = "b") -> bytes:
    inside = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return mail(f"multipart/{kind}; boundary={boundary}", f"{inside}--{boundary}--\n")


PLAIN = "Content-Type: text/plain\n\nplain text"
HTML = "Content-Type: text/html\n\n<p>html text</p>"
FILE = "Content-Type: application/pdf; name=a.pdf\n\n%PDF-1.4"


@pytest.mark.parametrize(
    ("content", "declared", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), "iso-8859-1", "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("„Grüße“ – 5 €".encode("cp1252"), "iso-8859-1", "„Grüße“ – 5 €"),
        ("朱镕".encode("gb18030"), "gb2312", "朱镕"),
        ("똠방각하".encode("cp949"), "ks_c_5601-1987", "똠방각하"),
        ("①㈱".encode("cp932"), "Shift_JIS", "①㈱"),
        ("こんにちは".encode("iso-2022-jp"), "us-ascii", "こんにちは"),
        ("こんにちは".encode("iso-2022-jp"), None, "こんにちは"),
        ("Привет".encode("koi8-r"), "koi8r", "Привет"),
        ("Привет".encode("cp1251"), "win-1251", "Привет"),
        ("שלום".encode("iso-8859-8"), "iso-8859-8-i", "שלום"),
        ("สวัสดี".encode("tis-620"), "tis-620", "สวัสดี"),
        ("Grüße".encode("utf-7"), "unicode-1-1-utf-7", "Grüße"),
        ("\ufeffGrüße".encode(), "utf-8", "Grüße"),
        ("\ufeffGrüße".encode("utf-16-le"), "utf-16", "Grüße"),
        ("Grüße".encode(), '"utf-8"', "Grüße"),
        ("Grüße".encode(), "x-utf-8", "Grüße"),
        ("Grüße".encode(), "windows-1252", "Grüße"),
        (b"plain", "rot13", "plain"),
        (b"plain", "idna", "plain"),
        (b"", "utf-8", ""),
    ],
)
def test_text_is_decoded_whatever_is_declared(content: bytes, declared: str | None, text: str) -> None:
    assert charset.decode(content, declared)[0] == text


def test_a_few_wrong_bytes_do_not_change_the_charset() -> None:
    text, defect = charset.decode("Все работает хорошо, спасибо большое".encode() + b"\xff", "utf-8")
    assert text.startswith("Все работает")
    assert defect


def test_a_wrong_charset_is_a_defect() -> None:
    assert charset.decode("Grüße".encode(), "us-ascii")[1] is not None
    assert charset.decode(b"plain", "us-ascii")[1] is None


@pytest.mark.parametrize(
    ("content", "encoding", "decoded"),
    [
        (b"SGVsbG8=", "base64", b"Hello"),
        (b"SGVsbG8", "BASE64", b"Hello"),
        (b"SGVs\r\nbG8=\r\n", "base64", b"Hello"),
        (b"SGVs!bG8gd29y*bGQ=", "base64", b"Hello world"),
        (b"SGVsbG8=SGVsbG8=", "base64", b"HelloHello"),
        (b"This is no base64 at all.", "base64", b"This is no base64 at all."),
        (b"caf=C3=A9 =\r\nau lait", "quoted-printable", "café au lait".encode()),
        (b"caf=C3=A9", "Quoted-Printable;", "café".encode()),
        (b"100 =XY", "quoted-printable", b"100 =XY"),
        (b"as it is", "7-bit", b"as it is"),
        (b"as it is", None, b"as it is"),
        (b"as it is", "x-unknown", b"as it is"),
        (b"begin 644 a\n%2&5L;&\\\n`\nend\n", "x-uuencode", b"Hello"),
    ],
)
def test_transfer_encodings_are_undone_as_far_as_they_go(content: bytes, encoding: str | None, decoded: bytes) -> None:
    assert transfer.decode(content, encoding)[0] == decoded


def test_text_below_base64_stays_in_a_text_and_not_in_a_file() -> None:
    content = base64.encodebytes(b"Hello, this is a longer text") + b"_______\nusers mailing list\n"
    assert transfer.decode(content, "base64", is_text=True)[0].endswith(b"users mailing list\n")
    assert transfer.decode(content, "base64")[0] == b"Hello, this is a longer text"


def test_the_plain_side_of_an_alternative_is_the_text_and_the_other_the_html() -> None:
    parsed = parse(multipart("alternative", PLAIN, HTML))
    assert parsed.text == "plain text"
    assert parsed.html == "<p>html text</p>"
    assert parsed.attachments == ()


def test_an_empty_plain_side_gives_way_to_the_html() -> None:
    assert parse(multipart("alternative", "Content-Type: text/plain\n\n \n", HTML)).text == "html text"


def test_a_text_after_an_attachment_is_part_of_the_body() -> None:
    parsed = parse(multipart("mixed", PLAIN, FILE, "Content-Type: text/plain\n\nmore text"))
    assert parsed.text == "plain text\n\nmore text"
    assert [attachment.filename for attachment in parsed.attachments] == ["a.pdf"]


def test_plain_text_and_html_side_by_side_are_both_shown() -> None:
    parsed = parse(multipart("mixed", PLAIN, HTML))
    assert parsed.text == "plain text\n\nhtml text"
    assert parsed.html is not None
    assert "plain text" in parsed.html


def test_a_text_that_is_called_an_attachment_is_one() -> None:
    attached = "Content-Type: text/plain\nContent-Disposition: attachment\n\nnot the body"
    parsed = parse(multipart("mixed", PLAIN, attached))
    assert parsed.text == "plain text"
    assert [attachment.content for attachment in parsed.attachments] == [b"not the body"]


@pytest.mark.parametrize(
    "content",
    [
        multipart("mixed", PLAIN)[:-6],
        multipart("mixed", PLAIN).replace(b"boundary=b", b"x=y").replace(b"--b", b"--long-boundary"),
        multipart("mixed", PLAIN).replace(b"boundary=b", b"boundary=c").replace(b"--b", b"words"),
        b"From: a@client.example\nplain text",
        b"plain text",
        b"\n\nplain text",
        b"From a@client.example Mon Jan  5 10:00:00 2026\nFrom: a@client.example\n\nplain text",
        b"From: a@client.example\r\rplain text",
        mail("multipart/mixed", "plain text"),
        mail("message/rfc822; boundary=b", "").replace(b"message/rfc822", b"text/plain") + b"plain text",
        mail("nonsense", "plain text"),
    ],
)
def test_a_broken_mail_still_has_its_text(content: bytes) -> None:
    assert "plain text" in parse(content).text


def test_a_boundary_that_is_the_beginning_of_another_is_no_boundary_of_it() -> None:
    inner = multipart("mixed", PLAIN, boundary="b2").decode().partition("\n")[2]
    parsed = parse(multipart("mixed", inner, "Content-Type: text/plain\n\nouter text"))
    assert parsed.text == "plain text\n\nouter text"


def test_parts_beyond_the_limit_are_left_out_with_a_defect() -> None:
    parsed = parse(mail("multipart/mixed; boundary=b", "--b\n\nx\n" * (MAX_PARTS + 50)))
    assert any("more than" in defect for defect in parsed.defects)


def test_levels_beyond_the_limit_are_not_split() -> None:
    content = "".join(f"Content-Type: multipart/mixed; boundary=b{n}x\n\n--b{n}x\n" for n in range(MAX_DEPTH * 2))
    parsed = parse(content.encode() + b"\nplain text\n")
    assert any("levels deep" in defect for defect in parsed.defects)
    assert "plain text" in parsed.text


def test_leaves_have_the_paths_of_imap() -> None:
    inner = multipart("alternative", PLAIN, HTML, boundary="c").decode().partition("\n")[2]
    root, _ = structure.split(multipart("mixed", inner, FILE))
    assert [part.path for part in body.leaves(root)] == ["1.1", "1.2", "2"]


def test_the_tree_is_walked_as_the_standard_library_does() -> None:
    root, _ = structure.split(multipart("mixed", PLAIN, FILE))
    assert [part.get_content_type() for part in root.walk()] == ["multipart/mixed", "text/plain", "application/pdf"]
    assert [part.get_payload(decode=True) for part in root.walk()] == [None, b"plain text", b"%PDF-1.4"]


def test_a_delivery_report_is_split_into_its_blocks() -> None:
    root, _ = structure.split(
        mail("message/delivery-status", "Reporting-MTA: dns; x\n\nAction: failed\nStatus: 5.1.1\n")
    )
    assert [block["Action"] for block in root.get_payload()] == [None, "failed"]


def test_flowed_text_gets_its_paragraphs_back() -> None:
    message = Message()
    message["Content-Type"] = "text/plain; format=flowed"
    headers = Headers(message)
    assert flowed.unfold("one \ntwo\n\nthree", headers) == "one two\n\nthree"
    assert flowed.unfold("> one \n> two\n>> three", headers) == "> one two\n>> three"
    assert flowed.unfold("text \n-- \nAnna", headers) == "text \n-- \nAnna"
    assert flowed.unfold(" >not a quote", headers) == ">not a quote"
