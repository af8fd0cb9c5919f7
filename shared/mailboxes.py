"""The addresses of the desk and how their mail comes in: adding, finding and connecting mailboxes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.addresses import address_key, is_address
from shared.models import FolderCursor, InboundMessage, Mailbox, Policy
from shared.tokens import Tokens

MIN_POLL_SECONDS = 5
MAX_POLL_SECONDS = 24 * 3600
FOLDER_LIMIT = 200
URL_LIMIT = 500
EXAMPLE = "imaps://user@imap.example.org"


class MailboxError(Exception):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMailbox:
    """What a person says of a mailbox. Without an IMAP URL its mail comes over SMTP.

    `plus`: whether plus-addresses reach it; None says yes for SMTP and no for IMAP, where it depends on
    the server. `from_now`: what is in the folder already is left alone.
    """

    address: str
    name: str = ""
    imap_url: str | None = None
    password: str | None = None
    policy: str = Policy.KEEP.value
    folder: str | None = None
    poll_seconds: int = 60
    from_now: bool = False
    plus: bool | None = None


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


def ensure_desk_mailbox(session: Session, address: str, name: str, now: datetime) -> Mailbox:
    """Make sure that the desk's own address is a mailbox, and return it. Safe for several at once."""
    mailbox = find_mailbox(session, address)
    if mailbox is not None:
        return mailbox
    try:
        with session.begin_nested():
            mailbox = Mailbox(address=address, address_key=address_key(address), name=name, created_at=now)
            session.add(mailbox)
            session.flush()
    except IntegrityError:  # another process was faster
        found = find_mailbox(session, address)
        if found is None:
            raise
        return found
    return mailbox


def list_mailboxes(session: Session) -> list[Mailbox]:
    """All mailboxes by address, the switched-off ones too."""
    return list(session.scalars(select(Mailbox).order_by(Mailbox.address_key)))


def find_mailbox(session: Session, address: str) -> Mailbox | None:
    return session.scalar(select(Mailbox).where(Mailbox.address_key == address_key(address)))


def add_mailbox(session: Session, tokens: Tokens, new: NewMailbox, now: datetime) -> Mailbox:
    """Add a mailbox, or connect one that is only received over SMTP so far to its IMAP server.

    Raises MailboxError. The password is stored encrypted.
    """
    if not is_address(new.address):
        raise MailboxError(f"“{new.address}” is not a mail address, for example support@example.org.")
    mailbox = find_mailbox(session, new.address)
    if mailbox is None:
        mailbox = Mailbox(address=new.address, address_key=address_key(new.address), created_at=now)
    elif mailbox.imap_url is not None or new.imap_url is None:
        raise MailboxError(f"There is a mailbox {mailbox.address} already.")
    mailbox.name = new.name or mailbox.name or ""
    mailbox.plus = new.imap_url is None if new.plus is None else new.plus
    if new.imap_url is not None:
        connect(session, mailbox, tokens, new, now)
    session.add(mailbox)
    session.flush()
    return mailbox


def connect(session: Session, mailbox: Mailbox, tokens: Tokens, new: NewMailbox, now: datetime) -> None:
    """Set how a mailbox is polled. Mail that is older than `now` is taken in quietly. Raises MailboxError.

    What was noted of another server's folders is forgotten: the same UID means another mail here.
    """
    if new.imap_url is None or not new.password:
        raise MailboxError("An IMAP mailbox needs its URL and its password.")
    server = parse_imap_url(new.imap_url)
    if not MIN_POLL_SECONDS <= new.poll_seconds <= MAX_POLL_SECONDS:
        raise MailboxError(f"A mailbox is polled every {MIN_POLL_SECONDS} to {MAX_POLL_SECONDS} seconds.")
    folder = _folder(new.folder) if new.folder else server.folder or "INBOX"
    policy, move_to = parse_policy(new.policy)
    if move_to == folder:
        raise MailboxError(f"Mail cannot be moved to “{folder}”, since that is the folder it is taken from.")
    _forget_another_server(session, mailbox, server)
    mailbox.imap_url, mailbox.imap_secret = new.imap_url.strip(), tokens.encrypt(new.password)
    mailbox.folders, mailbox.policy, mailbox.move_to = [folder], policy, move_to
    mailbox.poll_seconds, mailbox.from_now = new.poll_seconds, new.from_now
    mailbox.connected_at = now
    mailbox.last_poll_at, mailbox.last_ok_at, mailbox.last_error, mailbox.failures = None, None, None, 0


def set_password(mailbox: Mailbox, tokens: Tokens, password: str) -> None:
    """Store another password for the IMAP server; the next poll comes at once."""
    if not password:
        raise MailboxError("The password is empty.")
    mailbox.imap_secret = tokens.encrypt(password)
    mailbox.last_poll_at, mailbox.failures = None, 0


def _forget_another_server(session: Session, mailbox: Mailbox, server: ImapServer) -> None:
    if mailbox.id is None or (mailbox.imap_url and _is_same_account(parse_imap_url(mailbox.imap_url), server)):
        return
    taken = InboundMessage.mailbox_id == mailbox.id, InboundMessage.uid.is_not(None)
    session.execute(update(InboundMessage).where(*taken).values(folder=None, uidvalidity=None, uid=None))
    session.execute(delete(FolderCursor).where(FolderCursor.mailbox_id == mailbox.id))


def _is_same_account(one: ImapServer, other: ImapServer) -> bool:
    return (one.user, one.host) == (other.user, other.host)


def _security(scheme: str, host: str, query: str) -> Security:
    wish = parse_qs(query).get("tls", [""])[-1].lower()
    if wish not in {"", "yes", "no"}:
        raise MailboxError(f"“tls={wish}” in the IMAP URL is neither tls=yes nor tls=no.")
    if scheme == "imaps":
        if wish == "no":
            raise MailboxError("The IMAP URL says imaps and tls=no at once; write imap:// for a plain connection.")
        return Security.TLS
    if wish == "no" or (wish != "yes" and _is_this_machine(host)):
        return Security.PLAIN
    return Security.STARTTLS


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _folder(name: str) -> str:
    if not name.isprintable() or len(name) > FOLDER_LIMIT:
        raise MailboxError("The name of a folder is at most 200 characters long, without control characters.")
    return name
