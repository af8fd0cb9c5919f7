"""Log in to a mailbox, and where its password is refused say how to give another."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient import IMAPClient

from intake.receiving.imap_connection import ImapFault, PasswordFault, TokenSource, connected
from intake.receiving.imap_ledger import Account


@contextmanager
def logged_in(account: Account, proof: str | TokenSource, tls: ssl.SSLContext | None = None) -> Iterator[IMAPClient]:
    """Like `connected`; a refusal of the password names the command that mends it. Raises ImapFault."""
    try:
        with connected(account.server, proof, tls) as client:
            yield client
    except PasswordFault as error:
        todo = f"Where it was changed, give the new one: letterdesk mailbox password {account.address}"
        raise ImapFault(f"{str(error).rstrip('.')}. {todo}") from error
