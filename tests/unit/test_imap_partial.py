"""A mail that is too large becomes a well-formed mail without its large parts, whatever the server says of it."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.parsing.message import parse
from intake.receiving import sequence
from intake.receiving.imap_partial import Partly, fetch_partly, sentences, size_words
from intake.receiving.imap_structure import Branch, Leaf, Node, leaves, read_structure

LIMIT = 20_000


class Server:
    """Hands out a mail part by part, as IMAP does. What is in `refused` it does not hand out."""

    def __init__(self, content: bytes, *, is_mute: bool = False, refused: frozenset[str] = frozenset()) -> None:
        self.content = content
        self._is_mute = is_mute
        self._refused = refused
        self._sections: dict[str, bytes] = {"": content, "HEADER": content.split(b"\r\n\r\n")[0] + b"\r\n\r\n"}
        self._root = self._node(content, "")

    def structure(self, _uid: int) -> Node | None:
        return None if self._is_mute else self._root

    def section(self, _uid: int, name: str, most: int) -> bytes:
        return b"" if name in self._refused else self._sections[name][:most]

    def _node(self, content: bytes, section: str) -> Node:
        header, _, body = content.partition(b"\r\n\r\n")
        message = message_from_bytes(content)
        if section:
            self._sections[f"{section}.MIME"] = header + b"\r\n\r\n"
        if message.is_multipart() and message.get_content_maintype() == "multipart":
            between = b"--" + str(message.get_boundary()).encode()
            below = [part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in body.split(between)[1:-1]]
            numbers = [f"{section}.{number}".lstrip(".") for number in range(1, len(below) + 1)]
            return Branch(section=section, children=tuple(map(self._node, below, numbers)))
        self._sections[section or "1"] = body
        encoding = str(message.get("Content-Transfer-Encoding", "7bit"))
        kind = message.get_content_type()
        return Leaf(section=section or "1", content_type=kind, encoding=encoding, size=len(body))


def mail(text: str = "It is on fire.\n", photo: int = 300_000, note: int = 100) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"], message["Message-ID"] = "anna@example.org", "Printer", "<1@example.org>"
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    message.add_attachment(b"p" * photo, maintype="image", subtype="jpeg", filename="Foto größer.jpg")
    message.add_attachment(b"n" * note, maintype="application", subtype="pdf", filename="note.pdf")
    return message.as_bytes()


def taken(server: Server, limit: int = LIMIT) -> Partly:
    partly = fetch_partly(server, 7, limit)
    assert partly is not None
    return partly


def test_the_large_part_is_left_out_and_everything_else_is_there() -> None:
    partly = taken(Server(mail()))
    read = parse(partly.content)
    assert len(partly.content) < LIMIT
    assert (read.subject, read.message_id, read.text) == ("Printer", "1@example.org", "It is on fire.\n")
    names = {file.filename: file for file in read.attachments}
    assert set(names) == {"Foto größer.jpg (left out).txt", "note.pdf"}
    assert names["note.pdf"].content == b"n" * 100
    said = names["Foto größer.jpg (left out).txt"].content.decode()
    assert said.startswith("“Foto größer.jpg” (300 kB) was left out")
    assert partly.left_out == ("“Foto größer.jpg” (300 kB)",)
    assert read.defects == ("There is no date.",)  # nothing is wrong with how it was put together


def test_the_same_mail_becomes_the_same_bytes_again() -> None:
    content = mail()
    assert taken(Server(content)).content == taken(Server(content)).content


def test_a_text_that_is_too_long_is_cut_at_the_end_of_a_line() -> None:
    partly = taken(Server(mail(text="A line of text.\n" * 5_000)))
    text = parse(partly.content).text
    assert text.startswith("A line of text.\nA line of text.")
    assert set(text.split("\n")) <= {"A line of text.", ""}
    assert any("the end of a text" in each for each in partly.left_out)
    assert len(partly.content) <= LIMIT + 5_000


def test_a_mail_that_is_one_large_text_is_cut() -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = "anna@example.org", "Log"
    message.set_content("A line of text.\n" * 5_000)
    read = parse(taken(Server(message.as_bytes())).content)
    assert read.subject == "Log"
    assert read.text.startswith("A line of text.\n")


def test_a_mail_that_is_one_large_file_keeps_its_header_and_says_so() -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = "anna@example.org", "Backup"
    message.set_content(b"z" * 100_000, maintype="application", subtype="zip", filename="all.zip")
    partly = taken(Server(message.as_bytes()))
    read = parse(partly.content)
    assert (read.subject, [file.filename for file in read.attachments]) == ("Backup", ["all.zip (left out).txt"])
    assert partly.left_out == ("“all.zip” (100 kB)",)


def test_of_a_mail_whose_structure_is_not_told_the_beginning_is_taken() -> None:
    content = mail()
    partly = taken(Server(content, is_mute=True))
    assert (partly.is_cut, partly.content) == (True, content[:LIMIT])
    assert parse(partly.content).subject == "Printer"


def test_of_a_mail_whose_header_is_not_handed_out_the_beginning_is_taken() -> None:
    assert taken(Server(mail(), refused=frozenset({"HEADER"}))).is_cut


def test_a_part_that_is_not_handed_out_is_left_out() -> None:
    read = parse(taken(Server(mail(), refused=frozenset({"3"}))).content)
    assert "note.pdf (left out).txt" in [file.filename for file in read.attachments]


def test_a_mail_of_which_nothing_is_handed_out_is_not_taken() -> None:
    assert fetch_partly(Server(mail(), is_mute=True, refused=frozenset({""})), 7, LIMIT) is None


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60_000), st.integers(0, 60_000), st.integers(100, 40_000))
def test_what_is_taken_never_grows_far_over_the_limit(photo: int, note: int, limit: int) -> None:
    server = Server(mail(photo=photo, note=note))
    partly = taken(server, limit)
    assert len(partly.content) < limit + 5_000
    assert parse(partly.content).subject == "Printer"


NONSENSE: tuple[object, ...] = (
    None,
    (),
    b"text",
    (b"text",),
    (b"text", b"plain", None, None, None, b"7bit", b"many"),
    (None, None, None, None, None, None, 5),
    ([],),
    ([(b"text", b"plain"), b"x"], b"mixed"),
)


@pytest.mark.parametrize("told", NONSENSE)
def test_a_structure_that_makes_no_sense_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="no"):
        read_structure(told)


def test_a_structure_that_is_too_deep_or_has_too_many_parts_is_refused() -> None:
    leaf = (b"text", b"plain", None, None, None, b"7bit", 5, 1)
    deep: object = leaf
    for _ in range(100):
        deep = ([deep], b"mixed")
    with pytest.raises(ValueError, match="no part"):
        read_structure(deep)
    with pytest.raises(ValueError, match="too many"):
        read_structure(([leaf] * 600, b"mixed"))


def test_parts_are_numbered_as_imap_does() -> None:
    leaf = (b"TEXT", b"PLAIN", None, None, None, None, 5, 1)
    told = ([([leaf, leaf], b"alternative"), leaf], b"mixed")
    assert [each.section for each in leaves(read_structure(told))] == ["1.1", "1.2", "2"]
    assert leaves(read_structure(leaf))[0] == Leaf(section="1", content_type="text/plain", encoding="7bit", size=5)


def test_what_people_are_told_names_the_place_and_some_of_the_parts() -> None:
    many = Partly(content=b"x", left_out=tuple(f"“{number}.jpg” (2 MB)" for number in range(30)))
    told = sentences(many, 60_000_000, 25_000_000, "the mailbox's folder “INBOX” (UID 7)")
    assert told[0] == (
        "The mail is 60 MB large, over the limit of 25 MB, so its large parts were left out. "
        "The whole mail stays in the mailbox's folder “INBOX” (UID 7)."
    )
    assert (told[1], told[-1], len(told)) == ("Left out: “0.jpg” (2 MB).", "Left out: 10 more parts.", 22)
    assert [size_words(size) for size in (5, 48_000, 48_000_000)] == ["5 bytes", "48 kB", "48 MB"]


@given(st.sets(st.integers(1, 2**32 - 1)))
def test_a_sequence_set_says_the_same_uids(uids: set[int]) -> None:
    assert sequence.from_text(sequence.to_text(uids)) == uids


def test_a_sequence_set_is_short() -> None:
    assert sequence.to_text([9, 4, 7, 8]) == "4,7:9"
    assert sequence.to_text(range(1, 100_001)) == "1:100000"
    assert sequence.to_text([]) == ""
