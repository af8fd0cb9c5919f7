"""The addresses of the desk and how their mail comes in: adding, finding, connecting and changing mailboxes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.addresses import address_key, is_address
from shared.mailbox_values import (
    ImapServer,
    MailboxError,
    Security,
    parse_folders,
    parse_imap_url,
    parse_interval,
    parse_outgoing,
    parse_policy,
)
from shared.models import FolderCursor, InboundMessage, Mailbox, Policy
from shared.oauth import OAuthClient, OAuthSecret, check_client
from shared.tokens import Tokens

__all__ = ["ImapServer", "MailboxError", "Security", "parse_imap_url", "parse_policy"]

DEFAULT_FOLDER = "INBOX"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMailbox:
    """What a person says of a mailbox. Without an IMAP URL its mail comes over SMTP.

    The login is proven by `password`, or by access tokens that `oauth` gets with `secret`; `secret_expires` is when
    either ends, where that is known. `plus`: whether plus-addresses reach it; None says yes for SMTP and no for
    IMAP, where it depends on the server. `from_now`: what is in the folders already is left alone.
    """

    address: str
    name: str = ""
    imap_url: str | None = None
    password: str | None = field(default=None, repr=False)
    oauth: OAuthClient | None = None
    secret: OAuthSecret = field(default_factory=OAuthSecret)
    secret_expires: datetime | None = None
    policy: str = Policy.KEEP.value
    folders: tuple[str, ...] = ()
    poll_seconds: int = 60
    from_now: bool = False
    plus: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What shall be otherwise about a mailbox; None leaves it as it is. `outgoing` is "" for the desk's own server."""

    name: str | None = None
    folders: tuple[str, ...] | None = None
    policy: str | None = None
    poll_seconds: int | None = None
    plus: bool | None = None
    outgoing: str | None = field(default=None, repr=False)
    active: bool | None = None


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


def get_mailbox(session: Session, address: str) -> Mailbox:
    """The mailbox of an address; raises MailboxError where there is none."""
    mailbox = find_mailbox(session, address)
    if mailbox is None:
        raise MailboxError(f"There is no mailbox {address}; see: letterdesk mailbox list")
    return mailbox


def add_mailbox(session: Session, tokens: Tokens, new: NewMailbox, now: datetime) -> Mailbox:
    """Add a mailbox, or connect one that is only received over SMTP so far to its IMAP server.

    Raises MailboxError. Secrets are stored encrypted.
    """
    if not is_address(new.address):
        raise MailboxError(f"“{new.address}” is not a mail address, for example support@example.org.")
    mailbox = find_mailbox(session, new.address)
    if mailbox is None:
        mailbox = Mailbox(address=new.address, address_key=address_key(new.address), created_at=now)
    elif not mailbox.is_active:
        raise MailboxError(
            f"{mailbox.address} is switched off; bring it back: letterdesk mailbox set {mailbox.address} --on"
        )
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
    if new.imap_url is None or not (new.password or new.oauth):
        raise MailboxError("An IMAP mailbox needs its URL and its password.")
    server = parse_imap_url(new.imap_url)
    if new.oauth is not None:
        check_client(new.oauth)
    poll_seconds = parse_interval(new.poll_seconds)
    folders = parse_folders(new.folders or (server.folder or DEFAULT_FOLDER,))
    policy, move_to = _policy(new.policy, folders)
    _forget_another_server(session, mailbox, server)
    mailbox.imap_url = new.imap_url.strip()
    mailbox.oauth = new.oauth.stored() if new.oauth else None
    mailbox.folders, mailbox.policy, mailbox.move_to = folders, policy, move_to
    mailbox.poll_seconds, mailbox.from_now = poll_seconds, new.from_now
    mailbox.connected_at = now
    mailbox.last_ok_at = mailbox.last_error = mailbox.incomplete_since = mailbox.unsettled_since = None
    set_secret(mailbox, tokens, new.secret if new.oauth else new.password or "", expires=new.secret_expires)


def set_secret(mailbox: Mailbox, tokens: Tokens, secret: str | OAuthSecret, *, expires: datetime | None = None) -> None:
    """Store what proves the login to the IMAP server, encrypted; the next poll comes at once. Raises MailboxError.

    `expires`: when it ends, where that is known.
    """
    if mailbox.imap_url is None:
        raise MailboxError(f"The mail for {mailbox.address} comes over SMTP; there is nothing to log in to.")
    if not secret:
        raise MailboxError("The password is empty.")
    mailbox.imap_secret = tokens.encrypt(secret if isinstance(secret, str) else secret.stored())
    mailbox.access_token, mailbox.access_expires_at, mailbox.secret_expires_at = None, None, expires
    poll_soon(mailbox)


