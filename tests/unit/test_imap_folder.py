"""Which UIDs of a folder are looked at, and in which batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from imapclient.exceptions import IMAPClientError

from intake.receiving.imap_folder import BATCH_MAILS, PIECE, SEARCH_WINDOW, Folder, Standing, batches


class Server:
    """The part of an IMAP client that a folder needs, over a list of UIDs."""

    def __init__(self, uids: list[int]) -> None:
        self.uids = uids
        self.searches = 0

    def select_folder(self, _name: str, *, readonly: bool) -> dict[bytes, Any]:
        assert not readonly
        return {b"UIDVALIDITY": 1, b"EXISTS": len(self.uids), b"UIDNEXT": max(self.uids, default=0) + 1}

    def search(self, criteria: list[str]) -> list[int]:
        self.searches += 1
        first, last = criteria[1].split(":")
        ends = sorted((int(first), max(self.uids, default=0) if last == "*" else int(last)))
        found = [uid for uid in self.uids if ends[0] <= uid <= ends[1]]  # RFC 9051: 9:* is 8:9 where 8 is the highest
        return found[::-1]


class ServerWithLargePart(Server):
    """Hands out a part of three pieces, up to the piece that it refuses."""

    def __init__(self, refused: int) -> None:
        super().__init__([1])
        self.content = bytes(range(256)) * (3 * PIECE // 256)
        self.refused = refused

    def fetch(self, uids: list[int], wanted: list[str]) -> dict[int, dict[bytes, bytes]]:
        start, length = map(int, wanted[0].partition("<")[2].rstrip(">").split("."))
        if start // PIECE == self.refused:
            raise IMAPClientError("cannot read that")
        return {uids[0]: {b"BODY[2]<%d>" % start: self.content[start : start + length]}}


def uids_after(server: Server, last: int) -> list[int]:
    return list(Folder(server, "INBOX").uids_after(last))


def test_uids_come_in_order_and_the_last_one_does_not_come_again() -> None:
    assert uids_after(Server([3, 5, 9]), 3) == [5, 9]
    assert uids_after(Server([3, 5, 9]), 9) == []
    assert uids_after(Server([]), 0) == []


def test_a_very_large_folder_is_searched_piece_by_piece() -> None:
    server = Server(list(range(1, SEARCH_WINDOW * 2 + 13)))
    assert uids_after(server, 10) == server.uids[10:]
    assert server.searches == 3


def test_a_large_part_is_fetched_whole_or_not_at_all() -> None:
    whole, cut = ServerWithLargePart(refused=9), ServerWithLargePart(refused=2)
    assert Folder(whole, "INBOX").section(1, "2", 10 * PIECE) == whole.content
    assert Folder(whole, "INBOX").section(1, "2", PIECE + 7) == whole.content[: PIECE + 7]
    assert Folder(cut, "INBOX").section(1, "2", 10 * PIECE) == b""


@settings(deadline=None)
@given(st.lists(st.integers(0, 3_000), max_size=200))
def test_batches_keep_the_order_and_their_limits(sizes: list[int]) -> None:
    mails = [Standing(uid=number, size=size, internal_date=None) for number, size in enumerate(sizes)]
    cut = list(batches(mails, most_bytes=2_000))
    assert [mail for batch in cut for mail in batch] == mails
    for batch in cut:
        assert 1 <= len(batch) <= BATCH_MAILS
        assert len(batch) == 1 or sum(mail.size or 0 for mail in batch) <= 2_000
