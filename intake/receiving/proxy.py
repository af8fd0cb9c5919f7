"""The PROXY header (HAProxy's proxy-protocol.txt, versions 1 and 2), by which a proxy says who its client is."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from intake.receiving.clients import plain_address
from shared.setting_values import Network

logger = logging.getLogger(__name__)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
WORD = b"PROXY "
SHORTEST = 12  # so many bytes both versions have; a version 1 header has at least 15
LONGEST_LINE = 107
FIXED = 16
LOCAL, PROXIED = 0x20, 0x21
ADDRESS_BYTES = {0x1: 4, 0x2: 16}  # by address family: IPv4, IPv6
LINE = re.compile(rb"PROXY TCP(4|6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) ([0-9]{1,5}) ([0-9]{1,5})\r\n")


class ProxyHeaderError(Exception):
    """What came is no PROXY header."""


def missing(header: bytes) -> int:
    """How many bytes must at least follow until the header is whole; 0 where it is. Raises ProxyHeaderError."""
    if not (SIGNATURE.startswith(header[:12]) or WORD.startswith(header[:6])):
        raise ProxyHeaderError("it does not begin like one")
    if len(header) < SHORTEST:
        return SHORTEST - len(header)
    if header.startswith(SIGNATURE):
        return FIXED - len(header) if len(header) < FIXED else FIXED + _length(header) - len(header)
    if len(header) > LONGEST_LINE:
        raise ProxyHeaderError("its line is too long")
    return 0 if header.endswith(b"\r\n") else 1


def client_of(header: bytes) -> str | None:
    """The client's address in a whole header; None where the proxy speaks for itself. Raises ProxyHeaderError."""
    return _client_of_block(header) if header.startswith(SIGNATURE) else _client_of_line(header)


def _client_of_line(header: bytes) -> str | None:
    if header.startswith((b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ")):
        return None
    match = LINE.fullmatch(header)
    if match is None:
        raise ProxyHeaderError("its line cannot be read")
    try:
        address = ipaddress.ip_address(match[2].decode())
    except ValueError:
        raise ProxyHeaderError("its address cannot be read") from None
    if str(address.version) != match[1].decode():
        raise ProxyHeaderError("its address is of another family")
    return str(address)


def _client_of_block(header: bytes) -> str | None:
    command, family = header[12], header[13]
    if command == LOCAL:
        return None
    if command != PROXIED:
        raise ProxyHeaderError("its version or command is unknown")
    size = ADDRESS_BYTES.get(family >> 4)
    if size is None:
        return None  # a local socket, or nothing that we know
    if _length(header) < 2 * size + 4:
        raise ProxyHeaderError("its addresses are cut off")
    return str(ipaddress.ip_address(header[FIXED : FIXED + size]))


def _length(header: bytes) -> int:
    return int.from_bytes(header[14:16], "big")


def is_listed(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    try:
        ip = plain_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


class Session(Protocol):
    """What a connection is handed over to, a protocol of asyncio's; `client` is the address that it counts under."""

    client: str

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...


class ProxiedArrival(asyncio.BufferedProtocol):
    """Takes a connection in: reads the header where a listed proxy is there, then hands it over to `session`.

    It reads not one byte beyond the header, so that TLS may begin right behind it. A listed proxy that sends no
    header within `seconds` is cut off: whoever is behind it would count as the proxy. `done` is called once, with
    whether the connection was handed over.
    """

    def __init__(
        self,
        proxies: Sequence[Network],
        session: Session,
        *,
        done: Callable[[ProxiedArrival, bool], None],
        seconds: float,
    ) -> None:
        self._proxies = proxies
        self._session = session
        self._done = done
        self._seconds = seconds
        self._header = b""
        self._piece = bytearray()
        self._transport: asyncio.Transport | None = None
        self._too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        if is_listed(peer_of(transport), self._proxies):
            self._too_late = asyncio.get_running_loop().call_later(self._seconds, self._refuse, "it comes too late")
        else:
            self._hand_over(transport, None)

    def get_buffer(self, _sizehint: int) -> bytearray:
        self._piece = bytearray(missing(self._header))
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        self._header += self._piece[:nbytes]
        try:
            if missing(self._header):
                return
            client = client_of(self._header)
        except ProxyHeaderError as error:
            self._refuse(str(error))
            return
        if self._transport is not None:
            self._hand_over(self._transport, client)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._leave(handed_over=False)

    def close(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abort()

    def _refuse(self, why: str) -> None:
        if self._transport is not None:
            logger.warning("the proxy %s sent no PROXY header: %s", peer_of(self._transport), why)
        self.close()

    def _hand_over(self, transport: asyncio.Transport, client: str | None) -> None:
        self._leave(handed_over=True)
        self._session.client = client or peer_of(transport)
        transport.set_protocol(cast(asyncio.Protocol, self._session))
        self._session.connection_made(transport)

    def _leave(self, *, handed_over: bool) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
        self._done(self, handed_over)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """The address at the other end; "" where it has none (a local socket, or it is gone already)."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
