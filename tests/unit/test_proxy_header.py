"""The PROXY header, byte by byte: what a proxy says of its client, and what is no header at all."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.receiving.proxy import LONGEST_LINE, SIGNATURE, ProxyHeaderError, client_of, missing

V4 = ipaddress.ip_address("192.0.2.7").packed + ipaddress.ip_address("198.51.100.1").packed + b"\x12\x34\x00\x19"
V6 = ipaddress.ip_address("2001:db8::7").packed * 2 + b"\x12\x34\x00\x19"
UNIX = b"\x00" * 216


def block(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(rest).to_bytes(2, "big") + rest


HEADERS = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 4660 25\r\n": "192.0.2.7",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 4660 25\r\n": "2001:db8::7",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n": None,
    block(0x21, 0x11, V4): "192.0.2.7",
    block(0x21, 0x11, V4 + b"\x04\x00\x02ab"): "192.0.2.7",
    block(0x21, 0x21, V6): "2001:db8::7",
    block(0x20, 0x00, b""): None,
    block(0x20, 0x11, V4): None,
    block(0x21, 0x31, UNIX): None,
}
BROKEN = [
    b"EHLO client.example\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03a",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 25\r\n",
    b"PROXY TCP4 192.0.2.777 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25 x\r\n",
    b"PROXY TCP5 192.0.2.7 198.51.100.1 1 25\r\n",
    b"PROXY \r\n\r\n\r\n\r\n",
    b"PROXY TCP4 " + b"1" * LONGEST_LINE + b"\r\n",
    block(0x11, 0x11, V4),
    block(0x22, 0x11, V4),
    block(0x21, 0x11, V4[:-1]),
]


def read(stream: bytes) -> tuple[str | None, bytes]:
    """Read a header as the server does, never more than is missing; return the client and what is left."""
    header = b""
    while (wanted := missing(header)) and len(header) < len(stream):
        header = stream[: len(header) + wanted]
    assert not missing(header)
    return client_of(header), stream[len(header) :]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_names_the_client_and_ends_where_it_ends(header: bytes) -> None:
    assert read(header + b"EHLO client.example\r\n") == (HEADERS[header], b"EHLO client.example\r\n")


@pytest.mark.parametrize("stream", BROKEN)
def test_what_is_no_header_is_refused(stream: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read(stream)


BEGINNINGS = (b"", b"PROXY ", b"PROXY TCP6 ", SIGNATURE, SIGNATURE + b"\x21\x11", SIGNATURE + b"\x21\x11\x00\x0c")


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
def test_any_bytes_name_a_client_or_nobody_or_are_refused(beginning: bytes, rest: bytes) -> None:
    stream = beginning + rest + b"\r\n" + bytes(LONGEST_LINE)
    header = b""
    with suppress(ProxyHeaderError):
        while (wanted := missing(header)) and len(header) < len(stream):
            header = stream[: len(header) + wanted]
        client = None if missing(header) else client_of(header)
        assert client is None or ipaddress.ip_address(client)
    assert stream.startswith(header)
