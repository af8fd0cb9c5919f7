"""The commands `letterdesk mailbox …`: the addresses of the desk, how their mail comes in, and how they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from intake import asking
from intake.asking import day
from intake.receiving.imap_ledger import read_account
from intake.receiving.imap_probe import probe
from intake.receiving.oauth import keep, proof_of
from shared import mailboxes
from shared.mailbox_health import health_of
from shared.mailbox_values import MailboxError, parse_imap_url, parse_policy
from shared.models import Mailbox
from shared.oauth import Grant, OAuthClient, OAuthSecret
from shared.opening import OpenDesk, ask_password, open_desk, utc_now

GRANT = click.Choice([grant.value for grant in Grant])
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
@click.option("--grant", type=GRANT, default=Grant.REFRESH.value, help="A person's permission, or the client's own.")
@click.option("--scope", default="", help="What to ask for, where it is not the usual.")
@click.option("--device-url", default="", help="Where a provider of your own gives codes to type (RFC 8628).")
@click.option("--secret-expires", type=day, help=ENDS_WORDS)
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
    secret_expires: datetime | None,
    policy: str,
    folders: tuple[str, ...],
    interval: int,
    from_now: bool,
    plus: str | None,
    **oauth: Any,
) -> None:
    """Add an address of the desk, or connect one to its IMAP server.

    With --password-stdin the password is the first line of standard input. With --oauth the first line is the client
    secret (empty where there is none), the second the refresh token (missing where `mailbox authorize` gets it).
    """
    parse_policy(policy)
    if imap_url:
        parse_imap_url(imap_url)
    client = asking.client_of(imap_url=imap_url, secret_expires=secret_expires, **oauth)
    new = mailboxes.NewMailbox(
        address=address,
        name=name,
        imap_url=imap_url,
        password=ask_password(stdin=password_stdin) if imap_url and not client else None,
        oauth=client,
        secret=asking.ask_secrets(client, stdin=password_stdin) if client else OAuthSecret(),
        secret_expires=secret_expires,
        policy=policy,
        folders=folders,
        poll_seconds=interval,
        from_now=from_now,
        plus=_yes(plus),
    )
    with open_desk() as desk, desk.database.transaction() as session:
        mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, utc_now())
        mailboxes.add_mailbox(session, desk.tokens, new, utc_now())
    print(f"{address} is a mailbox of the desk. {_next_step(new)}")


def _next_step(new: mailboxes.NewMailbox) -> str:
    if new.imap_url is None:
        return "Its mail comes over SMTP."
    if new.oauth and new.oauth.grant is Grant.REFRESH and not new.secret.refresh_token:
        return f"Let somebody permit it: letterdesk mailbox authorize {new.address}"
    return f"Try it: letterdesk mailbox test {new.address}"


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
        findings = probe(account, proof_of(account, desk.database, desk.tokens, utc_now))
    for _, sentence in findings:
        print(sentence)
    if failed := sum(not well for well, _ in findings):
        folders = "1 folder" if failed == 1 else f"{failed} folders"
        raise MailboxError(f"{folders} of {len(account.folders)} cannot be read; see above.")


@mailbox.command("password")
@click.argument("address")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input, as “mailbox add” does.")
@click.option("--secret-expires", type=day, help=ENDS_WORDS)
def set_password(*, address: str, password_stdin: bool, secret_expires: datetime | None) -> None:
    """Give another password, or for a mailbox with access tokens another client secret.

    With access tokens the first line is the client secret, the second the refresh token; without a second line the
    permission stays as it is.
    """
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.get_mailbox(session, address)
            client = OAuthClient.of(row.oauth) if row.oauth else None
        secret = asking.ask_secrets(client, stdin=password_stdin) if client else ask_password(stdin=password_stdin)
        with _changing(desk, address) as row:
            mailboxes.give_secret(row, desk.tokens, secret, expires=secret_expires)
    print(f"Stored. Try it: letterdesk mailbox test {address}")


@mailbox.command("authorize")
@click.argument("address")
def authorize_mailbox(*, address: str) -> None:
    """Let a person permit the desk to read the mailbox, at Google or Microsoft; prints where, and waits."""
    with open_desk() as desk:
        with desk.database.reading() as session:
            row = mailboxes.get_mailbox(session, address)
            client, secret = mailboxes.oauth_of(row, desk.tokens)
        granted = asking.ask_permission(client, secret, address)
        with _changing(desk, address) as row:  # a secret that was given while the person took their time stays
            keep(row, desk.tokens, *mailboxes.oauth_of(row, desk.tokens), granted, utc_now())
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
    with open_desk() as desk, _changing(desk, address) as row:
        mailboxes.change(row, desk.tokens, wanted, desk_address=desk.settings.address)
    print(f"{address} is changed.")


@mailbox.command("reconcile")
@click.argument("address")
def reconcile_mailbox(*, address: str) -> None:
    """Compare all mail on the server with the ledger at the next poll, and fetch what the ledger lacks."""
    with open_desk() as desk, _changing(desk, address) as row:
        mailboxes.reconcile_soon(row)
    print("At the next poll all folders are compared with the ledger; “letterdesk mailbox list” says what was missing.")


@mailbox.command("remove")
@click.argument("address")
def remove_mailbox(*, address: str) -> None:
    """Take no more mail in for an address. Its tickets and mails stay, and its server is left alone."""
    with open_desk() as desk, _changing(desk, address) as row:
        mailboxes.change(row, desk.tokens, mailboxes.Change(active=False), desk_address=desk.settings.address)
    print(
        f"{address} is switched off: the desk takes no more mail for it. Its tickets and mails stay, and mail on its "
        f"server is left there. Bring it back: letterdesk mailbox set {address} --on"
    )


@contextmanager
def _changing(desk: OpenDesk, address: str) -> Iterator[Mailbox]:
    with desk.database.transaction() as session:
        mailboxes.ensure_desk_mailbox(session, desk.settings.address, desk.settings.desk_name, utc_now())
        yield mailboxes.get_mailbox(session, address)


def _yes(word: str | None) -> bool | None:
    return None if word is None else word == "yes"
