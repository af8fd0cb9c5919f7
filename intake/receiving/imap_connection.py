"""Connections to IMAP servers: protected, limited in time, and with faults that a person understands."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from intake.receiving import bearer
from shared.errors import UserError
from shared.mailbox_values import ImapServer, Security

logger = logging.getLogger(__name__)

TIMEOUT = SocketTimeout(connect=15, read=30)  # seconds, for each wait on the network
GOODBYE_SECONDS = 5
SAID_LIMIT = 200

CONNECTION_FAULTS = (OSError, IMAPClientError)


class ImapFault(UserError):  # noqa: N818 (the fault of a server, which the poll reports and outlives)
    """A mailbox cannot be polled now. The message is one sentence for the person who looks after it."""


class PasswordFault(ImapFault):
    """The server refuses the user name or the password."""


class TokenSource(Protocol):
    """Where access tokens come from. Raises ImapFault where none is to be had."""

    def token(self, refused: str | None = None) -> str:
        """A token that is good now, and another one than the server has `refused`."""


@contextmanager
def connected(
    server: ImapServer, proof: str | TokenSource, tls: ssl.SSLContext | None = None, timeout: SocketTimeout = TIMEOUT
) -> Iterator[IMAPClient]:
    """A client that is logged in; logged out at the end. Every call on it ends within the time limits.

    `proof` is the password, or where access tokens come from. `tls` replaces the usual check of certificates (the
    system's authorities). Raises ImapFault for everything that goes wrong with the network or the server, also
    inside the block.
    """
    try:
        client = _open(server, tls or ssl.create_default_context(), timeout)
    except CONNECTION_FAULTS as error:
        raise ImapFault(sentence(error, server)) from error
    try:
        _log_in(client, server, proof)
        yield client
    except CONNECTION_FAULTS as error:
        raise ImapFault(sentence(error, server)) from error
    else:
        _log_out(client)
    finally:
        _cut(client)


def sentence(error: Exception, server: ImapServer) -> str:
    """Say what went wrong with a server, for the person who looks after the mailbox."""
    where = f"{server.host}:{server.port}"
    if isinstance(error, OSError):
        return _network_sentence(error, where)
    if isinstance(error, LoginError):
        return f"{where} refused the user name or the password: {said(error)}"
    if isinstance(error, IMAPClientAbortError):
        return f"The connection to {where} broke off: {said(error)}"
    return f"{where} refused: {said(error)}"


def _network_sentence(error: OSError, where: str) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"The certificate of {where} is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"No protected connection to {where}: {error.reason or error}"
        case socket.gaierror():
            return f"The host of {where} cannot be found: {error.strerror}"
        case TimeoutError():
            return f"{where} did not answer in time"
        case ConnectionRefusedError():
            return f"Nothing listens on {where}"
        case ConnectionResetError() | BrokenPipeError():
            return f"The connection to {where} broke off: {error.strerror}"
    return f"The connection to {where} failed: {error.strerror or error}"


def _open(server: ImapServer, context: ssl.SSLContext, timeout: SocketTimeout) -> IMAPClient:
    is_tls = server.security is Security.TLS
    client = IMAPClient(server.host, server.port, ssl=is_tls, ssl_context=context if is_tls else None, timeout=timeout)
    client.normalise_times = False  # otherwise INTERNALDATE loses its zone
    if server.security is Security.STARTTLS:
        try:
            _start_tls(client, server, context)
        except BaseException:
            _cut(client)
            raise
    return client


def _cut(client: IMAPClient) -> None:
    """Close the connection; one that is broken already cannot be closed properly."""
    with suppress(*CONNECTION_FAULTS):
        client.shutdown()


def _start_tls(client: IMAPClient, server: ImapServer, context: ssl.SSLContext) -> None:
    if not client.has_capability("STARTTLS"):
        raise ImapFault(
            f"{server.host}:{server.port} offers no protected connection (STARTTLS); "
            "use imaps://, or add ?tls=no to send the password in the clear"
        )
    client.starttls(context)


def _log_in(client: IMAPClient, server: ImapServer, proof: str | TokenSource) -> None:
    if not isinstance(proof, str):
        _show_token(client, server, proof)
        return
    if client.has_capability("LOGINDISABLED"):
        raise ImapFault(f"{server.host}:{server.port} takes no login without TLS; add ?tls=yes to the IMAP URL")
    try:
        client.login(server.user, proof)
    except LoginError as error:
        raise PasswordFault(sentence(error, server)) from error


def _show_token(client: IMAPClient, server: ImapServer, source: TokenSource) -> None:
    """Log in with a token, and once more with a new one where the first is refused before its time."""
    first = source.token()
    try:
        bearer.log_in(client, server, first)
    except LoginError:
        try:
            bearer.log_in(client, server, source.token(refused=first))
        except LoginError as error:
            raise ImapFault(
                f"{server.host}:{server.port} refused the access token for {server.user}: {said(error)}; check that "
                "the permission was given for this mailbox, and that it may be read by IMAP"
            ) from error


def _log_out(client: IMAPClient) -> None:
    with suppress(*CONNECTION_FAULTS):
        client.socket().settimeout(GOODBYE_SECONDS)
        client.logout()


def said(error: Exception) -> str:
    """The server's own words, on one line and of bearable length."""
    words = " ".join(str(error).removeprefix("b'").strip("'").split())
    return "".join(c for c in words if c.isprintable())[:SAID_LIMIT] or type(error).__name__
