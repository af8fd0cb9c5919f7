# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""How a mail comes in over LMTP (RFC 2033): as over SMTP, with an answer of its own for each recipient."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from intake.receiving.smtp_session import SmtpSession
from intake.types import RawMessage, Source


class LmtpSession(SmtpSession):
    """A connection of a mail server beside the desk.

    Each mailbox stores the mail on its own account: where one cannot, the others have it all the same.
    """

    source = Source.LMTP
    protocol = "LMTP"
    hello = "LHLO"

    async def smtp_LHLO(self, hostname: str | None) -> None:
        await self._greet(hostname, is_extended=True)

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: ARG002
        await self.push("500 5.5.1 This is LMTP; send LHLO")

    async def smtp_EHLO(self, hostname: str | None) -> None:
        await self.smtp_HELO(hostname)

    def _answer_all(self, answer: str) -> Sequence[str]:
        return [answer] * len(self._letter.rcpt_tos)

    async def _deliver(self, copies: Sequence[RawMessage]) -> Sequence[str]:
        """Store each mailbox's copy, and answer for each recipient in the order of their RCPT (section 4.2)."""
        answers = await asyncio.gather(*(self._store([copy]) for copy in copies))
        by_mailbox = dict(zip((copy.mailbox_id for copy in copies), answers, strict=True))
        return [by_mailbox[mailbox] for mailbox in self._letter.mailbox_ids]
