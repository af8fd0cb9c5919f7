"""Which of our mailboxes an envelope recipient is for."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shared.addresses import address_key, without_plus
from shared.database import Database
from shared.models import Mailbox

FRESH_SECONDS = 5.0
POSTMASTER = "postmaster"  # every domain that takes mail has one (RFC 5321 section 4.5.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The active mailboxes by address key, and which one takes the mail for the postmaster of a domain."""

    mailboxes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    postmasters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, address: str) -> int | None:
        """The mailbox for an address, whatever its letter case and plus-suffix; None where it is not ours."""
        key = address_key(address)
        base, _ = without_plus(key)
        local, _, domain = base.partition("@")
        if local == POSTMASTER:
            return self.mailboxes.get(base) or self.postmasters.get(domain)
        return self.mailboxes.get(key) or self.mailboxes.get(base)


def know(mailboxes: Mapping[str, int], desk: str) -> Known:
    """Build the table from address keys. `desk` is the desk's own; mail for any postmaster goes there."""
    first = mailboxes.get(desk)
    postmasters: dict[str, int] = {}
    for key, mailbox in mailboxes.items():
        postmasters.setdefault(key.rpartition("@")[2], mailbox if first is None else first)
    if mailboxes:
        postmasters[""] = next(iter(mailboxes.values())) if first is None else first
    return Known(mailboxes=mailboxes, postmasters=postmasters)


class Recipients:
    """The known recipients, read again every few seconds and whenever somebody is unknown."""

    def __init__(self, database: Database, desk_address: str) -> None:
        self._database = database
        self._desk = address_key(desk_address)
        self._lock = threading.Lock()
        self._known = Known()
        self._read_at = float("-inf")
        self._failed_at = float("-inf")
        self._failure: Exception | None = None

    def cached(self, address: str) -> int | None:
        """The mailbox as far as that is known without asking the database; None where it must be asked."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            return None
        return self._known.find(address)

    def find(self, address: str) -> int | None:
        """The mailbox that takes mail for `address`, by the database; raises what that raises.

        Those who ask at once share one answer, so that they do not wait one after the other for a database that is
        down.
        """
        asked_at = time.monotonic()
        with self._lock:
            if self._failure is not None and self._failed_at > asked_at:
                raise self._failure
            if self._read_at <= asked_at:
                self._read_again()
            return self._known.find(address)

    def _read_again(self) -> None:
        try:
            self._known = know(self._read(), self._desk)
        except SQLAlchemyError as error:
            self._failed_at, self._failure = time.monotonic(), error
            raise
        self._read_at, self._failure = time.monotonic(), None

    def _read(self) -> dict[str, int]:
        with self._database.reading() as session:
            rows = session.execute(
                select(Mailbox.address_key, Mailbox.id).where(Mailbox.is_active).order_by(Mailbox.id)
            )
            return {row.address_key: row.id for row in rows}
