# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""What the SMTP server answers to the commands before the mail data, and what it asks of its clients."""

from __future__ import annotations

import asyncio
import collections
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

from intake.receiving.clients import Clients
from intake.receiving.mail_data import Room
from intake.receiving.recipients import Recipients
from intake.receiving.spool import Spool
from intake.receiving.tls import Certificate
from shared.fault_log import FaultLog

if TYPE_CHECKING:
    from intake.receiving.smtp_connection import SmtpConnection

ADDRESS_LIMIT = 320  # characters; RFC 5321 section 4.5.3.1.3 asks for 256 octets
LATER = "451 4.3.0 We cannot take this mail at the moment; please try again later"
DISK_FULL = "452 4.3.1 There is not enough room for mail at the moment; please try again later"
TOO_MANY_MAILS = "450 4.7.1 Too many mails from your address within a minute; please try again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client, and all together, may ask of the server.

    One address may have a quarter of the connections. Where all are in use, a newcomer takes the place of whoever has
    been silent longest, and for `crowded_idle_seconds` at least. Mail data must come with `pace_bytes` in every
    `pace_seconds`. A connection on which no mail begins within `command_seconds`, or does not end within
    `data_seconds`, is cut.
    """

    max_message_bytes: int = 25 * 1024 * 1024
    max_connections: int = 500
    max_recipients: int = 500
    max_errors: int = 50
    mails_a_minute: int = 1000
    idle_seconds: float = 300  # RFC 5321 section 4.5.3.2.7
    crowded_idle_seconds: float = 10
    command_seconds: float = 900
    data_seconds: float = 1800
    pace_bytes: int = 6_000
    pace_seconds: float = 60
    proxy_seconds: float = 10
    memory_bytes: int = 512 * 1024 * 1024
    grace_seconds: float = 10

    @property
    def connections_of_one(self) -> int:
        return max(1, self.max_connections // 4)


class Server(Protocol):
    """What a conversation needs to know of the server that it belongs to."""

    spool: Spool
    recipients: Recipients
    limits: Limits
    memory: Room
    clients: Clients
    faults: FaultLog
    certificate: Certificate | None
    has_room: Callable[[], bool]
    sessions: set[SmtpConnection]
    stopping: bool


class Letter(Envelope):
    """An envelope that also knows for which of our mailboxes each of its recipients is."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox_ids: list[int] = []  # beside rcpt_tos

    @property
    def mailboxes(self) -> dict[int, list[str]]:
        """The recipients of each mailbox."""
        found = collections.defaultdict(list)
        for mailbox, address in zip(self.mailbox_ids, self.rcpt_tos, strict=True):
            found[mailbox].append(address)
        return dict(found)


class Hooks:
    """Our answers to the commands that aiosmtpd has read."""

    def __init__(self, server: Server, client: Callable[[], str]) -> None:
        self._server = server
        self._client = client

    async def handle_MAIL(
        self, _protocol: SMTP, _session: Session, letter: Letter, address: str, options: list[str]
    ) -> str:
        if not _is_readable(address):
            return "501 5.1.7 This sender address cannot be read"
        if not self._server.has_room():
            return DISK_FULL
        if not self._server.clients.may_send(self._client()):
            return TOO_MANY_MAILS
        letter.mail_from = address
        letter.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _protocol: SMTP, _session: Session, letter: Letter, address: str, options: list[str]
    ) -> str:
        """Take recipients of ours only; a database that is down is no reason to call one unknown."""
        if not _is_readable(address):
            return "501 5.1.3 This address cannot be read"
        if len(letter.rcpt_tos) >= self._server.limits.max_recipients:
            return "452 4.5.3 Too many recipients; send the rest in another mail"
        mailbox = await self._find(address)
        if mailbox is None:
            return "550 5.1.1 Nobody has this address here"
        letter.rcpt_tos.append(address)
        letter.rcpt_options.extend(options)
        letter.mailbox_ids.append(mailbox)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever goes wrong with us is no fault of the mail."""
        self._server.faults.note(error, "an SMTP conversation")
        return LATER

    async def _find(self, address: str) -> int | None:
        recipients = self._server.recipients
        return recipients.cached(address) or await asyncio.to_thread(recipients.find, address)


def _is_readable(address: Any) -> bool:
    """Whether an address can be stored: no control characters, no broken UTF-8, of bearable length."""
    return isinstance(address, str) and address.isprintable() and len(address) <= ADDRESS_LIMIT


# Enhanced status codes (RFC 3463) for answers that aiosmtpd gives without. LMTP must have them (RFC 2033 section 5).
ENHANCED = {
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.0.0",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "552": "5.3.4",
    "553": "5.1.3",
    "555": "5.5.4",
}
ANSWER = re.compile(r"([245]\d\d)([ -])(?![245]\.\d{1,3}\.\d{1,3} )(.*)", re.DOTALL)


def with_code(answer: str) -> str:
    """An answer with an enhanced status code, where it may have one and has none."""
    match = ANSWER.fullmatch(answer)
    if match is None or match[1] not in ENHANCED:
        return answer
    return f"{match[1]}{match[2]}{ENHANCED[match[1]]} {match[3].removeprefix('Error: ')}"
