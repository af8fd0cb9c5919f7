"""Asks a person: for a day, for the secrets of a mailbox with access tokens, and for the permission to read it."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime
from datetime import time as clock_time

import click

from intake.receiving import authorize
from intake.receiving.oauth import Granted
from shared.mailbox_values import MailboxError
from shared.oauth import Grant, OAuthClient, OAuthSecret, check_client


def day(text: str) -> datetime:
    """The first moment in UTC of a day that somebody types, like 2026-11-21. Raises click.BadParameter."""
    try:
        return datetime.combine(date.fromisoformat(text), clock_time(), UTC)
    except ValueError:
        raise click.BadParameter(f"“{text}” is no day; write a day such as 2026-11-21.") from None


def client_of(
    *, imap_url: str | None, provider: str | None, secret_expires: datetime | None, grant: str, **said: str
) -> OAuthClient | None:
    """What the options say of a client; None where they name no provider. Raises MailboxError."""
    if provider is None:
        return None
    if imap_url is None:
        raise MailboxError("Access tokens are for IMAP; name the server with --imap.")
    client = OAuthClient(provider=provider, grant=Grant(grant), secret_expires=secret_expires, **said)
    check_client(client)
    return client


def ask_secrets(client: OAuthClient, *, stdin: bool) -> OAuthSecret:
    """The client secret and the refresh token: two lines of standard input, or two answers at the terminal.

    Either may be empty where it is not needed. Raises MailboxError.
    """
    is_refresh = client.grant is Grant.REFRESH
    if stdin or not sys.stdin.isatty():
        first, second = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    else:
        first = _prompt("Client secret (empty for none)")
        second = _prompt("Refresh token (empty: get it with “mailbox authorize”)") if is_refresh else ""
    if not first and not is_refresh:
        raise MailboxError("Client credentials need the client secret; give it on standard input (--password-stdin).")
    return OAuthSecret(client_secret=first, refresh_token=second if is_refresh else "")


def ask_permission(client: OAuthClient, secret: OAuthSecret, address: str) -> Granted:
    """Say where a person agrees, and wait until they have. Raises MailboxError or TokenFault."""
    authorize.check_grant(client)
    if client.endpoints.device_url:
        code = authorize.begin_device(client, address)
        click.echo(f"Open {code.url} and sign in as {address}.\nType this code there: {code.user_code}\nWaiting …")
        return authorize.wait_for_device(client, secret, code, address, time.sleep)
    consent = authorize.begin_consent(client, address)
    click.echo(f"Open this page, sign in as {address} and agree:\n\n{consent.url}\n")
    click.echo("The browser ends on a page that it cannot reach, at 127.0.0.1. Copy that page's whole address to here:")
    return authorize.end_consent(client, secret, consent, sys.stdin.readline(), address)


def _prompt(words: str) -> str:
    return str(click.prompt(words, hide_input=True, default="", show_default=False))
