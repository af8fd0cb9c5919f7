"""Access tokens for mailboxes: asked for over HTTPS, kept encrypted, asked for again shortly before they end.

No transaction is open while a token is asked for. A refresh token that the provider replaces is stored in the same
transaction as the access token that came with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from intake.receiving.imap_connection import SAID_LIMIT, ImapFault, TokenSource
from intake.receiving.imap_ledger import Account
from intake.receiving.lease import Clock
from shared import web
from shared.database import Database
from shared.models import Mailbox
from shared.oauth import Grant, OAuthClient, OAuthSecret
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

EARLY = timedelta(minutes=5)  # before its end a token is not used any more
SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=366)
USUAL_SECONDS = 3600.0  # where the answer does not say (RFC 6749, section 5.1)
TOKEN_LIMIT = 20_000
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

WHY = {
    "invalid_grant": "the permission was taken back or has ended; give it again with: "
    "letterdesk mailbox authorize {of}",
    "invalid_client": "the client ID or the client secret is wrong or has ended; give it anew with: "
    "letterdesk mailbox password {of}",
    "unauthorized_client": "the application may not ask in this way; allow it where the application is registered",
    "invalid_scope": "the application may not read mail; allow it where the application is registered",
    "access_denied": "the permission was refused",
}

Post = Callable[..., web.Answer]


def proof_of(account: Account, database: Database, tokens: Tokens, clock: Clock) -> str | TokenSource:
    """What proves the login of an account: its password, or where its access tokens come from."""
    return AccessTokens(account.mailbox_id, database, tokens, clock) if account.is_oauth else account.password


class TokenFault(ImapFault):
    """No access token is to be had now. `error` is the provider's own word for it, where it said one."""

    def __init__(self, sentence: str, error: str = "") -> None:
        super().__init__(sentence)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a token endpoint gave. `refresh_token` is empty where the old one stays."""

    access_token: str = field(repr=False)
    expires: timedelta
    refresh_token: str = field(default="", repr=False)
    refresh_expires: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What is stored of a mailbox: how it asks, with which secret (as stored, too), and the token of the last time."""

    address: str
    client: OAuthClient
    secret: OAuthSecret
    stored: str = field(repr=False)
    access_token: str | None = field(repr=False)
    expires_at: datetime | None


class AccessTokens:
    """The access tokens of one mailbox (a `TokenSource`)."""

    def __init__(self, mailbox_id: int, database: Database, tokens: Tokens, clock: Clock) -> None:
        self._mailbox_id = mailbox_id
        self._database = database
        self._tokens = tokens
        self._clock = clock

    def token(self, refused: str | None = None) -> str:
        """The stored token, or a new one where that ends soon or was `refused`. Raises TokenFault."""
        with self._database.reading() as session:
            held = _read(session, self._mailbox_id, self._tokens)
        if held.access_token not in {None, refused} and held.expires_at and held.expires_at > self._clock() + EARLY:
            return str(held.access_token)
        granted = request_token(held.client, held.secret, held.address)
        with self._database.transaction() as session:
            self._keep(session.get_one(Mailbox, self._mailbox_id, with_for_update={"key_share": True}), held, granted)
        logger.info("mailbox=%d got an access token from %s", self._mailbox_id, held.client.name)
        return granted.access_token

    def _keep(self, mailbox: Mailbox, held: _Held, granted: Granted) -> None:
        """Store what was granted, unless a person has given another secret meanwhile."""
        if mailbox.imap_secret == held.stored:
            keep(mailbox, self._tokens, held.client, held.secret, granted, self._clock())


def keep(
    mailbox: Mailbox, tokens: Tokens, client: OAuthClient, secret: OAuthSecret, granted: Granted, now: datetime
) -> None:
    """Store an access token, and the refresh token that came with it."""
    mailbox.access_token = tokens.encrypt(granted.access_token)
    mailbox.access_expires_at = now + granted.expires
    is_new = granted.refresh_token not in {"", secret.refresh_token}
    if is_new:
        mailbox.imap_secret = tokens.encrypt(replace(secret, refresh_token=granted.refresh_token).stored())
    if is_new or granted.refresh_expires is not None:
        ends = now + granted.refresh_expires if granted.refresh_expires is not None else None
        mailbox.secret_expires_at = min((end for end in (ends, client.secret_expires) if end), default=None)


