"""A limit for work that each single wait on the network is within: a server may drip for ever."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

logger = logging.getLogger(__name__)

LONGEST_STEP = 15 * 60.0  # seconds; a mail of 25 MB comes within it at 30 kB/s


class Patience:
    """Cuts a connection on which no step has been finished for too long, so that its poll fails and is heard of.

    `check` is called by another thread than the one that works.
    """

    def __init__(self, connection: socket.socket, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._monotonic = monotonic
        self._since = monotonic()

    def renew(self) -> None:
        """Note that a step was finished."""
        self._since = self._monotonic()

    def check(self) -> None:
        """Cut the connection where the present step takes too long."""
        if self._monotonic() - self._since > LONGEST_STEP:
            logger.warning("a mail server has not finished a step for %d minutes; it is cut off", LONGEST_STEP // 60)
            with suppress(OSError):  # it has gone by itself
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)  # also under TLS at once
