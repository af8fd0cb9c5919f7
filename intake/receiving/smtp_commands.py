# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""What the SMTP server answers to the commands before the mail data, and what it asks of its clients."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

from intake.receiving.mail_data import Room
from intake.receiving.recipients import Recipients
from intake.receiving.spool import Spool

if TYPE_CHECKING:
    from intake.receiving.smtp_session import SmtpSession

logger = logging.getLogger(__name__)

ADDRESS_LIMIT = 320  # characters; RFC 5321 section 4.5.3.1.3 asks for 256 octets
LATER = "451 4.3.0 We cannot take this mail at the moment; please try again later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client, and all together, may ask of the server."""

    max_message_bytes: int = 25 * 1024 * 1024
    max_connections: int = 500
    max_recipients: int = 500
    max_errors: int = 50
    idle_seconds: float = 300  # RFC 5321 section 4.5.3.2.7
    data_seconds: float = 1800
    memory_bytes: int = 512 * 1024 * 1024
    grace_seconds: float = 10


class Server(Protocol):
    """What a conversation needs to know of the server that it belongs to."""

    spool: Spool
    recipients: Recipients
    limits: Limits
    room: Room
    sessions: set[SmtpSession]
    stopping: bool


class Letter(Envelope):
    """An envelope that also knows for which of our mailboxes each recipient is."""

    def __init__(self) -> None:
        super().__init__()
        self.mailboxes: dict[int, list[str]] = {}


class Hooks:
    """Our answers to the commands that aiosmtpd has read."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def handle_EHLO(
        self, _protocol: SMTP, session: Session, _letter: Letter, hostname: str, responses: list[str]
    ) -> list[str]:
        """Announce what we do, and no login, since there is none (RFC 5321 section 4.1.1.1)."""
        session.host_name = hostname
        offered = [line for line in responses if not line.startswith("250-AUTH")]
        return [*offered[:1], "250-PIPELINING", *offered[1:]]

    async def handle_MAIL(
        self, _protocol: SMTP, _session: Session, letter: Letter, address: str, options: list[str]
    ) -> str:
        if not _is_readable(address):
            return "501 5.1.7 This sender address cannot be read"
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
        letter.mailboxes.setdefault(mailbox, []).append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever goes wrong with us is no fault of the mail."""
        logger.error("an SMTP conversation failed", exc_info=error)
        return LATER

    async def _find(self, address: str) -> int | None:
        recipients = self._server.recipients
        return recipients.cached(address) or await asyncio.to_thread(recipients.find, address)


def _is_readable(address: Any) -> bool:
    """Whether an address can be stored: no control characters, no broken UTF-8, of bearable length."""
    return isinstance(address, str) and address.isprintable() and len(address) <= ADDRESS_LIMIT
