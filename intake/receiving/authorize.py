"""Gets a person's permission to read a mailbox: by a device code (RFC 8628), or by consent in a browser (RFC 7636).

Both work on a server without a browser: the page is opened anywhere, and what has to come back is typed or pasted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from intake.receiving.oauth import Granted, TokenFault, ask, exchange
from shared.mailbox_values import URL_LIMIT, MailboxError
from shared.oauth import Grant, OAuthClient, OAuthSecret
from shared.web import WebError

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_SECONDS = 5.0  # between two questions, where the server names none (RFC 8628, section 3.2)
LONGEST_INTERVAL = 60.0
LONGEST_WAIT = timedelta(minutes=30)
REDIRECT = "http://127.0.0.1/"  # where nothing answers: the code stands in the browser's address line (RFC 8252)

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What the person opens and types, and with what the desk asks whether they have agreed."""

    url: str
    user_code: str
    code: str = field(repr=False)
    interval: float
    tries_for: float


def check_grant(client: OAuthClient) -> None:
    """Raise MailboxError where no person can give the permission in these ways."""
    if client.grant is not Grant.REFRESH:
        raise MailboxError("With client credentials an administrator gives the permission at the provider, not here.")
    if not (client.endpoints.device_url or client.endpoints.consent_url):
        raise MailboxError(
            f"{client.name} is not known to give permissions by a code; name its page with --device-url, or get a "
            "refresh token there and give it with: letterdesk mailbox password"
        )


def begin_device(client: OAuthClient, address: str) -> DeviceCode:
    """Ask for a code that a person types at the provider. Raises TokenFault."""
    fields = {"client_id": client.client_id, "scope": client.asked_scope}
    told = ask(client, client.endpoints.device_url, fields, address)
    url = _text(told, "verification_uri") or _text(told, "verification_url")  # the second is Google's name for it
    if not (url.startswith(("https://", "http://")) and _text(told, "user_code") and _text(told, "device_code")):
        raise TokenFault(f"{client.name} gave no code to type")
    return DeviceCode(
        url=url,
        user_code=_text(told, "user_code"),
        code=_text(told, "device_code"),
        interval=_seconds(told.get("interval"), INTERVAL_SECONDS, LONGEST_INTERVAL),
        tries_for=_seconds(told.get("expires_in"), LONGEST_WAIT.total_seconds(), LONGEST_WAIT.total_seconds()),
    )


def wait_for_device(client: OAuthClient, secret: OAuthSecret, code: DeviceCode, address: str, sleep: Sleep) -> Granted:
    """Wait until the person has agreed. Raises TokenFault where they refuse, or let the code run out."""
    fields = {"grant_type": DEVICE_GRANT, "device_code": code.code}
    interval, left = code.interval, code.tries_for
    while left > 0:
        sleep(interval)
        left -= interval
        try:
            return _permission(client, exchange(client, secret, fields, address))
        except TokenFault as fault:
            if fault.error == "slow_down":
                interval = min(interval + INTERVAL_SECONDS, LONGEST_INTERVAL)
            elif fault.error != "authorization_pending" and not isinstance(fault.__cause__, WebError):
                raise
    raise TokenFault("Nobody has agreed in time; ask again with: letterdesk mailbox authorize " + address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A page to agree on. `state` and `verifier` tie what comes back to this question (RFC 7636)."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def begin_consent(client: OAuthClient, address: str) -> Consent:
    """The page on which a person agrees."""
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    fields = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": REDIRECT,
        "scope": client.asked_scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",
        "login_hint": address,
    }
    return Consent(url=f"{client.endpoints.consent_url}?{urlencode(fields)}", state=state, verifier=verifier)


def end_consent(client: OAuthClient, secret: OAuthSecret, consent: Consent, landed: str, address: str) -> Granted:
    """Take the address of the page that the person landed on. Raises MailboxError or TokenFault."""
    try:
        told = {name: values[-1] for name, values in parse_qs(urlsplit(landed.strip()).query).items()}
    except ValueError:
        told = {}
    if "error" in told:
        raise TokenFault(f"{client.name} gave no permission: {told['error'][:URL_LIMIT]!a}")
    if not told.get("code") or not hmac.compare_digest(told.get("state", "").encode(), consent.state.encode()):
        raise MailboxError("That is not the address of the page after agreeing; it has “code=” and “state=” in it.")
    fields = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": consent.verifier,
    }
    return _permission(client, exchange(client, secret, fields, address))


def _permission(client: OAuthClient, granted: Granted) -> Granted:
    if not granted.refresh_token:
        raise TokenFault(f"{client.name} gave a token for an hour only, no lasting permission; allow offline access")
    return granted


def _text(told: Mapping[str, Any], name: str) -> str:
    """A field that is shown to a person or sent back: printable and of bearable length, else empty."""
    value = told.get(name)
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 4 * URL_LIMIT else ""


def _seconds(value: object, default: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), 1.0), most) if is_number and value else default  # type: ignore[arg-type]
