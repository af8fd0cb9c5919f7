"""Addresses to listen on: whether they can be had, and who has them already."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from enum import Enum, auto
from http.client import HTTPConnection, HTTPException

from shared.config import ConfigError, Settings, host_and_port

ANSWER_SECONDS = 3
TRIES = 10
PAUSE_SECONDS = 0.5  # between the tries; together as long as a portal whose desk has died may take to end
HEALTHY = b"ok\n"  # what the portal says at /healthz

Address = tuple[str, int]


class Holder(Enum):
    """Who listens on an address that is in use."""

    DESK = auto()
    OTHER = auto()
    UNKNOWN = auto()  # it does not answer, or not in a way that tells


def why_not(address: Address) -> OSError | None:
    """Why nobody can begin to listen there now; None where somebody can."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        socket.create_server(address, family=family).close()
    except OSError as error:
        return error
    return None


def refusal(address: Address, error: OSError) -> str:
    """Why an address cannot be listened on, for the person who set it: a sentence without its full stop."""
    where = shown(address)
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program; stop it or choose another port"
    if error.errno == errno.EACCES:
        return f"{where} cannot be used: ports below 1024 need special rights; choose another port"
    return f"{where} cannot be used ({error.strerror or error})"


def shown(address: Address) -> str:
    """An address as it stands in a setting: 127.0.0.1:8000 or [::1]:8000."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def portal_holder(address: Address) -> Holder:
    """Who has the port of the portal: what answers at /healthz as a portal does is one."""
    connection = HTTPConnection(*address, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return Holder.DESK if (answer.status, answer.read(100)) == (200, HEALTHY) else Holder.OTHER
    except OSError:
        return Holder.UNKNOWN
    except HTTPException:
        return Holder.OTHER
    finally:
        connection.close()


def demand_portal_port(settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
    """Raise ConfigError where the portal cannot listen.

    What is no portal is refused at once; a portal may be one that is just ending, and gets some seconds to do so.
    """
    address = host_and_port(settings.portal_listen)
    error, tries = why_not(address), 0
    while error is not None and tries < TRIES and _may_be_ending(address, error):
        sleep(PAUSE_SECONDS)
        error, tries = why_not(address), tries + 1
    if error is not None:
        raise ConfigError(f"LETTERDESK_PORTAL_LISTEN: {refusal(address, error)}.")


def _may_be_ending(address: Address, error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE and portal_holder(address) is not Holder.OTHER
