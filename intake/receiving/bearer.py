"""Log in to an IMAP server with an access token: SASL OAUTHBEARER (RFC 7628) and its forerunner XOAUTH2."""

from __future__ import annotations

import json
from dataclasses import dataclass

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, LoginError

from shared.mailbox_values import ImapServer

STATUS_LIMIT = 40


@dataclass(slots=True, kw_only=True)
class Dialogue:
    """One exchange: the token first; whatever the server asks then is why it refuses, and is answered with `farewell`.

    Without that answer the server would wait for it and never say NO (RFC 7628, section 3.2.3).
    """

    mechanism: str
    first: bytes
    farewell: bytes
    status: str = ""
    is_begun: bool = False

    def __call__(self, challenge: bytes) -> bytes:
        if not self.is_begun:
            self.is_begun = True
            return self.first
        self.status = _status(challenge)
        return self.farewell


def log_in(client: IMAPClient, server: ImapServer, token: str) -> None:
    """Show a token to the server. Raises LoginError with its words where it refuses, also where it takes none."""
    dialogue = _dialogue(client, server, token)
    try:
        client.sasl_login(dialogue.mechanism, dialogue)
    except LoginError as error:
        if isinstance(error.__context__, IMAPClientAbortError):
            raise error.__context__ from None
        raise LoginError(f"{error} ({dialogue.status})" if dialogue.status else str(error)) from error


def _dialogue(client: IMAPClient, server: ImapServer, token: str) -> Dialogue:
    if client.has_capability("AUTH=XOAUTH2"):
        said = f"user={server.user}\x01auth=Bearer {token}\x01\x01"
        return Dialogue(mechanism="XOAUTH2", first=said.encode(), farewell=b"")
    if client.has_capability("AUTH=OAUTHBEARER"):
        user = server.user.replace("=", "=3D").replace(",", "=2C")
        said = f"n,a={user},\x01host={server.host}\x01port={server.port}\x01auth=Bearer {token}\x01\x01"
        return Dialogue(mechanism="OAUTHBEARER", first=said.encode(), farewell=b"\x01")
    raise LoginError("it takes no access tokens, neither by XOAUTH2 nor by OAUTHBEARER")


def _status(challenge: bytes) -> str:
    """What the server's error says in a word ("400", "invalid_token"), where it can be read."""
    try:
        status = json.loads(challenge)["status"]
    except (ValueError, LookupError, TypeError):
        return ""
    return "".join(c for c in str(status) if c.isprintable())[:STATUS_LIMIT]
