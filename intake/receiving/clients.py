"""Who talks to the server: how many connections at once, and how many mails a minute, by the client's address.

Clients on this machine are never limited. An IPv6 client is its /64 network: whoever has one address has all of it.
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable

MINUTE = 60.0
REMEMBERED = 50_000  # clients at once; those beyond are not counted, so that the memory has an end


class Clients:
    """Counts clients. `connections` are allowed at once from one address, and `mails` a minute (0: any number).

    The minute slides: what came in the minute before counts by the share of it that is less than a minute ago.
    """

    def __init__(self, *, connections: int, mails: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections = connections
        self._mails = mails
        self._clock = clock
        self._present: Counter[str] = Counter()
        self._this_minute: Counter[str] = Counter()
        self._last_minute: Counter[str] = Counter()
        self._minute_began = clock()

    def enter(self, address: str) -> bool:
        """Count a connection; False, and nothing counted, where the client has its share already."""
        client = _client(address)
        if client is None:
            return True
        if self._present[client] >= self._connections:
            return False
        self._present[client] += 1
        return True

    def leave(self, address: str) -> None:
        """Take back what `enter` counted."""
        client = _client(address)
        if client is not None:
            self._present[client] -= 1
            self._present += Counter()  # drops the zeros

    def may_send(self, address: str) -> bool:
        """Count a mail; False, and nothing counted, where the client has sent as many as it may."""
        client = _client(address)
        if client is None or not self._mails:
            return True
        now = self._clock()
        self._turn(now)
        still_counting = 1 - (now - self._minute_began) / MINUTE
        sent = self._this_minute[client] + self._last_minute[client] * still_counting
        if sent + 1 > self._mails:
            return False
        if client in self._this_minute or len(self._this_minute) < REMEMBERED:
            self._this_minute[client] += 1
        return True

    def _turn(self, now: float) -> None:
        """Begin another minute where the present one is over."""
        past = now - self._minute_began
        if past >= 2 * MINUTE:
            self._last_minute, self._this_minute, self._minute_began = Counter(), Counter(), now
        elif past >= MINUTE:
            self._last_minute, self._this_minute = self._this_minute, Counter()
            self._minute_began += MINUTE


def _client(address: str) -> str | None:
    """Under what a client is counted; None where it is on this machine, or speaks through a local socket."""
    try:
        ip = plain_address(address)
    except ValueError:
        return None
    if ip.is_loopback:
        return None
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; an IPv4 client of an IPv6 socket is an IPv4 client. Raises ValueError."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
