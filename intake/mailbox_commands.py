"""The commands `letterdesk mailbox …`: the addresses of the desk, how their mail comes in, and how they are."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from intake.receiving import authorize, oauth
from intake.receiving.imap_ledger import read_account
from intake.receiving.imap_probe import probe
from shared import mailboxes
from shared.mailbox_health import health_of
from shared.mailbox_values import MailboxError, parse_imap_url, parse_policy
from shared.models import Mailbox
from shared.oauth import Grant, OAuthClient, OAuthSecret, check_client
from shared.opening import OpenDesk, ask_password, open_desk, utc_now

DAY = click.DateTime(["%Y-%m-%d"])
POLICY_WORDS = "After fetching: keep, seen, move:FOLDER or delete."
ENDS_WORDS = "The day on which the password or client secret ends; warned of 14, 3 and 1 days ahead."


@click.group()
def mailbox() -> None:
    """The addresses of the desk, and how their mail comes in."""


@mailbox.command("add")
@click.argument("address")
@click.option("--imap", "imap_url", help="Where to fetch it, like imaps://user@imap.example.org.")
@click.option("--name", default="", help="The name that answers carry.")
@click.option("--password-stdin", is_flag=True, help="Read the IMAP password, or the secrets, from standard input.")
@click.option("--oauth", "provider", help="Log in with access tokens of google, microsoft or a token endpoint's URL.")
@click.option("--client-id", default="", help="The desk's name at that provider.")
@click.option("--tenant", default="", help="Microsoft: the organisation, like example.org.")
@click.option(
    "--grant", type=click.Choice(list(Grant)), default=Grant.REFRESH, help="A person's permission, or the client's own."
)
@click.option("--scope", default="", help="What to ask for, where it is not the usual.")
@click.option("--device-url", default="", help="Where a provider of your own gives codes to type (RFC 8628).")
@click.option("--secret-expires", type=DAY, help=ENDS_WORDS)
@click.option("--policy", default="keep", show_default=True, help=POLICY_WORDS)
@click.option("--folder", "folders", multiple=True, help="A folder to read, several times for several; else INBOX.")
@click.option("--interval", default=60, show_default=True, help="Seconds between two polls.")
@click.option("--from-now", is_flag=True, help="Leave alone what is in the folders already.")
@click.option("--plus", type=click.Choice(["yes", "no"]), help="Whether its plus-addresses reach the desk.")
def add_mailbox(
    *,
    address: str,
    imap_url: str | None,
    name: str,
    password_stdin: bool,
    provider: str | None,
    client_id: str,
    tenant: str,
    grant: str,
    scope: str,
    device_url: str,
    secret_expires: datetime | None,
    policy: str,
    folders: tuple[str, ...],
    interval: int,
    from_now: bool,
    plus: str | None,
) -> None:
    """Add an address of the desk, or connect one to its IMAP server.

    With --password-stdin the password is the first line of standard input. With --oauth the first line is the client
    secret (empty where there is none), the second the refresh token (missing where `mailbox authorize` gets it).
    """
    parse_policy(policy)
    if imap_url:
        parse_imap_url(imap_url)
    ends = _utc(secret_expires)
    client = _client(provider, client_id, tenant, grant, scope, device_url, ends, imap_url)
    new = mailboxes.NewMailbox(
        address=address,
        name=name,
        imap_url=imap_url,
        password=ask_password(stdin=password_stdin) if imap_url and not client else None,
        oauth=client,
        secret=_ask_secrets(client, stdin=password_stdin) if client else OAuthSecret(),
        secret_expires=ends,
        policy=policy,
        folders=folders,
        poll_seconds=interval,
        from_now=from_now,
        plus=_yes(plus),
    )
    with open_desk() as desk, desk.database.transaction() as session:
        mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, utc_now())
        mailboxes.add_mailbox(session, desk.tokens, new, utc_now())
    waits = client is not None and client.grant is Grant.REFRESH and not new.secret.refresh_token
    word = "authorize" if waits else "test"
    told = (
        f"{'Next' if waits else 'Try it'}: letterdesk mailbox {word} {address}"
        if imap_url
        else "Its mail comes over SMTP."
    )
    print(f"{address} is a mailbox of the desk. {told}")


@mailbox.command("list")
def list_mailboxes() -> None:
    """List the addresses of the desk, and how each of them is."""
    with open_desk() as desk, desk.database.reading() as session:
        for row in mailboxes.list_mailboxes(session):
            how = health_of(row, utc_now(), desk.settings.mailbox_alarm_minutes)
            policy = f"{row.policy.value}:{row.move_to}" if row.move_to else row.policy.value
            print("\t".join((row.address, row.imap_url or "SMTP", policy, how.state.value, how.sentence)))


@mailbox.command("test")
@click.argument("address")
def test_mailbox(*, address: str) -> None:
    """Log in to a mailbox and say what is seen; changes nothing there."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.get_mailbox(session, address)
            if row.imap_url is None:
                raise MailboxError(f"The mail for {row.address} comes over SMTP; there is no server to test.")
            account = read_account(session, row.id, desk.tokens)
        for sentence in probe(account, oauth.proof_of(account, desk.database, desk.tokens, utc_now)):
            print(sentence)


@mailbox.command("password")
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input, as “mailbox add” does.")
@click.option("--secret-expires", type=DAY, help=ENDS_WORDS)
def set_password(*, address: str, password_stdin: bool, secret_expires: datetime | None) -> None:
    """Give another password, or for a mailbox with access tokens another client secret.

    With access tokens the first line is the client secret, the second the refresh token; without a second line the
    permission stays as it is.
    """
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.get_mailbox(session, address)
            client = OAuthClient.of(row.oauth) if row.oauth else None
        secret = _ask_secrets(client, stdin=password_stdin) if client else ask_password(stdin=password_stdin)
        with _changing(desk, address) as (_, row):
            mailboxes.give_secret(row, desk.tokens, secret, expires=_utc(secret_expires))
    print(f"Stored. Try it: letterdesk mailbox test {address}")


