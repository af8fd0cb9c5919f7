"""Reading never raises, is the same every time, and reads back what was composed: for any bytes at all."""

from __future__ import annotations

import json
from email.message import EmailMessage
from email.policy import SMTP
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from intake.explain import describe
from intake.parsing import (
    addresses,
    charset,
    dates,
    encoded_words,
    html,
    mapi,
    parameters,
    rtf,
    structure,
    tnef,
    transfer,
)
from intake.parsing.attachments import extract
from intake.parsing.body import leaves
from intake.parsing.message import parse
from intake.types import Kind, ParsedMessage
from tests.mails.readings import samples

SAMPLES = [path.read_bytes() for path in samples() if path.stat().st_size < 20_000]
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs", "Cf", "Cn", "Co")),
    min_size=1,
    max_size=30,
)
PIECES = st.sampled_from(
    b"\r\n|\n|\r|\0|--|=?utf-8?b?|?=|multipart/|boundary=|Content-Type: |\xff\xfe|message/rfc822|base64|"
    b'Content-Transfer-Encoding: |charset=|<|>|"|(|\x1b$B|=|;'.split(b"|")
)


def check(parsed: ParsedMessage) -> None:
    """Hold a reading to what every one promises."""
    assert len(parsed.fingerprint) == 64
    assert "\r" not in parsed.text
    assert "\0" not in parsed.text
    assert "\n" not in parsed.subject
    assert isinstance(parsed.kind, Kind)
    assert parsed.date is None or parsed.date.tzinfo is not None
    assert len({attachment.part for attachment in parsed.attachments}) == len(parsed.attachments)
    lines = parsed.text.count("\n") + 1
    assert all(0 <= fold.start < fold.end <= lines for fold in parsed.folds)
    assert all(a.end <= b.start for a, b in pairwise(parsed.folds))
    written = json.dumps(describe("mail.eml", parsed), ensure_ascii=False).encode()
    assert b"\\u0000" not in written.replace(b"\\\\", b"")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Take a sample, and cut, double, replace or insert pieces of it."""
    content = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(content)))
        size = draw(st.integers(0, 200))
        match draw(st.integers(0, 3)):
            case 0:
                del content[at : at + size]
            case 1:
                content[at:at] = content[at : at + size]
            case 2:
                content[at : at + 1] = draw(st.binary(max_size=4))
            case _:
                content[at:at] = draw(PIECES)
    return bytes(content)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(content: bytes) -> None:
    check(parse(content))


@given(st.lists(PIECES | st.binary(max_size=10), max_size=60).map(b"".join))
def test_any_pieces_of_mail_are_read(content: bytes) -> None:
    check(parse(b"From: a@client.example\r\n" + content))


@settings(max_examples=200)
@given(mutated())
def test_a_damaged_sample_is_read_the_same_every_time(content: bytes) -> None:
    parsed = parse(content)
    check(parsed)
    assert parse(content) == parsed


@given(mutated())
def test_no_stage_fails_on_a_damaged_sample(content: bytes) -> None:
    assert not [sentence for sentence in parse(content).defects if "could not be read (" in sentence]


@given(mutated())
def test_attachments_of_a_damaged_sample_are_found_again(content: bytes) -> None:
    for attachment in parse(content).attachments:
        assert extract(content, attachment.part) == attachment.content


@given(mutated())
def test_the_leaves_of_any_mail_have_bytes_and_text(content: bytes) -> None:
    root, _ = structure.split(content)
    for part in leaves(root):
        assert isinstance(part.payload, bytes)
        assert "\r" not in part.text


@given(st.text(max_size=300))
def test_header_readers_take_any_text(value: str) -> None:
    assert "\n" not in encoded_words.decode(value)
    for person in addresses.people(value):
        assert addresses.is_clean(person.address)
    dates.read(value)
    parameters.read(value)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_decoders_take_any_bytes(content: bytes, name: str) -> None:
    assert isinstance(charset.decode(content, name)[0], str)
    assert isinstance(transfer.decode(content, name)[0], bytes)
    assert isinstance(transfer.decode(content, "base64")[0], bytes)
    assert isinstance(transfer.decode(content, "quoted-printable")[0], bytes)
    tnef.read(tnef.SIGNATURE + b"\0\0" + content)
    mapi.read(content)
    rtf.read(b"{\\rtf1" + content)
    rtf.decompress(b"\xff\0\0\0\xff\0\0\0LZFu\0\0\0\0" + content)


@given(st.text(alphabet=st.sampled_from("<>/=\"' abimgsrcpthref:;(){}-!&#x0javascript\n"), max_size=300))
def test_sanitised_html_holds_nothing_that_runs(markup: str) -> None:
    safe, _ = html.sanitise(markup + "<p>x</p>")
    assert safe is not None
    assert "<script" not in safe.lower()
    assert html.sanitise(safe)[0] is not None


@given(WORDS, st.lists(WORDS, min_size=1, max_size=8), st.binary(max_size=300), WORDS)
def test_what_is_composed_is_read_back(subject: str, words: list[str], content: bytes, filename: str) -> None:
    mail = EmailMessage()
    mail["From"] = "sender@client.example"
    mail["Subject"] = subject
    mail["Message-ID"] = "<1@client.example>"
    mail.set_content("Hello\n" + "\n".join(words) + "\n")
    mail.add_attachment(
        content,
        maintype="application",
        subtype="x-test",
        filename=f"{filename.replace('/', '').replace(chr(92), '')}.bin",
    )
    parsed = parse(mail.as_bytes(policy=SMTP))
    assert parsed.text == "Hello\n" + "\n".join(words) + "\n"
    assert [attachment.content for attachment in parsed.attachments] == [content]
    assert parsed.message_id == "1@client.example"
