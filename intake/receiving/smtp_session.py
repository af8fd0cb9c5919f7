# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""How a mail comes in over SMTP (RFC 5321): 250 means stored, our own fault means "later"."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from intake.receiving.mail_data import MailData, Pace, Refusal
from intake.receiving.smtp_commands import DISK_FULL, LATER
from intake.receiving.smtp_connection import GOODBYE, TOO_SLOW, SmtpConnection
from intake.receiving.smtp_lines import CHUNK
from intake.receiving.spool import SpoolClosedError
from intake.types import RawMessage, Source

logger = logging.getLogger(__name__)

REFUSALS = {
    Refusal.TOO_LARGE: "552 5.3.4 The mail is larger than {limit} bytes",
    Refusal.NO_ROOM: "451 4.3.1 Too much mail is coming in at once; please try again later",
}


class SmtpSession(SmtpConnection):
    """A connection that takes mail in, with one answer for each mail."""

    source = Source.SMTP

    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a mail: read it to its end, store it, and only then say so."""
        if refused := self._out_of_order(arg):
            await self.push(refused)
            return
        self.busy = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            answers = await self._take()
        finally:
            self.busy = False
            self.envelope = self._create_envelope()
        self.silent_since = self.loop.time()
        self._allow(self._server.limits.command_seconds)
        for answer in answers:
            await self.push(answer)
        if self._server.stopping:
            self.say_goodbye()

    def _out_of_order(self, arg: str | None) -> str | None:
        if self.session is None or not self.session.host_name:
            return f"503 5.5.1 Send {self.hello} first"
        if not self._letter.rcpt_tos:
            return "503 5.5.1 Send MAIL and RCPT first"
        if arg:
            return "501 5.5.4 DATA takes no argument"
        return None if self._server.has_room() else DISK_FULL

    async def _take(self) -> Sequence[str]:
        """Read and store a mail and return the answers; none where the conversation has ended."""
        limits = self._server.limits
        self._allow(limits.data_seconds)
        with MailData(limits.max_message_bytes, self._server.memory) as data:
            if not await self._read(data):
                return ()
            content = data.content()
            if isinstance(content, Refusal):
                return self._answer_all(REFUSALS[content].format(limit=limits.max_message_bytes))
            self._deadline = float("inf")  # from here on the client waits for us
            self._reset_timeout(limits.data_seconds)
            self.storing = True
            try:
                return await self._deliver(self._copies(content))
            finally:
                self.storing = False

    async def _read(self, data: MailData) -> bool:
        """Read to the end of the mail; False where the connection ended before, or the mail came too slowly."""
        limits, rest = self._server.limits, None
        pace = Pace(limits.pace_bytes, limits.pace_seconds, self.loop.time())
        while rest is None:
            self._reset_timeout(limits.pace_seconds)
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                return False
            if not pace.is_kept(len(chunk), self.loop.time()):
                self.say_goodbye(TOO_SLOW)
                return False
            rest = data.feed(chunk)
        if rest and not self._reader.at_eof():
            self._reader.feed_data(rest)  # commands that were sent ahead (RFC 2920); the reader is empty here
        return True

    def _answer_all(self, answer: str) -> Sequence[str]:
        """The same answer for the whole mail."""
        return (answer,)

    async def _deliver(self, copies: Sequence[RawMessage]) -> Sequence[str]:
        """Store one mail for all of its mailboxes, and say so."""
        return (await self._store(copies),)

    async def _store(self, copies: Sequence[RawMessage]) -> str:
        """Commit, then say 250. One mail for several of our mailboxes is stored once for each, or for none."""
        try:
            ids = await self._server.spool.accept(copies)
        except SpoolClosedError:
            return GOODBYE
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail may come again; it is logged there
            self._server.faults.note(error, f"storing a mail of {len(copies[0].content)} bytes")
            return LATER
        for copy, number in zip(copies, ids, strict=True):
            place = f"mailbox={copy.mailbox_id} source={copy.source.value} client={self.client or 'local'}"
            logger.info("received inbound=%d %s", number, place)
        return f"250 2.0.0 Stored as {', '.join(map(str, ids))}"

    def _copies(self, content: bytes) -> list[RawMessage]:
        letter, now = self._letter, datetime.now(UTC)
        sender = "" if letter.mail_from in {None, "<>"} else letter.mail_from
        return [
            RawMessage(
                content=content,
                source=self.source,
                mailbox_id=mailbox,
                received_at=now,
                envelope_from=sender,
                envelope_to=tuple(addresses),
            )
            for mailbox, addresses in letter.mailboxes.items()
        ]
