"""Mail handed to an SMTP server over one connection that is kept for many mails."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable

from intake.outbound import smtp_dialogue
from intake.outbound.letter import Envelope
from intake.outbound.smtp_dialogue import COMMAND_SECONDS, SERVICE_ENDS, Declined, Server
from intake.types import Deferred, Outcome, Refused, Sent, Unanswered, Unreachable

FINAL_SECONDS = 300.0  # a server may look at a mail for long before it takes it (RFC 5321 section 4.5.3.2.6)
IDLE_SECONDS = 20.0  # a connection that has rested longer may be dead without a word
REST_SECONDS = 5.0  # after a connection has failed nobody knocks again for so long
GOODBYE_SECONDS = 2.0
MAILS_A_CONNECTION = 100
OUR_FAULT = frozenset({530, 534, 535, 538})  # a login is missing or wrong: not the mail's fault (RFC 4954 section 6)


class _Unreachable(Exception):  # noqa: N818 - a state of the world, named as what it is
    """No connection could be made. The message is one sentence."""


class SmtpTransport:
    """Sends through one server, one mail after the other. Answers 4xx and faults of the connection mean later."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: smtplib.SMTP | None = None
        self._sent = 0
        self._used_at = 0.0
        self._failed_at = 0.0
        self._failure: str | None = None

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        is_reused = self._is_fresh()
        try:
            client = self._connected()
        except _Unreachable as error:
            return Unreachable(reason=str(error))
        try:
            smtp_dialogue.begin(client, envelope)
            smtp_dialogue.send_body(client, envelope.content)
        except Declined as answer:
            return self._declined(answer)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            if is_reused:  # it went away while it rested, which says nothing about a new connection
                return self.send(envelope, handed_over)
            return Deferred(reason=smtp_dialogue.ended(error))
        return self._finish(client, handed_over)

    def check(self) -> str | None:
        """Connect, and log in where a login is given; say why that fails."""
        try:
            self._connected()
        except _Unreachable as error:
            return str(error)
        return None

    def close(self) -> None:
        """Say goodbye to the server; where it does not answer soon, just go."""
        if self._client is not None:
            try:
                smtp_dialogue.set_time_limit(self._client, GOODBYE_SECONDS)
                self._client.quit()
            except (smtplib.SMTPException, OSError):
                pass
        self._drop()

    def abort(self) -> None:
        """End the connection under whoever waits for the server's answer."""
        client = self._client
        if client is not None:
            smtp_dialogue.cut(client)

    def _finish(self, client: smtplib.SMTP, handed_over: Callable[[], None]) -> Outcome:
        """All but the final dot is there. Without it no server may deliver the mail (RFC 5321 section 4.1.1.4)."""
        try:
            handed_over()
        except BaseException:
            self._drop()
            raise
        try:
            smtp_dialogue.set_time_limit(client, FINAL_SECONDS)
            client.send(b".\r\n")
            code, words = client.getreply()
            smtp_dialogue.set_time_limit(client, COMMAND_SECONDS)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Unanswered(reason=smtp_dialogue.ended(error))
        if code // 100 != 2:
            return self._declined(Declined(code, words))
        self._sent += 1
        self._used_at = time.monotonic()
        return Sent(response=smtp_dialogue.said(code, words))

    def _declined(self, answer: Declined) -> Outcome:
        """What a refusal means, and make the connection ready for the next mail."""
        self._used_at = time.monotonic()
        if answer.code == SERVICE_ENDS or not self._reset():
            self._drop()
        said = f"The outgoing server said: {smtp_dialogue.said(answer.code, answer.words)}"
        is_final = answer.code // 100 == 5 and answer.code not in OUR_FAULT
        return Refused(reason=said) if is_final else Deferred(reason=said)

    def _reset(self) -> bool:
        try:
            return self._client is not None and self._client.rset()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _is_fresh(self) -> bool:
        """Whether the open connection can be used for another mail."""
        rested = time.monotonic() - self._used_at
        return self._client is not None and rested < IDLE_SECONDS and self._sent < MAILS_A_CONNECTION

    def _connected(self) -> smtplib.SMTP:
        if self._is_fresh() and self._client is not None:
            return self._client
        self.close()
        if self._failure is not None and time.monotonic() - self._failed_at < REST_SECONDS:
            raise _Unreachable(self._failure)
        try:
            self._client = smtp_dialogue.connect(self._server)
        except (smtplib.SMTPException, OSError) as error:
            self._failure, self._failed_at = smtp_dialogue.why_unreachable(self._server, error), time.monotonic()
            raise _Unreachable(self._failure) from None
        self._failure, self._sent, self._used_at = None, 0, time.monotonic()
        return self._client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
