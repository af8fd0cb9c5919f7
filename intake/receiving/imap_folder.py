"""A folder on an IMAP server: what is new in it, how large, and the bytes; nothing is marked as read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from intake.receiving.imap_connection import ImapFault, said

BATCH_MAILS = 50
BATCH_BYTES = 8 * 1024 * 1024
SIZES_AT_ONCE = 500
SEARCH_WINDOW = 50_000  # imaplib takes no line over 1 MB, and a search answers in one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A mail on the server: its size in bytes, and when the server got it (INTERNALDATE), where it says."""

    uid: int
    size: int
    internal_date: datetime | None


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
            raise ImapFault(f"The folder “{name}” cannot be opened: {said(error)}") from error
        if b"UIDVALIDITY" not in selected:
            raise ImapFault(f"The folder “{name}” has no UIDVALIDITY, so its mails cannot be told apart")
        self.uidvalidity = int(selected[b"UIDVALIDITY"])
        self.exists = int(selected.get(b"EXISTS", 0))
        self._next = int(selected.get(b"UIDNEXT", 0))

    def uids_after(self, last: int) -> Iterator[int]:
        """All UIDs above `last`, in order. A large folder is searched piece by piece."""
        if self.exists <= SEARCH_WINDOW or not self._next:
            yield from self._search(last + 1, None)
            return
        for first in range(last + 1, self._next, SEARCH_WINDOW):
            yield from self._search(first, first + SEARCH_WINDOW - 1)

    def standings(self, uids: Sequence[int]) -> list[Standing]:
        """Sizes and dates of mails, in order of UID; those that have gone meanwhile are left out."""
        answers = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
        found = [
            Standing(uid=uid, size=int(answer.get(b"RFC822.SIZE") or 0), internal_date=answer.get(b"INTERNALDATE"))
            for uid, answer in answers.items()
        ]
        silent = self.still_there([uid for uid in uids if uid not in answers])
        found += [Standing(uid=uid, size=0, internal_date=None) for uid in silent]
        return sorted(found, key=lambda standing: standing.uid)

    def still_there(self, uids: Sequence[int]) -> list[int]:
        """Which of `uids` the folder still holds, in order."""
        return sorted(self._client.search(["UID", ",".join(map(str, uids))])) if uids else []

    def contents(self, uids: Sequence[int]) -> dict[int, bytes]:
        """The whole mails, where the server hands them out. One that it cannot hand out costs only itself."""
        found = self._fetch(uids)
        for uid in uids:
            if uid not in found and len(uids) > 1:
                found |= self._fetch([uid])
        return found

    def larger_than(self, size: int) -> list[int]:
        """The UIDs of the mails of more than `size` bytes."""
        return sorted(self._client.search(["LARGER", size])) if self.exists else []

    def _search(self, first: int, last: int | None) -> list[int]:
        found = self._client.search(["UID", f"{first}:{last or '*'}"])
        return sorted(uid for uid in found if uid >= first)  # "9:*" is "8:9" where 8 is the highest

    def _fetch(self, uids: Sequence[int]) -> dict[int, bytes]:
        try:
            answers = self._client.fetch(uids, ["BODY.PEEK[]"])
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            return {}
        return {uid: answer[b"BODY[]"] for uid, answer in answers.items() if answer.get(b"BODY[]") is not None}


def batches(standings: Iterable[Standing], most_bytes: int = BATCH_BYTES) -> Iterator[list[Standing]]:
    """Cut mails into batches of at most 50 mails and `most_bytes`; a larger one stands alone."""
    batch: list[Standing] = []
    size = 0
    for standing in standings:
        if batch and (len(batch) == BATCH_MAILS or size + standing.size > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(standing)
        size += standing.size
    if batch:
        yield batch