def _read(session: Session, mailbox_id: int, tokens: Tokens) -> _Held:
    mailbox = session.get(Mailbox, mailbox_id)
    if mailbox is None or mailbox.oauth is None or mailbox.imap_secret is None:
        raise TokenFault("The mailbox is not set up for access tokens")
    secret = tokens.decrypt(mailbox.imap_secret)
    if secret is None:
        raise TokenFault("The stored secret cannot be read with this LETTERDESK_SECRET_KEY; set it again")
    return _Held(
        address=mailbox.address,
        client=OAuthClient.of(mailbox.oauth),
        secret=OAuthSecret.of(secret),
        stored=mailbox.imap_secret,
        access_token=tokens.decrypt(mailbox.access_token) if mailbox.access_token else None,
        expires_at=mailbox.access_expires_at,
    )


def request_token(client: OAuthClient, secret: OAuthSecret, address: str) -> Granted:
    """Ask for an access token (RFC 6749, sections 4.4 and 6). Raises TokenFault."""
    if client.grant is Grant.CLIENT:
        fields = {"grant_type": "client_credentials"}
    elif secret.refresh_token:
        fields = {"grant_type": "refresh_token", "refresh_token": secret.refresh_token}
    else:
        raise TokenFault(f"Nobody has given the permission yet; give it with: letterdesk mailbox authorize {address}")
    return exchange(client, secret, fields | {"scope": client.asked_scope}, address)


def exchange(client: OAuthClient, secret: OAuthSecret, fields: Mapping[str, str], address: str) -> Granted:
    """Send a token request with the client's own name and secret. Raises TokenFault."""
    known = {"client_id": client.client_id, "client_secret": secret.client_secret}
    answer = ask(client, client.endpoints.token_url, {**known, **fields}, address)
    return _granted(client, answer)


def ask(client: OAuthClient, url: str, fields: Mapping[str, str], address: str) -> dict[str, Any]:
    """Post fields to the provider and return its answer, if that is a good one. Raises TokenFault."""
    content = urlencode({name: value for name, value in fields.items() if value}).encode()
    try:
        answer = web.post(url, content, FORM)
    except web.WebError as error:
        raise TokenFault(f"{client.name} {error}, so there is no access token") from error
    told = _object(answer.content)
    if answer.status == 200 and told is not None and "error" not in told:
        return told
    if told is None or not isinstance(told.get("error"), str):
        raise TokenFault(f"{client.name} gave an answer that is no access token (HTTP {answer.status})")
    raise _refusal(client, told, address)


def _refusal(client: OAuthClient, told: Mapping[str, Any], address: str) -> TokenFault:
    error = _words(told["error"])
    if error in WHY:
        return TokenFault(f"{client.name} says ({error}): {WHY[error].format(of=address)}", error)
    description = _words(told.get("error_description"))
    return TokenFault(
        f"{client.name} gives no access token: {error}{f' ({description})' if description else ''}", error
    )


def _granted(client: OAuthClient, told: Mapping[str, Any]) -> Granted:
    access, refresh = told.get("access_token"), told.get("refresh_token") or ""
    if not (_is_token(access) and (refresh == "" or _is_token(refresh))):
        raise TokenFault(f"{client.name} gave an answer without a usable access token")
    expires = _span(told.get("expires_in")) or timedelta(seconds=USUAL_SECONDS)
    return Granted(
        access_token=str(access),
        expires=max(expires, SHORTEST),
        refresh_token=refresh,
        refresh_expires=_span(told.get("refresh_token_expires_in")),
    )


def _is_token(value: object) -> bool:
    """Whether it can stand in a login: printable ASCII without spaces (RFC 6749, appendix A.12)."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= TOKEN_LIMIT
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _span(seconds: object) -> timedelta | None:
    """A number of seconds, also one in quotes; None where it is none, or zero (that is: no end)."""
    try:
        span = float(str(seconds))
    except ValueError:
        return None
    return timedelta(seconds=min(span, LONGEST.total_seconds())) if span > 0 else None


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _words(value: object) -> str:
    """The provider's own words, on one line and of bearable length."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value or "")).split())[:SAID_LIMIT]
