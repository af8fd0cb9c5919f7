"""From mails on the server to mails for the ledger: which are wanted, and how each is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from intake.receiving.imap_cursor import Place
from intake.receiving.imap_desk import Desk
from intake.receiving.imap_folder import Folder, Standing
from intake.receiving.imap_ledger import Account
from intake.receiving.imap_partial import fetch_partly, sentences
from intake.types import FolderPosition, RawMessage, Source

CLOCK_SKEW = timedelta(minutes=5)  # the server's clock may be behind ours by this much
TIME_ZONES = timedelta(days=2)  # a day on the server may be another than ours


class Fetching:
    """Fetches mails of one folder."""

    def __init__(self, desk: Desk, account: Account, folder: Folder, place: Place) -> None:
        self._desk = desk
        self._account = account
        self._folder = folder
        self._place = place

    @property
    def since(self) -> date | None:
        """Before which day no mail is wanted; None where all are."""
        connected_at = self._account.connected_at
        return (connected_at - TIME_ZONES).date() if self._account.from_now and connected_at else None

    def is_left_alone(self, standing: Standing) -> bool:
        """Whether a mail is from before the connection, and such mail is not wanted."""
        return self._account.from_now and self._is_old(standing, CLOCK_SKEW)

    def mails(self, wanted: Sequence[Standing]) -> dict[int, RawMessage]:
        """The mails that the server hands out, in order; those over the limit without their large parts."""
        most = self._desk.max_message_bytes
        small = [each.uid for each in wanted if (each.size or 0) <= most]
        contents = self._folder.contents(small) if small else {}
        found: dict[int, RawMessage] = {}
        for each in wanted:
            size = each.size or 0
            mail = self._large(each, size) if size > most else self._small(each, contents.get(each.uid))
            if mail is not None:
                found[each.uid] = mail
        return found

    def _small(self, standing: Standing, content: bytes | None) -> RawMessage | None:
        """A mail that was fetched whole; an empty answer counts only where the mail is said to be empty."""
        if content is None or (standing.size != 0 and not content):
            return None
        return self._raw(standing, content)

    def _large(self, standing: Standing, size: int) -> RawMessage | None:
        most = self._desk.max_message_bytes
        partly = fetch_partly(self._folder, standing.uid, most)
        if partly is None:
            return None
        where = f"the mailbox's folder “{self._place.folder}” (UID {standing.uid})"
        return self._raw(standing, partly.content, sentences(partly, size, most, where))

    def _raw(self, standing: Standing, content: bytes, notes: tuple[str, ...] = ()) -> RawMessage:
        place = self._place
        return RawMessage(
            content=content,
            source=Source.IMAP,
            mailbox_id=place.mailbox_id,
            received_at=self._desk.clock(),
            position=FolderPosition(
                folder=place.folder,
                uidvalidity=place.uidvalidity,
                uid=standing.uid,
                told_size=standing.size if standing.size == len(content) else None,
                internal_date=standing.internal_date,
            ),
            quiet=self._is_old(standing),
            notes=notes,
        )

    def _is_old(self, standing: Standing, margin: timedelta = timedelta()) -> bool:
        """Whether the server had the mail before the mailbox was connected."""
        connected_at, got_at = self._account.connected_at, standing.internal_date
        return connected_at is not None and got_at is not None and got_at < connected_at - margin