def give_secret(
    mailbox: Mailbox, tokens: Tokens, secret: str | OAuthSecret, *, expires: datetime | None = None
) -> None:
    """Store a new password, or a new client secret; a permission that was given stays unless there is a new one.

    Raises MailboxError. `expires`: when the new secret ends, where that is known.
    """
    if isinstance(secret, str) or mailbox.oauth is None:
        set_secret(mailbox, tokens, secret, expires=expires)
        return
    kept = tokens.decrypt(mailbox.imap_secret) if mailbox.imap_secret else None
    if not secret.refresh_token and kept is not None:
        secret = replace(secret, refresh_token=OAuthSecret.of(kept).refresh_token)
    mailbox.oauth = replace(OAuthClient.of(mailbox.oauth), secret_expires=expires).stored()
    set_secret(mailbox, tokens, secret, expires=expires)


def oauth_of(mailbox: Mailbox, tokens: Tokens) -> tuple[OAuthClient, OAuthSecret]:
    """How a mailbox gets its access tokens, and with which secret. Raises MailboxError where it does not."""
    if mailbox.oauth is None or mailbox.imap_secret is None:
        raise MailboxError(f"{mailbox.address} has no access tokens; it was added without --oauth.")
    secret = tokens.decrypt(mailbox.imap_secret)
    if secret is None:
        raise MailboxError("The stored secret cannot be read with this LETTERDESK_SECRET_KEY; set it again.")
    return OAuthClient.of(mailbox.oauth), OAuthSecret.of(secret)


def poll_soon(mailbox: Mailbox) -> None:
    """Let the next poll come at once, whatever happened before."""
    mailbox.last_poll_at, mailbox.failures, mailbox.failing_since = None, 0, None


def reconcile_soon(mailbox: Mailbox) -> None:
    """Let the next poll compare all that the server holds with the ledger. Raises MailboxError."""
    if mailbox.imap_url is None:
        raise MailboxError(f"The mail for {mailbox.address} comes over SMTP; there is no server to compare with.")
    for cursor in mailbox.cursors:
        cursor.reconciled_at = None
    poll_soon(mailbox)


def change(mailbox: Mailbox, tokens: Tokens, wanted: Change, *, desk_address: str) -> None:
    """Change what is said of a mailbox; raises MailboxError, to be rolled back.

    The desk's own mailbox is never switched off and has no server of its own: it tells what is wrong with others.
    """
    if mailbox.address_key == address_key(desk_address) and (wanted.active is False or wanted.outgoing):
        what = (
            "is the desk's own address and cannot be removed"
            if wanted.active is False
            else "sends by LETTERDESK_OUTGOING"
        )
        raise MailboxError(f"{mailbox.address} {what}; another one is chosen with LETTERDESK_ADDRESS.")
    if any(value is not None for value in (wanted.folders, wanted.policy, wanted.poll_seconds)):
        _change_polling(mailbox, wanted)
    if wanted.outgoing is not None:
        mailbox.outgoing_secret = tokens.encrypt(parse_outgoing(wanted.outgoing)) if wanted.outgoing else None
    mailbox.name = mailbox.name if wanted.name is None else wanted.name
    mailbox.plus = mailbox.plus if wanted.plus is None else wanted.plus
    mailbox.is_active = mailbox.is_active if wanted.active is None else wanted.active


def _change_polling(mailbox: Mailbox, wanted: Change) -> None:
    if mailbox.imap_url is None:
        raise MailboxError(f"The mail for {mailbox.address} comes over SMTP; it has no folders, policy or interval.")
    kept = f"move:{mailbox.move_to}" if mailbox.policy is Policy.MOVE else mailbox.policy.value
    folders = parse_folders(mailbox.folders if wanted.folders is None else wanted.folders)
    mailbox.policy, mailbox.move_to = _policy(kept if wanted.policy is None else wanted.policy, folders)
    mailbox.folders = folders
    mailbox.poll_seconds = parse_interval(mailbox.poll_seconds if wanted.poll_seconds is None else wanted.poll_seconds)


def _policy(text: str, folders: list[str]) -> tuple[Policy, str | None]:
    policy, move_to = parse_policy(text)
    if move_to in folders:
        raise MailboxError(f"Mail cannot be moved to “{move_to}”, since that is a folder it is taken from.")
    return policy, move_to


def _forget_another_server(session: Session, mailbox: Mailbox, server: ImapServer) -> None:
    if mailbox.id is None or (mailbox.imap_url and _is_same_account(parse_imap_url(mailbox.imap_url), server)):
        return
    taken = InboundMessage.mailbox_id == mailbox.id, InboundMessage.uid.is_not(None)
    session.execute(update(InboundMessage).where(*taken).values(folder=None, uidvalidity=None, uid=None))
    session.execute(delete(FolderCursor).where(FolderCursor.mailbox_id == mailbox.id))


def _is_same_account(one: ImapServer, other: ImapServer) -> bool:
    return (one.user, one.host) == (other.user, other.host)
