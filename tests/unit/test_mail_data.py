"""The end of SMTP mail data, its dots and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.receiving.mail_data import END, MailData, Pace, Refusal, Room

PIECES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"a", b"\r\n.", b"bc\r\n"]), max_size=30).map(b"".join)


def read(chunks: list[bytes], limit: int = 10_000, room: int = 10_000) -> tuple[bytes | Refusal, bytes | None]:
    with MailData(limit, Room(room)) as data:
        rest = None
        for chunk in chunks:
            assert rest is None, "nothing may be fed after the end"
            rest = data.feed(chunk)
        return data.content(), rest


@pytest.mark.parametrize(
    "false_end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r", b"\r\r\n.\r\r\n"]
)
def test_only_crlf_dot_crlf_ends_a_mail(false_end: bytes) -> None:
    content, rest = read([b"first" + false_end + b"MAIL FROM:<x@y.example>\r\n", b".\r\n"])
    assert rest == b""
    assert isinstance(content, bytes)
    assert content.endswith(b"MAIL FROM:<x@y.example>\r\n")


def test_the_end_is_found_wherever_the_chunks_are_cut() -> None:
    whole = b"hello\r\n.\r\nNOOP\r\n"
    for cut in range(1, 10):
        first = read([whole[:cut], whole[cut:10]]) if cut < 10 else None
        assert first == (b"hello\r\n", b"")


def test_a_mail_may_be_empty() -> None:
    assert read([b".\r\n"]) == (b"", b"")


def test_what_follows_the_end_is_given_back() -> None:
    assert read([b"a\r\n.\r\nMAIL FROM:<>\r\n"])[1] == b"MAIL FROM:<>\r\n"


def test_stuffed_dots_are_removed_at_the_beginning_of_lines_only() -> None:
    assert read([b"..\r\n..a\r\nb..\r\n...\r\n.\r\n"])[0] == b".\r\n.a\r\nb..\r\n..\r\n"


def test_a_mail_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    assert read([b"x" * 98, b"\r\n.\r\n"], limit=100)[0] == b"x" * 98 + b"\r\n"
    assert read([b"x" * 99, b"\r\n.\r\n"], limit=100)[0] is Refusal.TOO_LARGE


def test_stuffed_dots_do_not_count() -> None:
    assert read([b"..\r\n" * 25, b".\r\n"], limit=75)[0] == b".\r\n" * 25


def test_a_mail_that_is_too_large_is_still_read_to_its_end() -> None:
    content, rest = read([b"x" * 500] * 10 + [b"\r\n.\r\nQUIT\r\n"], limit=100, room=100_000)
    assert (content, rest) == (Refusal.TOO_LARGE, b"QUIT\r\n")


def test_nothing_of_a_mail_that_is_too_large_is_kept() -> None:
    room = Room(10**9)
    with MailData(100, room) as data:
        for _ in range(100):
            data.feed(b"x" * 1000)
        assert room.free == 10**9
        assert len(data._data) == 4


def test_mails_share_their_room_and_give_it_back() -> None:
    room = Room(150)
    with MailData(1000, room) as first, MailData(1000, room) as second:
        first.feed(b"x" * 100)
        second.feed(b"x" * 100)
        second.feed(b"\r\n.\r\n")
        assert second.content() is Refusal.NO_ROOM
        first.feed(b"\r\n.\r\n")
        assert first.content() == b"x" * 100 + b"\r\n"
    assert room.free == 150


@settings(deadline=None)
@given(PIECES, st.lists(st.integers(0, 60), max_size=6))
def test_any_content_comes_through_however_it_is_cut(content: bytes, cuts: list[int]) -> None:
    body = content + b"\r\n"
    stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
    wire = stuffed + END[2:] + b"NEXT"
    ends = sorted({cut for cut in cuts if 0 < cut < len(stuffed) + 3})
    chunks = [wire[a:b] for a, b in zip([0, *ends], [*ends, len(wire)], strict=True)]
    assert read(chunks) == (body, b"NEXT")


def test_data_that_keeps_coming_keeps_the_pace() -> None:
    pace = Pace(100, 60, 0)
    assert all(pace.is_kept(10, now) for now in range(5, 600, 5))


def test_data_that_dribbles_does_not_keep_the_pace() -> None:
    pace = Pace(100, 60, 0)
    kept = [pace.is_kept(1, now) for now in range(1, 61)]
    assert kept == [True] * 59 + [False]


def test_a_burst_does_not_count_for_the_next_span() -> None:
    pace = Pace(100, 60, 0)
    assert pace.is_kept(1_000_000, 59)
    assert pace.is_kept(1, 61)
    assert not pace.is_kept(1, 122)
