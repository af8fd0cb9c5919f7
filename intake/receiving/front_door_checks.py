"""What `letterdesk doctor` says about the way in: addresses to listen on, the certificate, files, room on the disk."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from intake.receiving.front_door import certificate_of, listeners_of
from intake.receiving.open_files import allow_connections
from intake.receiving.room import DiskRoom
from intake.receiving.smtp import Listener, sentence_of
from intake.receiving.smtp_connection import IDENT
from intake.receiving.tls import CERT, CertificateError
from shared.config import Settings
from shared.database import Database
from shared.listening import ANSWER_SECONDS, Holder, shown, why_not

EARLY = timedelta(days=14)  # a certificate that ends sooner is to be renewed now

Finding = tuple[bool, str]


def look_at_front_door(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """Yield what was looked at: whether it is well, and a sentence."""
    for listener in listeners_of(settings):
        yield _door(listener)
    if certificate_of(settings) is not None:
        yield _certificate(settings, now)
    if too_few := allow_connections(settings.smtp_max_connections):
        yield False, too_few
    shortage = DiskRoom.of(settings, database).shortage()
    yield (True, "There is room on the disk.") if shortage is None else (False, shortage.sentence)


def _door(listener: Listener) -> Finding:
    """Whether one can listen there. That somebody does already is well where it is a desk, or may be one."""
    over = f"over {listener.name} on {shown(listener.address)}"
    error = why_not(listener.address)
    if error is None:
        return True, f"Mail can be taken {over}."
    holder = _holder(listener) if error.errno == errno.EADDRINUSE else Holder.OTHER
    match holder:
        case Holder.DESK:
            return True, f"Mail is taken {over}: a desk answers there."
        case Holder.UNKNOWN:
            return True, f"{shown(listener.address)} ({listener.name}) is in use, by this desk or by another program."
    return False, sentence_of(listener, error)


def _holder(listener: Listener) -> Holder:
    """Who has the port, by its greeting. A desk that is busy, or waits for a PROXY header, does not tell."""
    try:
        greeting = _greeting(listener)
    except OSError:
        return Holder.UNKNOWN
    if not greeting or greeting.startswith(b"421"):
        return Holder.UNKNOWN
    is_ours = greeting.startswith(b"220 ") and greeting.rstrip().endswith(IDENT.encode())
    return Holder.DESK if is_ours else Holder.OTHER


def _greeting(listener: Listener) -> bytes:
    """The first line that is said there; QUIT lets servers speak that wait for the client to begin."""
    with _connected(listener) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"QUIT\r\n")
        return answers.readline(1000)


def _connected(listener: Listener) -> socket.socket:
    connection = socket.create_connection(listener.address, ANSWER_SECONDS)
    if not listener.tls:
        return connection
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is told; its name is no matter here
    with connection:  # what is protected has the socket of its own from then on
        return context.wrap_socket(connection)


def _certificate(settings: Settings, now: datetime) -> Finding:
    certificate = certificate_of(settings)
    try:
        if certificate is not None:
            certificate.context()
    except CertificateError as error:
        return False, str(error)
    path = Path(settings.smtp_tls_cert)
    ends = x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
    if ends <= now:
        return False, f"{CERT} is wrong: the certificate {path} ended on {ends:%-d %B %Y}; renew it."
    if ends <= now + EARLY:
        return False, f"The certificate {path} ends on {ends:%-d %B %Y}; renew it now. No restart is needed."
    return True, f"The certificate for mail that comes in is good until {ends:%-d %B %Y}."
