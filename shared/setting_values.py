"""What a setting may hold: each function returns the value as it is kept, or raises ValueError with a sentence's end.

None of them repeats a value that may hold a password.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shared.addresses import is_address

MAX_PORT = 65535

_PORT = re.compile(r"[0-9]{1,5}")
_DKIM = re.compile(r"([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)@([a-z0-9.-]+\.[a-z0-9-]+)=(.+)", re.IGNORECASE)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def host_and_port(value: str) -> tuple[str, int]:
    """Split `127.0.0.1:8025` or `[::1]:8025`; raises ValueError where it is neither."""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise ValueError(f"“{value}” is not HOST:PORT, for example 127.0.0.1:8025")
    return host.strip("[]"), int(port)


def listen(value: str) -> str:
    if value:
        host_and_port(value)
    return value


def address(value: str) -> str:
    if not is_address(value):
        raise ValueError(f"“{value}” is not a mail address, for example support@example.org")
    return value


def outgoing(value: str) -> str:
    if value:
        parts = _url(value)
        if parts.scheme not in {"file", "smtp", "smtps"}:
            raise ValueError("it starts with file:///, smtp:// or smtps://")
        if parts.scheme != "file" and not parts.hostname:
            raise ValueError("it names no host, for example smtp://user:password@mail.example.org:587")
        if parts.scheme == "file" and (parts.netloc or not parts.path):
            raise ValueError("it names no folder, for example file:///var/spool/letterdesk")
        return parts.scheme + value[len(parts.scheme) :]
    return value


def portal_url(value: str) -> str:
    if value:
        parts = _url(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it is no address of a web site, for example https://desk.example.org")
        if parts.query or parts.fragment:
            raise ValueError("it has a ? or a #, behind which no page can be")
    return value


def _url(value: str) -> SplitResult:
    """Split a URL; raises ValueError without repeating any of it, since it may hold a password."""
    try:
        parts = urlsplit(value)
        wrong = parts.port == 0
    except ValueError:
        wrong = True
    if wrong or not value.isprintable() or value != value.strip():
        raise ValueError("it is no URL: host or port cannot be read") from None
    return parts


def database_url(value: str) -> str:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("it is no database URL, for example postgresql://user:password@host/letterdesk") from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ValueError(f"“{backend}” is not supported; use sqlite or postgresql")
    if backend == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise ValueError("it names no file, for example sqlite:///var/letterdesk.db")
    return value


def alert_url(value: str) -> str:
    if value and (_url(value).scheme not in {"http", "https"} or not _url(value).hostname):
        raise ValueError("it is no address that alerts can be posted to, for example https://alerts.example.org/desk")
    return value


def words(value: str) -> tuple[str, ...]:
    """What stands between commas, without what is empty."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def networks(value: str) -> tuple[Network, ...]:
    """Split `10.0.0.0/8, 192.0.2.7`; raises ValueError where one is no network."""
    found = []
    for part in words(value):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError:
            raise ValueError(f"“{part}” is no address of a network, for example 10.0.0.0/8 or 192.0.2.7") from None
    return tuple(found)


def network_list(value: str) -> str:
    networks(value)
    return value


def dkim_keys(value: str) -> tuple[tuple[str, str, Path], ...]:
    """Split `SELECTOR@DOMAIN=FILE, …` into (selector, domain, file); raises ValueError."""
    found = []
    for part in words(value):
        match = _DKIM.fullmatch(part)
        if match is None:
            raise ValueError(f"“{part}” is not SELECTOR@DOMAIN=FILE, for example desk1@example.org=/etc/desk/dkim.pem")
        found.append((match[1].lower(), match[2].lower(), Path(match[3])))
    return tuple(found)


def dkim_list(value: str) -> str:
    dkim_keys(value)
    return value
