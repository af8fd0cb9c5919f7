"""IDLE (RFC 2177): wait on a connection until the server tells of new mail."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from imapclient import IMAPClient

from intake.receiving.imap_connection import GOODBYE_SECONDS

LONGEST = 9 * 60  # seconds; servers cut after 30 minutes (RFC 2177, section 3), many routers on the way after ten
SLICE = 0.5  # seconds; how soon a stop is noticed
TELLING = {b"EXISTS", b"BYE"}


def wait_for_mail(
    client: IMAPClient, seconds: float, is_over: Callable[[], bool], patience: float = GOODBYE_SECONDS
) -> bool:
    """Hold IDLE on the selected folder for at most so many seconds, and 9 minutes; True where mail came.

    Ends half a second after `is_over` says so; the server has `patience` seconds to agree. Raises IMAPClientError and
    OSError where it refuses, says what cannot be understood, or has gone: the connection is of no use then.
    """
    client.idle()
    is_told = _is_more_said(client)
    for _ in range(int(min(seconds, LONGEST) / SLICE)):  # counted, since clocks are set
        if is_told or is_over():
            break
        is_told = any(TELLING.intersection(reply) for reply in client.idle_check(SLICE))
    usual = client.socket().gettimeout()
    client.socket().settimeout(patience)
    client.idle_done()
    client.socket().settimeout(usual)
    return is_told


def _is_more_said(client: IMAPClient) -> bool:
    """Whether the server said more with its consent to IDLE: imapclient looks at the socket, which is empty then."""
    connection = client.socket()
    usual = connection.gettimeout()
    connection.setblocking(False)
    try:
        return bool(client._imap.file.peek(1))  # noqa: SLF001
    except ssl.SSLWantReadError:
        return False
    finally:
        connection.settimeout(usual)


def pause(seconds: float, is_over: Callable[[], bool], sleep: Callable[[float], object]) -> None:
    """Wait without listening."""
    for _ in range(int(seconds / SLICE)):
        if is_over():
            return
        sleep(SLICE)
