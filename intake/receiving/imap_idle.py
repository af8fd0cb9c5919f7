"""IDLE (RFC 2177): wait on a connection until the server tells of new mail."""

from __future__ import annotations

from collections.abc import Callable

from imapclient import IMAPClient

from intake.receiving.imap_connection import GOODBYE_SECONDS

LONGEST = 9 * 60  # seconds; servers cut after 30 minutes (RFC 2177, section 3), many routers on the way after ten
SLICE = 0.5  # seconds; how soon a stop is noticed
TELLING = {b"EXISTS", b"BYE"}


def wait_for_mail(client: IMAPClient, seconds: float, is_over: Callable[[], bool]) -> bool:
    """Hold IDLE on the selected folder for at most so many seconds, and 9 minutes; True where mail came.

    Ends half a second after `is_over` says so. Raises IMAPClientError and OSError where the server refuses, says
    what cannot be understood, or has gone: the connection is of no use then.
    """
    client.idle()
    is_told = False
    for _ in range(int(min(seconds, LONGEST) / SLICE)):  # counted, since clocks are set
        if is_told or is_over():
            break
        is_told = any(TELLING.intersection(reply) for reply in client.idle_check(SLICE))
    usual = client.socket().gettimeout()
    client.socket().settimeout(GOODBYE_SECONDS)
    client.idle_done()
    client.socket().settimeout(usual)
    return is_told


def pause(seconds: float, is_over: Callable[[], bool], sleep: Callable[[float], object]) -> None:
    """Wait without listening."""
    for _ in range(int(seconds / SLICE)):
        if is_over():
            return
        sleep(SLICE)
