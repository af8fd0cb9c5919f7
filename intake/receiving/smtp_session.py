# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""One SMTP conversation (RFC 5321): 250 means stored, our own fault means "later".

aiosmtpd reads the commands; what it gets wrong for us is put right here: mail data is read in chunks under a
limit that holds whatever the line ends, an exception is 451 and never 500, errors are counted.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import re
from datetime import UTC, datetime
from typing import AnyStr

from aiosmtpd.smtp import SMTP

from intake.receiving.mail_data import MailData, Refusal
from intake.receiving.smtp_commands import LATER, Hooks, Letter, Server
from intake.receiving.spool import SpoolClosedError
from intake.types import RawMessage, Source

logger = logging.getLogger(__name__)

IDENT = "Letterdesk"
CHUNK = 4 * 1024 * 1024  # more than the reader ever buffers, so that each read empties it
PLAIN_PATH = re.compile(r"<([^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,255})>(?: +(.*))?")  # nearly all are
READER_LIMIT = 256 * 1024
COMMAND_LIMIT = 2048  # bytes; UTF-8 addresses with parameters are longer than the 512 of the RFC

GOODBYE = "421 4.3.2 The desk is stopping; please try again later"
TOO_MANY_ERRORS = "421 4.7.0 Too many errors; goodbye"
TOO_IDLE = "421 4.4.2 Idle for too long; goodbye"
TOO_SLOW = "421 4.4.2 The mail took too long; please try again later"
REFUSALS = {
    Refusal.TOO_LARGE: "552 5.3.4 The mail is larger than {limit} bytes",
    Refusal.NO_ROOM: "451 4.3.1 Too much mail is coming in at once; please try again later",
}


class SmtpSession(SMTP):
    """One connection. `busy` while a mail comes in or is stored, `storing` while it is stored."""

    line_length_limit = READER_LIMIT
    source = Source.SMTP

    def __init__(self, server: Server, *, hostname: str, loop: asyncio.AbstractEventLoop) -> None:
        limits = server.limits
        super().__init__(
            Hooks(server),
            data_size_limit=limits.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident=IDENT,
            timeout=limits.idle_seconds,
            loop=loop,
        )
        self.command_size_limits = collections.defaultdict(lambda: COMMAND_LIMIT)  # aiosmtpd shares one for all
        self.busy = False
        self.storing = False
        self._server = server
        self._errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(_note)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.sessions.discard(self)
        super().connection_lost(error)

    def say_goodbye(self, reason: str = GOODBYE) -> None:
        """End the conversation between two commands."""
        if self.transport is not None:
            self._writer.write(f"{reason}\r\n".encode())
            self._end()

    def abort(self) -> None:
        """Cut the connection, whatever is under way."""
        if self.transport is not None:
            self._writer.transport.abort()

    async def push(self, status: AnyStr) -> None:
        """Answer; a client that makes one error after the other is sent away."""
        await super().push(status)
        self._errors += status[:1] in {"4", "5", b"4", b"5"}
        if self._errors > self._server.limits.max_errors:
            self.say_goodbye(TOO_MANY_ERRORS)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a mail: read it to its end, store it, and only then say so."""
        if refused := self._out_of_order(arg):
            await self.push(refused)
            return
        self.busy = True
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            status = await self._take()
        finally:
            self.busy = False
            self.envelope = self._create_envelope()
        if status is not None:
            await self.push(status)
        if self._server.stopping:
            self.say_goodbye()

    def _out_of_order(self, arg: str | None) -> str | None:
        if self.session is None or not self.session.host_name:
            return "503 5.5.1 Send HELO first"
        if not self._letter.mailboxes:
            return "503 5.5.1 Send MAIL and RCPT first"
        return "501 5.5.4 DATA takes no argument" if arg else None

    def _create_envelope(self) -> Letter:
        self._letter = Letter()
        return self._letter

    async def _take(self) -> str | None:
        """Read and store a mail and return the answer; None where the conversation has ended."""
        limits = self._server.limits
        with MailData(limits.max_message_bytes, self._server.room) as data:
            try:
                async with asyncio.timeout(limits.data_seconds):
                    is_whole = await self._read(data)
            except TimeoutError:
                self.say_goodbye(TOO_SLOW)
                return None
            if not is_whole:
                return None
            content = data.content()
            if isinstance(content, Refusal):
                return REFUSALS[content].format(limit=limits.max_message_bytes)
            return await self._store(content)

    async def _read(self, data: MailData) -> bool:
        """Read to the end of the mail; False where the connection ended before."""
        rest = None
        while rest is None:
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                return False
            self._reset_timeout()
            rest = data.feed(chunk)
        if rest and not self._reader.at_eof():
            self._reader.feed_data(rest)  # commands that were sent ahead (RFC 2920); the reader is empty here
        return True

    async def _store(self, content: bytes) -> str:
        """Commit, then say 250. One mail for several of our mailboxes is stored once for each."""
        copies = self._copies(content)
        self._reset_timeout(self._server.limits.data_seconds)  # the client is not idle: it waits for us
        self.storing = True
        try:
            ids = await self._server.spool.accept(copies)
        except SpoolClosedError:
            return GOODBYE
        except Exception:
            logger.exception("a mail of %d bytes could not be stored", len(content))
            return LATER
        finally:
            self.storing = False
            self._reset_timeout()
        for copy, number in zip(copies, ids, strict=True):
            logger.info("received inbound=%d mailbox=%d source=%s", number, copy.mailbox_id, copy.source.value)
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

    def _timeout_cb(self) -> None:
        """End an idle conversation; without a word where the client does not even read our answers."""
        if self.transport is not None and self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        self.say_goodbye(TOO_IDLE)

    def _end(self) -> None:
        """Close, and do nothing more of what the client has sent ahead."""
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        if self.transport is not None:
            self.transport.close()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read an address; what the standard library cannot read is malformed, not our fault."""
        if plain := PLAIN_PATH.fullmatch(arg):
            return plain[1], plain[2] or ""
        try:
            address, rest = super()._getaddr(arg)
        except (IndexError, ValueError, AttributeError):
            return None, None
        return address, rest


def _note(conversation: asyncio.Task[None]) -> None:
    """See how a conversation ended; a client that is gone is nothing to report."""
    if not conversation.cancelled() and (error := conversation.exception()):
        logger.debug("an SMTP conversation broke off: %s", error)
