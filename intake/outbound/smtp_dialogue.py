"""The dialogue with an SMTP server, step by step: connect, offer a mail, send it (RFC 5321, RFC 3207, RFC 4954)."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

from intake.outbound.letter import Envelope

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 60.0
CHUNK = 256 * 1024
MAX_WORDS = 500
OK = (250, 251)
GO_ON = (354,)
SERVICE_ENDS = 421

_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The outgoing server. `starttls` is "yes" (must), "no" (never) or None (a login needs it, else where offered)."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    starttls: str | None = None
    ca_file: str | None = None

    @property
    def must_encrypt(self) -> bool:
        return self.starttls == "yes" or (self.starttls is None and bool(self.user))


class Declined(Exception):  # noqa: N818 - an answer of the server, not an error
    """The server answered a command of a mail with something else than yes."""

    def __init__(self, code: int, words: bytes) -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words


def connect(server: Server) -> smtplib.SMTP:
    """A connection that is encrypted and logged in as far as the server's settings ask for it."""
    client = _open(server)
    try:
        _send_at_once(client)
        client.local_hostname = _own_name(client)
        client.ehlo_or_helo_if_needed()
        if not server.implicit_tls:
            _encrypt(client, server)
        if server.user:
            client.login(server.user, server.password)
        set_time_limit(client, COMMAND_SECONDS)
    except BaseException:
        client.close()
        raise
    return client


def _open(server: Server) -> smtplib.SMTP:
    """A connection whose greeting was friendly. Verified TLS from the first byte where the server's URL says so."""
    name = "localhost"  # replaced below: smtplib would ask the DNS
    if server.implicit_tls:
        context = _context(server, verify=True)
        return smtplib.SMTP_SSL(server.host, server.port, name, timeout=CONNECT_SECONDS, context=context)
    return smtplib.SMTP(server.host, server.port, name, timeout=CONNECT_SECONDS)


def _encrypt(client: smtplib.SMTP, server: Server) -> None:
    if server.starttls == "no":
        return
    if client.has_extn("starttls"):
        client.starttls(context=_context(server, verify=server.must_encrypt))
        client.ehlo_or_helo_if_needed()
    elif server.must_encrypt:
        raise smtplib.SMTPNotSupportedError("it offers no encryption (STARTTLS)")


def _context(server: Server, *, verify: bool) -> ssl.SSLContext:
    """TLS where it must be is checked; where plain text would do as well, any certificate is better than none."""
    context = ssl.create_default_context(cafile=server.ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _own_name(client: smtplib.SMTP) -> str:
    """What we call ourselves: this machine's name where it is a whole one, else its address (RFC 5321 4.1.3)."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = client.sock.getsockname()[0] if client.sock else "127.0.0.1"
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def begin(client: smtplib.SMTP, envelope: Envelope) -> None:
    """MAIL, RCPT and DATA, up to the 354, all at once where the server takes that (RFC 2920). Raises Declined."""
    utf8 = not (envelope.sender + envelope.recipient).isascii()
    if utf8 and not client.has_extn("smtputf8"):
        raise Declined(553, b"5.6.7 the server takes no address with letters outside of ASCII (no SMTPUTF8)")
    client.command_encoding = "utf-8" if utf8 else "ascii"
    sender, recipient = f"MAIL FROM:<{envelope.sender}>{_options(client, envelope)}", f"RCPT TO:<{envelope.recipient}>"
    if client.has_extn("pipelining"):
        _ask_at_once(client, sender, recipient)
        return
    for command, wanted in ((sender, OK), (recipient, OK), ("DATA", GO_ON)):
        code, words = client.docmd(command)
        if code not in wanted:
            raise Declined(code, words)


def _options(client: smtplib.SMTP, envelope: Envelope) -> str:
    options = f" SIZE={len(envelope.content)}" if client.has_extn("size") else ""
    header = envelope.content[: envelope.content.find(b"\r\n\r\n")]
    is_ascii = header.isascii() and (envelope.sender + envelope.recipient).isascii()
    if not is_ascii and client.has_extn("8bitmime"):
        options += " BODY=8BITMIME"
    return options if is_ascii or not client.has_extn("smtputf8") else f"{options} SMTPUTF8"


def _ask_at_once(client: smtplib.SMTP, sender: str, recipient: str) -> None:
    """Send the three commands in one packet, and read all answers, so that the next command meets its own."""
    if any(end in sender + recipient for end in "\r\n"):
        raise ValueError("a command of SMTP is one line")
    client.send(f"{sender}\r\n{recipient}\r\nDATA\r\n")
    refused = None
    for wanted in (OK, OK):
        code, words = client.getreply()
        if code == SERVICE_ENDS:
            raise Declined(code, words)
        if code not in wanted and refused is None:
            refused = Declined(code, words)
    code, words = client.getreply()
    if refused is None and code not in GO_ON:
        raise Declined(code, words)
    if refused is not None:
        if code in GO_ON:  # it takes a mail that goes to nobody: let it be an empty one (RFC 2920 section 3.1)
            client.docmd(".")
        raise refused


def send_body(client: smtplib.SMTP, content: bytes) -> None:
    """All of the mail but the final dot, in pieces, so that a slow line has time for each of them."""
    stuffed = _DOT.sub(b"..", content)
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    for start in range(0, len(stuffed), CHUNK):
        client.send(stuffed[start : start + CHUNK])


def _send_at_once(client: smtplib.SMTP) -> None:
    """The final dot is a packet of its own: it must not wait until the server has acknowledged the one before."""
    if client.sock is not None:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def set_time_limit(client: smtplib.SMTP, seconds: float) -> None:
    if client.sock is not None:
        client.sock.settimeout(seconds)


def cut(client: smtplib.SMTP) -> None:
    """Wake whoever waits for the server: to them the connection has ended. For any thread."""
    sock = client.sock
    if sock is not None:
        with suppress(OSError):  # it has ended already
            sock.shutdown(socket.SHUT_RDWR)


def said(code: int, words: bytes) -> str:
    """The server's own words, in one line."""
    return _one_line(f"{code} {words.decode('utf-8', 'replace')}")


def ended(error: Exception) -> str:
    return f"The outgoing server ended the connection: {_reason(error)}."


def _reason(error: Exception) -> str:
    match error:
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, OSError):
            return _reason(error.__context__)
        case smtplib.SMTPResponseException():
            words = error.smtp_error
            return said(error.smtp_code, words if isinstance(words, bytes) else str(words).encode())
        case TimeoutError():
            return "it did not answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not good ({error.verify_message})"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return _one_line(str(error)).rstrip(".")


def _one_line(words: str) -> str:
    """Words without line ends and control characters, of which PostgreSQL could not store a NUL."""
    return "".join(c for c in " ".join(words.split()) if c.isprintable())[:MAX_WORDS]


def why_unreachable(server: Server, error: Exception) -> str:
    where = f"{server.host}:{server.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"The outgoing server {where} refused the login: {_reason(error)}."
    return f"The outgoing server {where} cannot be used: {_reason(error)}."
