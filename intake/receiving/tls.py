"""The certificate with which mail is received: checked at the start, and read again whenever its files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

CERT, KEY = "LETTERDESK_SMTP_TLS_CERT", "LETTERDESK_SMTP_TLS_KEY"

Stamp = tuple[tuple[int, int, int], ...]


class CertificateError(Exception):
    """A certificate cannot be used. The message is one sentence that names the setting."""


class Certificate:
    """A certificate with its chain and its key, as PEM files. TLS 1.2 and newer.

    Where the files were changed and cannot be used (one of two is not written yet), the former ones stay in use.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert, self._key = cert, key
        self._seen: Stamp = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """What a handshake needs. Raises CertificateError where the files could never be used."""
        stamp = self._stamp()
        if self._context is None or stamp != self._seen:
            self._seen = stamp
            self._context = self._read_again(self._context)
        return self._context

    def _read_again(self, former: ssl.SSLContext | None) -> ssl.SSLContext:
        try:
            return load(self._cert, self._key)
        except CertificateError as error:
            if former is None:
                raise
            logger.error("%s The certificate that was read before is still used.", error)
            return former

    def _stamp(self) -> Stamp:
        """What differs once a file was replaced or written to."""
        try:
            stats = [path.stat() for path in (self._cert, self._key)]
        except OSError:
            return ((0, 0, 0),)
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def load(cert: Path, key: Path) -> ssl.SSLContext:
    """Read a certificate and its key. Raises CertificateError, which says what is wrong with which setting."""
    for name, path in ((CERT, cert), (KEY, key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise CertificateError(f"{name} is wrong: {path} cannot be read ({error.strerror}).") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_refuse_password)
    except _LockedKeyError:
        raise CertificateError(f"{KEY} is wrong: {key} is locked with a password; give a key without one.") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"{KEY} is wrong: {key} is not the key of the certificate {cert}.") from None
        raise CertificateError(
            f"{CERT} or {KEY} is wrong: {cert} and {key} are no certificate and key in PEM form."
        ) from None
    return context


class _LockedKeyError(Exception):
    """A key asks for a password."""


def _refuse_password() -> str:
    """Instead of OpenSSL's question at the terminal, where nobody sits."""
    raise _LockedKeyError
