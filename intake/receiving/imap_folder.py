"""A folder on an IMAP server: what is new in it, how large, and the bytes; nothing is marked as read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from intake.receiving.imap_connection import ImapFault, said
from intake.receiving.imap_structure import Node, read_structure

BATCH_MAILS = 50
BATCH_BYTES = 8 * 1024 * 1024
SIZES_AT_ONCE = 500
MOST_REFUSALS = 20  # a server that refuses so many mails one by one is not asked for more of them
PIECE = 1024 * 1024  # bytes of a large section that are asked for at once
SEARCH_WINDOW = 50_000  # imaplib takes no line over 1 MB, and a search answers in one line

GARBAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What imapclient raises on answers that are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A mail on the server: its size in bytes, and when the server got it (INTERNALDATE), where it says."""

    uid: int
    size: int | None
    internal_date: datetime | None


class FolderFault(ImapFault):
    """One folder cannot be read now; the others can."""


class Folder:
    """A selected folder. All methods raise IMAPClientError and OSError as they come."""

    def __init__(self, client: IMAPClient, name: str, *, readonly: bool = False) -> None:
        self.name = name
        self._client = client
        try:
            selected = client.select_folder(name, readonly=readonly)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise FolderFault(
                f"The folder “{name}” cannot be opened: {said(error).rstrip('.')}. If it was renamed or removed, "
                "name all that are to be read: letterdesk mailbox set ADDRESS --folder NAME --folder NAME"
            ) from error
        if b"UIDVALIDITY" not in selected:
            raise FolderFault(f"The folder “{name}” has no UIDVALIDITY, so its mails cannot be told apart")
        self.uidvalidity = int(selected[b"UIDVALIDITY"])
        self.exists = int(selected.get(b"EXISTS", 0))
        self._next = int(selected.get(b"UIDNEXT", 0))

    def end_before(self, last: int) -> int | None:
        """The highest UID that was given to a mail here, where that is below `last`; None where it is not.

        Nor where the folder holds a mail beyond the end that the server tells (UIDNEXT).
        """
        is_before = 0 < self._next <= last and not self._search(self._next, None)
        return self._next - 1 if is_before else None

    def uids_after(self, last: int) -> Iterator[int]:
        """All UIDs above `last`, in order. A large folder is searched piece by piece."""
        for first, end in self._windows(last + 1):
            yield from self._search(first, end)

    def windows(self, last: int, since: date | None = None) -> Iterator[tuple[int, int, list[int]]]:
        """The UIDs up to `last`, in pieces: from, to, and the UIDs there of mails that came on that day or later."""
        for first, end in self._windows(1):
            if first <= last:
                upto = min(end or last, last)
                yield first, upto, self._search(first, upto, since)

    def _windows(self, first: int) -> Iterator[tuple[int, int | None]]:
        """Ranges that are searched at once; None is the end of the folder."""
        if self.exists <= SEARCH_WINDOW or not self._next:
            yield first, None
            return
        for start in range(first, self._next, SEARCH_WINDOW):
            yield start, start + SEARCH_WINDOW - 1

    def standings(self, uids: Sequence[int]) -> list[Standing]:
        """Sizes and dates of mails, in order of UID; those that have gone meanwhile are left out."""
        told = self.told(uids)
        found = {standing.uid for standing in told}
        silent = self.still_there([uid for uid in uids if uid not in found])
        told += [Standing(uid=uid, size=None, internal_date=None) for uid in silent]
        return sorted(told, key=lambda standing: standing.uid)

    def told(self, uids: Sequence[int]) -> list[Standing]:
        """The same, but only of mails of which the server says something: one question."""
        answers = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        return [
            Standing(uid=uid, size=answer.get(b"RFC822.SIZE"), internal_date=_in_utc(answer.get(b"INTERNALDATE")))
            for uid, answer in sorted(answers.items())
        ]

    def still_there(self, uids: Sequence[int]) -> list[int]:
        """Which of `uids` the folder still holds, in order."""
        found: set[int] = set()
        for start in range(0, len(uids), SIZES_AT_ONCE):
            found.update(self._client.search(["UID", ",".join(map(str, uids[start : start + SIZES_AT_ONCE]))]))
        return sorted(found.intersection(uids))

    def contents(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The whole mails, where the server hands them out. One that it cannot hand out costs only itself."""
        found = self._fetch(uids)
        for uid in uids:
            if uid not in found and len(uids) > 1:
                found |= self._fetch([uid])
        return found

    def beginnings(self, uids: Sequence[int], length: int) -> dict[int, bytes]:
        """The first `length` bytes of mails; those that are empty or not handed out are left out.

        One that is refused costs only itself, unless the server refuses all.
        """
        found = self._beginnings(uids, length)
        refused = 0
        for uid in uids:
            if uid not in found and len(uids) > 1 and refused < MOST_REFUSALS:
                found |= self._beginnings([uid], length)
                refused += uid not in found
        return found

    def _beginnings(self, uids: Sequence[int], length: int) -> dict[int, bytes]:
        try:
            answers = self._client.fetch(uids, [f"BODY.PEEK[]<0.{length}>"])
        except IMAPClientAbortError:
            raise
        except (IMAPClientError, *GARBAGE):
            return {}
        return {uid: found for uid, answer in answers.items() if (found := _section_of(answer))}

    def structure(self, uid: int) -> Node | None:
        """The parts of a mail; None where the server does not say, or says what makes no sense."""
        try:
            answers = self._client.fetch([uid], ["BODYSTRUCTURE"])
            return read_structure(answers[uid][b"BODYSTRUCTURE"])
        except IMAPClientAbortError:
            raise
        except (IMAPClientError, *GARBAGE):
            return None

    def section(self, uid: int, name: str, most: int) -> bytes:
        """The first `most` bytes of a section (RFC 9051 section 6.4.5), fetched in pieces; less where there is less.

        Nothing where the server refuses one of the pieces: a part that is cut off would pass for a whole one.
        """
        pieces: list[bytes] = []
        got = 0
        while got < most:
            wish = min(PIECE, most - got)
            piece = self._piece(uid, name, got, wish)
            if piece is None:
                return b""
            pieces.append(piece)
            got += len(piece)
            if len(piece) < wish:
                break
        return b"".join(pieces)[:most]

    def _piece(self, uid: int, name: str, start: int, length: int) -> bytes | None:
        """A piece of a section, empty behind its end; None where the server does not hand it out."""
        try:
            answer = self._client.fetch([uid], [f"BODY.PEEK[{name}]<{start}.{length}>"]).get(uid, {})
        except IMAPClientAbortError:
            raise
        except (IMAPClientError, *GARBAGE):
            return None
        return _section_of(answer)

    def _search(self, first: int, last: int | None, since: date | None = None) -> list[int]:
        dated = ["SINCE", since] if since else []
        found = self._client.search(["UID", f"{first}:{last or '*'}", *dated])
        return sorted(uid for uid in found if uid >= first)  # "9:*" is "8:9" where 8 is the highest

    def _fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        try:
            answers = self._client.fetch(uids, ["BODY.PEEK[]"])
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            return {}
        return {uid: answer[b"BODY[]"] for uid, answer in answers.items() if answer.get(b"BODY[]") is not None}


def _section_of(answer: Mapping[bytes, object]) -> bytes:
    found = next((value for word, value in answer.items() if word.startswith(b"BODY[")), None)
    return found if isinstance(found, bytes) else b""


def _in_utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC; None where there is none, or it lies beyond the years that there are."""
    try:
        return moment.astimezone(UTC) if moment is not None else None
    except OverflowError:
        return None


def batches(standings: Iterable[Standing], most_bytes: int = BATCH_BYTES) -> Iterator[list[Standing]]:
    """Cut mails into batches of at most 50 mails and `most_bytes`; a larger one stands alone."""
    batch: list[Standing] = []
    size = 0
    for standing in standings:
        if batch and (len(batch) == BATCH_MAILS or size + (standing.size or 0) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(standing)
        size += standing.size or 0
    if batch:
        yield batch
