"""Who gives access tokens for a mailbox (OAuth 2.0, RFC 6749), and what the desk has to say to get them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import urlsplit

from shared.mailbox_values import URL_LIMIT, MailboxError, is_this_machine

FIELD_LIMIT = 1000


class Grant(StrEnum):
    """What a token is asked for with: a permission that a person gave, or the desk's own credentials."""

    REFRESH = "refresh"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A known authorization server. `{tenant}` in its URLs is the organisation; no scope means no such grant."""

    name: str
    token_url: str
    device_url: str = ""
    consent_url: str = ""
    scopes: Mapping[Grant, str]
    tenant: str = ""


PROVIDERS = {
    "google": Provider(
        name="Google",
        token_url="https://oauth2.googleapis.com/token",
        consent_url="https://accounts.google.com/o/oauth2/v2/auth",  # its device codes give no access to mail
        scopes={Grant.REFRESH: "https://mail.google.com/"},
    ),
    "microsoft": Provider(
        name="Microsoft",
        token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        device_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        scopes={
            Grant.REFRESH: "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
            Grant.CLIENT: "https://outlook.office365.com/.default",
        },
        tenant="common",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """The desk as the authorization server knows it, for one mailbox. Holds no secret.

    `provider` is a name of PROVIDERS or the URL of a token endpoint. `secret_expires`: when the client secret ends.
    """

    provider: str
    client_id: str
    grant: Grant = Grant.REFRESH
    tenant: str = ""
    scope: str = ""
    device_url: str = ""
    secret_expires: datetime | None = None

    @property
    def name(self) -> str:
        """How it is called in a sentence."""
        known = PROVIDERS.get(self.provider)
        return known.name if known else urlsplit(self.provider).hostname or self.provider

    @property
    def endpoints(self) -> Provider:
        """Where to ask, and for what, with all that this client says otherwise."""
        known = PROVIDERS.get(self.provider) or Provider(name=self.name, token_url=self.provider, scopes={})
        tenant = self.tenant or known.tenant
        scope = self.scope or known.scopes.get(self.grant, "")
        return Provider(
            name=known.name,
            token_url=known.token_url.replace("{tenant}", tenant),
            device_url=self.device_url or known.device_url.replace("{tenant}", tenant),
            consent_url=known.consent_url,
            scopes={self.grant: scope},
        )

    @property
    def asked_scope(self) -> str:
        return self.endpoints.scopes[self.grant]

    def stored(self) -> dict[str, Any]:
        """As it is kept in `Mailbox.oauth`."""
        ends = self.secret_expires.isoformat() if self.secret_expires else None
        fields = {
            "provider": self.provider,
            "client_id": self.client_id,
            "grant": self.grant.value,
            "tenant": self.tenant,
            "scope": self.scope,
            "device_url": self.device_url,
            "secret_expires": ends,
        }
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `stored` made."""
        ends = stored.get("secret_expires")
        known = {**stored, "grant": Grant(stored["grant"])}
        return cls(**{**known, "secret_expires": datetime.fromisoformat(ends) if ends else None})


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSecret:
    """The secrets of a client. A public one has no client secret; until a person agrees there is no refresh token."""

    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    def stored(self) -> str:
        """As it is kept, still to be encrypted."""
        return json.dumps({"client_secret": self.client_secret, "refresh_token": self.refresh_token})

    @classmethod
    def of(cls, stored: str) -> Self:
        """Read what `stored` made."""
        return cls(**json.loads(stored))


def check_client(client: OAuthClient) -> None:
    """Raise MailboxError where a client cannot work, with a sentence for the person who wrote it."""
    known = PROVIDERS.get(client.provider)
    if client.device_url:
        _check_url(client.device_url, "The URL for device codes cannot be used")
    if not client.client_id:
        raise MailboxError("The client ID is missing; the provider shows it where the application is registered.")
    for value in (client.client_id, client.tenant, client.scope):
        if not value.isprintable() or len(value) > FIELD_LIMIT:
            raise MailboxError(f"Client ID, tenant and scope have at most {FIELD_LIMIT} characters, all printable.")
    if known is None:
        _check_url(client.provider, f"“{client.provider}” is no provider (google, microsoft) and no token endpoint")
    else:
        _check_known(client, known)


def _check_known(client: OAuthClient, provider: Provider) -> None:
    if client.tenant and not client.tenant.replace("-", "").replace(".", "").isalnum():
        raise MailboxError("The tenant is the ID or the domain of the organisation, for example example.org.")
    if client.grant not in provider.scopes:
        raise MailboxError(f"{provider.name} takes no client credentials for mailboxes; use --grant refresh.")
    if provider.tenant and client.grant is Grant.CLIENT and not client.tenant:
        raise MailboxError("Client credentials need the tenant of the organisation: --tenant example.org")


def _check_url(url: str, wrong: str) -> None:
    """Tokens travel under TLS, except on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not url.isprintable() or len(url) > URL_LIMIT or parts.username:
        raise MailboxError(f"{wrong}; write it like https://login.example.org/token")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_this_machine(host)):
        raise MailboxError(f"{wrong}: it does not start with https://, and tokens travel under TLS only.")
