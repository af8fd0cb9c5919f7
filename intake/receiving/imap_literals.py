"""No server makes us hold more memory than a mail may need, whatever it announces."""

from __future__ import annotations

from collections.abc import Callable

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError

from intake.receiving.imap_folder import PIECE

SLACK = 4  # servers are wrong about the sizes of mails, but not by this factor


def limit_literals(client: IMAPClient, most: int) -> None:
    """Break the connection where the server announces a literal of far over `most` bytes, the size of a mail.

    imaplib makes room for as much as is announced before the first byte is there.
    """
    protocol = client._imap  # noqa: SLF001 - imapclient has no way to hand in another
    read: Callable[[int], bytes] = protocol.read

    def limited(size: int) -> bytes:
        if size > SLACK * max(most, PIECE):
            raise IMAPClientAbortError(f"the server announces {size} bytes at once")
        return read(size)

    protocol.read = limited
