# ruff: noqa: N802 (the names of the commands are aiosmtpd's)
"""One connection of a mail client: greeting, TLS, commands, answers, and every way in which it may end.

aiosmtpd knows the commands; how they are read and what becomes of the connection is ours: an exception is 451 and
never 500, errors and time are limited, and a client that has said all it had to say still gets its answers.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import ClassVar, cast

from aiosmtpd.smtp import SMTP

from intake.receiving.proxy import peer_of
from intake.receiving.smtp_commands import Hooks, Letter, Server, with_code
from intake.receiving.smtp_lines import READER_LIMIT, Unread, next_line, throw_away
from intake.receiving.tls import Certificate

logger = logging.getLogger(__name__)

IDENT = "Letterdesk"
TLS_END_SECONDS = 2  # for a client's last word of TLS; nothing of a mail depends on it
PLAIN_PATH = re.compile(r"<([^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,255})>(?: +(.*))?")  # nearly all are

GOODBYE = "421 4.3.2 The desk is stopping; please try again later"
TOO_BUSY = "421 4.3.2 Too many connections; please try again later"
TOO_MANY_ERRORS = "421 4.7.0 Too many errors; goodbye"
TOO_MANY_OF_YOU = "421 4.7.0 Too many connections from your address; please try again later"
TOO_IDLE = "421 4.4.2 Idle for too long; goodbye"
TOO_SLOW = "421 4.4.2 The mail took too long; please try again later"


class SmtpConnection(SMTP):
    """A connection. `busy` while a mail comes in or is stored, `storing` while it is stored."""

    line_length_limit = READER_LIMIT
    protocol: ClassVar[str] = "ESMTP"
    hello: ClassVar[str] = "HELO"

    def __init__(
        self, server: Server, *, hostname: str, loop: asyncio.AbstractEventLoop, begins_with_tls: bool = False
    ) -> None:
        super().__init__(
            Hooks(server, lambda: self.client),
            data_size_limit=server.limits.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident=IDENT,
            timeout=server.limits.idle_seconds,
            loop=loop,
        )
        del self._smtp_methods["AUTH"]  # there is nobody to log in
        self.client = ""
        self.busy = False
        self.storing = False
        self.silent_since = loop.time()
        self._server = server
        self._begins_with_tls = begins_with_tls
        self._is_protected = False
        self._is_mute = begins_with_tls  # until the handshake is over
        self._is_counted = False
        self._deadline = float("inf")
        self._errors = 0
        self._is_error = False

    @property
    def silent_seconds(self) -> float:
        """How long ago it said its last command."""
        return self.loop.time() - self.silent_since

    @property
    def is_ending(self) -> bool:
        """Whether it was told goodbye already."""
        return self.transport is not None and self.transport.is_closing()

    # ------------------------------------------------------------------ beginning and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.client = self.client or peer_of(transport)
        self._allow(self._server.limits.command_seconds)
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(_note)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.sessions.discard(self)
        if self._is_counted:
            self._is_counted = False
            self._server.clients.leave(self.client)
        super().connection_lost(error)

    def eof_received(self) -> bool:
        """The client says no more, but it still listens (not so under TLS): what it said is answered to the end."""
        self._reader.feed_eof()
        return not self._is_protected

    def say_goodbye(self, reason: str = GOODBYE) -> None:
        """End the conversation between two commands; without a word where the client could not read it, or does not."""
        if self.transport is None or self.is_ending:
            return
        if self._is_mute or self._writer.transport.get_write_buffer_size():
            self.abort()
            return
        self._writer.write(f"{reason}\r\n".encode())
        self._end()

    def abort(self) -> None:
        """Cut the connection, whatever is under way."""
        if self.transport is not None:
            self._writer.transport.abort()

    def _end(self) -> None:
        """Close, and do nothing more of what the client has sent ahead."""
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self._close()

    def _close(self) -> None:
        if self.transport is not None and not self.transport.is_closing():  # a TLS transport forgets itself otherwise
            self.transport.close()

    # ------------------------------------------------------------------ the conversation

    async def _handle_client(self) -> None:
        """Everything from the greeting to the end (RFC 5321 section 3)."""
        try:
            if await self._begin():
                while (line := await next_line(self._reader)) is not Unread.END:
                    self.silent_since = self.loop.time()
                    await self._obey(line)
        finally:
            self._close()

    async def _begin(self) -> bool:
        """Protect the connection where that comes first, and greet; False where the client has too many of them."""
        self._is_counted = self._server.clients.enter(self.client)
        if not self._is_counted:
            self.say_goodbye(TOO_MANY_OF_YOU)
            return False
        if self._begins_with_tls:
            await self._start_tls()
        await self._say(f"220 {self.hostname} {self.protocol} {IDENT}")
        return True

    async def _obey(self, line: bytes | Unread) -> None:
        """Do what a command says. A client that makes one error after the other is sent away."""
        self._is_error = False
        if isinstance(line, Unread):
            await self.push("500 5.5.2 Command line too long")
        else:
            await self._command(line)
        self._errors += self._is_error
        if self._errors > self._server.limits.max_errors:
            self.say_goodbye(TOO_MANY_ERRORS)

    async def _command(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        command = self._smtp_methods.get(word.upper().decode("ascii", "replace"))
        if command is None:
            await self.push("500 5.5.2 Command not recognized")
            return
        self._reset_timeout()
        try:
            await command(rest.strip().decode("utf-8", "surrogateescape") or None)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - our own fault is no fault of the mail; it is logged there
            await self.push(await self.event_handler.handle_exception(error))

    async def push(self, status: str) -> None:  # type: ignore[override]  # nobody answers in bytes
        """Answer, with an enhanced status code (RFC 2034). What the client did wrong is 5xx, and noted."""
        self._is_error = self._is_error or status.startswith("5")
        await self._say(with_code(status))

    async def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
        await self._writer.drain()

    # ------------------------------------------------------------------ commands

    async def smtp_HELO(self, hostname: str | None) -> None:
        await self._greet(hostname, is_extended=False)

    async def smtp_EHLO(self, hostname: str | None) -> None:
        await self._greet(hostname, is_extended=True)

    async def _greet(self, hostname: str | None, *, is_extended: bool) -> None:
        """Announce what we do, and no login, since there is none (RFC 5321 section 4.1.1.1)."""
        if not hostname:
            await self.push("501 5.5.4 Say who you are")
            return
        self._forget(hostname, is_extended=is_extended)
        lines = [self.hostname, *self._extensions()] if is_extended else [self.hostname]
        await self._say("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    def _extensions(self) -> list[str]:
        tls = ["STARTTLS"] if self._server.certificate is not None and not self._is_protected else []
        size = f"SIZE {self._server.limits.max_message_bytes}"
        return ["PIPELINING", size, *tls, "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "HELP"]

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Protect the connection (RFC 3207). What was said before, or sent ahead, counts no more."""
        if self._server.certificate is None:
            await self.push("502 5.5.1 There is no TLS here")
        elif self._is_protected:
            await self.push("503 5.5.1 The connection is protected already")
        elif arg:
            await self.push("501 5.5.4 STARTTLS takes no argument")
        else:
            await self.push("220 2.0.0 Go ahead")
            await throw_away(self._reader)  # anybody on the way could have put it there (section 6)
            await self._start_tls()

    async def _start_tls(self) -> None:
        plain = cast(asyncio.WriteTransport, self.transport)
        context = cast(Certificate, self._server.certificate).context()
        self._is_mute = True
        try:
            protected = await self.loop.start_tls(
                plain, self, context, server_side=True, ssl_shutdown_timeout=TLS_END_SECONDS
            )
        except OSError as error:
            protected, failure = None, error
        else:
            failure = ConnectionResetError("it ended with the handshake")
        if protected is None:
            self.connection_lost(failure)  # asyncio does not say so where the handshake was cut off
            raise ConnectionResetError("there is no TLS") from failure
        for stream in (self._reader, self._writer):
            vars(stream)["_transport"] = protected  # as asyncio's own StreamWriter.start_tls does
        self.transport = protected
        self._is_protected, self._is_mute = True, False
        self._forget()

    def _forget(self, hostname: str | None = None, *, is_extended: bool = False) -> None:
        """Forget what was said so far; who the client says it is may be new."""
        self.session = self._create_session()
        self.session.peer, self.session.host_name, self.session.extended_smtp = self.client, hostname, is_extended
        self.envelope = self._create_envelope()

    def _create_envelope(self) -> Letter:
        self._letter = Letter()
        return self._letter

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read an address; what the standard library cannot read is malformed, not our fault."""
        if plain := PLAIN_PATH.fullmatch(arg):
            return plain[1], plain[2] or ""
        try:
            address, rest = super()._getaddr(arg)
        except (IndexError, ValueError, AttributeError):
            return None, None
        return address, rest

    # ------------------------------------------------------------------ time

    def _allow(self, seconds: float) -> None:
        """So long may what comes now take altogether, however busy the client looks."""
        self._deadline = self.loop.time() + seconds
        self._reset_timeout()

    def _reset_timeout(self, duration: float | None = None) -> None:
        left = max(0.001, self._deadline - self.loop.time())
        super()._reset_timeout(min(duration or self._server.limits.idle_seconds, left))

    def _timeout_cb(self) -> None:
        if self.is_ending:
            self.abort()
        self.say_goodbye(TOO_SLOW if self.busy else TOO_IDLE)


def _note(conversation: asyncio.Task[None]) -> None:
    """See how a conversation ended; a client that is gone is nothing to report."""
    if not conversation.cancelled() and (error := conversation.exception()):
        logger.debug("an SMTP conversation broke off: %s", error)
