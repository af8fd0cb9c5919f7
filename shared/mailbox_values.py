"""What a person may write about a mailbox, and what is said when it is wrong: its server, folders and policy."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

from shared import setting_values
from shared.errors import UserError
from shared.models import Policy

MIN_POLL_SECONDS = 5
MAX_POLL_SECONDS = 24 * 3600
MAX_FOLDERS = 50
FOLDER_LIMIT = 200
URL_LIMIT = 500
EXAMPLE = "imaps://user@imap.example.org"


class MailboxError(UserError):
    """A mailbox cannot be made so. The message is one sentence for the person who asked for it."""


class Security(StrEnum):
    """How the connection to an IMAP server is protected."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer:
    """Where a mailbox is polled, and as whom. `folder` is None where the URL names none."""

    user: str
    host: str
    port: int
    security: Security
    folder: str | None = None


def parse_imap_url(url: str) -> ImapServer:
    """Read `imaps://user@host:port/folder` or `imap://…`; raises MailboxError.

    `imaps` speaks TLS from the start (port 993). `imap` (port 143) must switch to TLS before the login,
    except on this machine or with `?tls=no`. The user may hold an @, plain or as %40.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise MailboxError(f"The IMAP URL cannot be read; write it like {EXAMPLE}.") from None
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username or len(url) > URL_LIMIT:
        raise MailboxError(f"The IMAP URL is not imap://user@host or imaps://user@host, for example {EXAMPLE}.")
    if parts.password is not None and ":" in parts.netloc.rpartition("@")[0]:
        raise MailboxError("The IMAP URL holds a password; leave it out and give the password on its own.")
    security = _security(parts.scheme, parts.hostname, parts.query)
    return ImapServer(
        user=unquote(parts.username),
        host=parts.hostname,
        port=port or (993 if security is Security.TLS else 143),
        security=security,
        folder=_folder(unquote(parts.path.strip("/"))) if parts.path.strip("/") else None,
    )


def parse_policy(text: str) -> tuple[Policy, str | None]:
    """Read `keep`, `seen`, `delete` or `move:FOLDER`; raises MailboxError."""
    word, colon, folder = text.strip().partition(":")
    try:
        policy = Policy(word.lower())
    except ValueError:
        raise MailboxError(f"“{text}” is no policy; use keep, seen, delete or move:FOLDER.") from None
    if policy is Policy.MOVE:
        if not folder.strip():
            raise MailboxError("The policy “move” needs a folder, for example move:Archive.")
        return policy, _folder(folder.strip())
    if colon:
        raise MailboxError(f"The policy “{word}” takes no folder.")
    return policy, None


def parse_folders(folders: Sequence[str]) -> list[str]:
    """The folders to read, each once, in the order given; raises MailboxError."""
    found = list(dict.fromkeys(_folder(folder) for folder in folders))
    if not found or len(found) > MAX_FOLDERS:
        raise MailboxError(f"A mailbox has 1 to {MAX_FOLDERS} folders that are read.")
    return found


def parse_interval(seconds: int) -> int:
    """How often a mailbox is polled; raises MailboxError."""
    if not MIN_POLL_SECONDS <= seconds <= MAX_POLL_SECONDS:
        raise MailboxError(f"A mailbox is polled every {MIN_POLL_SECONDS} to {MAX_POLL_SECONDS} seconds.")
    return seconds


def parse_outgoing(url: str) -> str:
    """The server that sends a mailbox's mail, written like LETTERDESK_OUTGOING; raises MailboxError.

    Nothing of the URL is repeated: it may hold a password.
    """
    try:
        checked = setting_values.outgoing(url.strip())
    except ValueError as error:
        raise MailboxError(f"The URL of the outgoing server is wrong: {error}.") from None
    if not checked:
        raise MailboxError("The URL of the outgoing server is empty.")
    return checked


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine itself, so that nobody can listen in between."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _security(scheme: str, host: str, query: str) -> Security:
    wish = parse_qs(query).get("tls", [""])[-1].lower()
    if wish not in {"", "yes", "no"}:
        raise MailboxError(f"“tls={wish}” in the IMAP URL is neither tls=yes nor tls=no.")
    if scheme == "imaps":
        if wish == "no":
            raise MailboxError("The IMAP URL says imaps and tls=no at once; write imap:// for a plain connection.")
        return Security.TLS
    if wish == "no" or (wish != "yes" and is_this_machine(host)):
        return Security.PLAIN
    return Security.STARTTLS


def _folder(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable() or len(name) > FOLDER_LIMIT:
        raise MailboxError("The name of a folder has 1 to 200 characters, without control characters.")
    return name
