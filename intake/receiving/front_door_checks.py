"""What `letterdesk doctor` says about the way in: addresses to listen on, the certificate, files, room on the disk."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from intake.receiving.front_door import certificate_of, listeners_of
from intake.receiving.open_files import allow_connections
from intake.receiving.room import DiskRoom
from intake.receiving.smtp import Listener, sentence_of
from intake.receiving.tls import CERT, CertificateError
from shared.config import Settings
from shared.database import Database

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
    """Whether one can listen there. That somebody does already is well: it may be the desk itself."""
    host, port = listener.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return False, sentence_of(listener, error)
    return True, f"Mail can be taken over {listener.name} on {host}:{port}."


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