@mailbox.command("authorize")
@click.argument("address")
def authorize_mailbox(*, address: str) -> None:
    """Let a person permit the desk to read the mailbox, at Google or Microsoft; prints where, and waits."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.get_mailbox(session, address)
            client, secret = mailboxes.oauth_of(row, desk.tokens)
        authorize.check_grant(client)
        granted = (
            _by_device(client, secret, address) if client.endpoints.device_url else _by_consent(client, secret, address)
        )
        with _changing(desk, address) as (_, row):
            oauth.keep(row, desk.tokens, client, secret, granted, utc_now())
            mailboxes.poll_soon(row)
    print(f"{client.name} permits it. Try it: letterdesk mailbox test {address}")


@mailbox.command("set")
@click.argument("address")
@click.option("--name", help="The name that answers carry.")
@click.option("--folder", "folders", multiple=True, help="The folders to read instead, one --folder each.")
@click.option("--policy", help=POLICY_WORDS)
@click.option("--interval", type=int, help="Seconds between two polls.")
@click.option("--plus", type=click.Choice(["yes", "no"]), help="Whether its plus-addresses reach the desk.")
@click.option("--outgoing-stdin", is_flag=True, help="Read the URL of its outgoing server from standard input.")
@click.option("--outgoing-default", is_flag=True, help="Send its mail by the desk's own server again.")
@click.option("--on/--off", "active", default=None, help="Take its mail in again, or no more (see “mailbox remove”).")
def set_mailbox(
    *,
    address: str,
    name: str | None,
    folders: tuple[str, ...],
    policy: str | None,
    interval: int | None,
    plus: str | None,
    outgoing_stdin: bool,
    outgoing_default: bool,
    active: bool | None,
) -> None:
    """Change a mailbox; what is not named stays as it is."""
    outgoing = sys.stdin.readline().strip() if outgoing_stdin else None
    if outgoing == "":
        raise MailboxError("The URL of the outgoing server is empty.")
    wanted = mailboxes.Change(
        name=name,
        folders=folders or None,
        policy=policy,
        poll_seconds=interval,
        plus=_yes(plus),
        outgoing="" if outgoing_default else outgoing,
        active=active,
    )
    with open_desk() as desk, _changing(desk, address) as (_, row):
        mailboxes.change(row, desk.tokens, wanted, desk_address=desk.settings.address)
    print(f"{address} is changed.")


@mailbox.command("remove")
@click.argument("address")
def remove_mailbox(*, address: str) -> None:
    """Take no more mail in for an address. Its tickets and mails stay, and its server is left alone."""
    with open_desk() as desk, _changing(desk, address) as (_, row):
        mailboxes.change(row, desk.tokens, mailboxes.Change(active=False), desk_address=desk.settings.address)
    print(
        f"{address} is switched off: the desk takes no more mail for it. Its tickets and mails stay, and mail on its "
        f"server is left there. Bring it back: letterdesk mailbox set {address} --on"
    )


@contextmanager
def _changing(desk: OpenDesk, address: str) -> Iterator[tuple[Session, Mailbox]]:
    with desk.database.transaction() as session:
        mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, utc_now())
        yield session, mailboxes.get_mailbox(session, address)


def _client(
    provider: str | None,
    client_id: str,
    tenant: str,
    grant: str,
    scope: str,
    device_url: str,
    ends: datetime | None,
    imap_url: str | None,
) -> OAuthClient | None:
    if provider is None:
        return None
    if imap_url is None:
        raise MailboxError("Access tokens are for IMAP; name the server with --imap.")
    client = OAuthClient(
        provider=provider,
        client_id=client_id,
        tenant=tenant,
        grant=Grant(grant),
        scope=scope,
        device_url=device_url,
        secret_expires=ends,
    )
    check_client(client)
    return client


def _ask_secrets(client: OAuthClient, *, stdin: bool) -> OAuthSecret:
    """The client secret and the refresh token, from standard input or the person at the terminal."""
    is_refresh = client.grant is Grant.REFRESH
    if stdin or not sys.stdin.isatty():
        first, second = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    else:
        first = click.prompt("Client secret (empty for none)", hide_input=True, default="", show_default=False)
        asked = "Refresh token (empty: get it with “mailbox authorize”)"
        second = click.prompt(asked, hide_input=True, default="", show_default=False) if is_refresh else ""
    if not first and not is_refresh:
        raise MailboxError(
            "Client credentials need the client secret; give it on standard input with --password-stdin."
        )
    return OAuthSecret(client_secret=first, refresh_token=second if is_refresh else "")


def _by_device(client: OAuthClient, secret: OAuthSecret, address: str) -> oauth.Granted:
    code = authorize.begin_device(client, address)
    print(f"Open {code.url} and sign in as {address}.\nType this code there: {code.user_code}\nWaiting …", flush=True)
    return authorize.wait_for_device(client, secret, code, address, time.sleep)


def _by_consent(client: OAuthClient, secret: OAuthSecret, address: str) -> oauth.Granted:
    consent = authorize.begin_consent(client, address)
    print(f"Open this page, sign in as {address} and agree:\n\n{consent.url}\n")
    print("The browser ends on a page that it cannot reach, at 127.0.0.1. Copy that page's whole address to here:")
    return authorize.end_consent(client, secret, consent, sys.stdin.readline(), address)


def _yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
