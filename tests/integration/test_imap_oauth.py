"""Mailboxes that are read with access tokens: a real Dovecot that asks a real authorization server about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intake.receiving.imap import Desk, PollResult, poll
from intake.receiving.oauth import AccessTokens
from shared.database import Database
from shared.mailboxes import NewMailbox, give_secret, oauth_of
from shared.models import Mailbox
from shared.oauth import Grant, OAuthClient, OAuthSecret
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import Bearers, Dovecot, running_dovecot
from tests.oauth_server import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, OAuthServer, running_oauth_server
from tests.receiving import DESK, content_of, imap_mailbox, mailbox_of, polling, stored
from tests.visitors import Clock

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = OAuthSecret(client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)


@pytest.fixture(scope="module")
def authority() -> Iterator[OAuthServer]:
    with running_oauth_server() as server:
        yield server


@pytest.fixture(scope="module")
def server(authority: OAuthServer) -> Iterator[Dovecot]:
    with running_dovecot(bearers=Bearers(introspection_url=authority.introspection_url)) as running:
        yield running


@pytest.fixture
def oauth(authority: OAuthServer) -> OAuthServer:
    """The authorization server as it was in the beginning."""
    authority.forget()
    return authority


@pytest.fixture
def dovecot(server: Dovecot, oauth: OAuthServer) -> Dovecot:
    """An account with one mail that the authorization server's tokens open."""
    account = server.fresh()
    oauth.user = account.user
    with account.client() as client:
        client.append("INBOX", b"Subject: hello\r\n\r\nText\r\n")
    return account


def client_of(oauth: OAuthServer, **fields: Any) -> OAuthClient:
    usual = OAuthClient(provider=oauth.token_url, client_id=CLIENT_ID, scope="https://mail.example/imap")
    return replace(usual, **fields)


def add(
    database: Database, tokens: Tokens, url: str, client: OAuthClient, secret: OAuthSecret = SECRET
) -> tuple[int, Desk, Clock]:
    """A mailbox with access tokens, and the desk that polls it, at noon."""
    clock = Clock(NOON)
    new = NewMailbox(address=DESK, imap_url=url, oauth=client, secret=secret, secret_expires=client.secret_expires)
    number = imap_mailbox(database, tokens, new, NOON)
    return number, replace(polling(database, tokens), clock=clock), clock


def held(database: Database, tokens: Tokens, number: int) -> tuple[str | None, str]:
    """The access token and the refresh token that are stored."""
    box = mailbox_of(database, number)
    return box.access_token and tokens.decrypt(box.access_token), oauth_of(box, tokens)[1].refresh_token


def well(result: PollResult) -> int:
    assert result.fault is None
    return result.stored


def test_mail_is_read_with_a_token_that_a_persons_permission_gives(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    number, desk, _ = add(database, tokens, dovecot.url, client_of(oauth))
    assert well(poll(number, desk)) == 1
    assert [b"hello" in content_of(row) for row in stored(database)] == [True]
    [asked] = oauth.asked
    assert asked == {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_type": "refresh_token",
        "refresh_token": REFRESH_TOKEN,
        "scope": "https://mail.example/imap",
    }


def test_mail_is_read_with_a_token_of_the_clients_own(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    client = client_of(oauth, grant=Grant.CLIENT)
    number, desk, _ = add(database, tokens, dovecot.url, client, OAuthSecret(client_secret=CLIENT_SECRET))
    assert well(poll(number, desk)) == 1
    assert oauth.asked[0]["grant_type"] == "client_credentials"


def test_mail_is_read_where_only_oauthbearer_is_offered(database: Database, tokens: Tokens, oauth: OAuthServer) -> None:
    with running_dovecot(
        bearers=Bearers(introspection_url=oauth.introspection_url, mechanisms="oauthbearer")
    ) as server:
        oauth.user = server.user
        number, desk, _ = add(database, tokens, server.url, client_of(oauth))
        assert poll(number, desk).fault is None
        oauth.revoke()
        assert "invalid_grant" in (poll(number, desk).fault or "")


def test_a_token_is_used_until_shortly_before_its_end(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    number, desk, clock = add(database, tokens, dovecot.url, client_of(oauth))
    asked = []
    for minutes in (0, 30, 24, 2):  # good for an hour; asked for anew five minutes before
        clock.advance(minutes=minutes)
        well(poll(number, desk))
        asked.append(len(oauth.asked))
    assert asked == [1, 1, 1, 2]
    assert mailbox_of(database, number).access_expires_at == clock() + timedelta(hours=1)


def test_a_token_that_the_server_refuses_before_its_time_is_replaced_at_once(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    number, desk, _ = add(database, tokens, dovecot.url, client_of(oauth))
    well(poll(number, desk))
    oauth.access_tokens.clear()
    well(poll(number, desk))
    assert len(oauth.asked) == 2


def test_a_permission_that_was_taken_back_is_said_and_what_to_do(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    number, desk, _ = add(database, tokens, dovecot.url, client_of(oauth))
    well(poll(number, desk))
    oauth.revoke()
    fault = poll(number, desk).fault or ""
    assert "127.0.0.1 says (invalid_grant): the permission was taken back" in fault
    assert f"letterdesk mailbox authorize {DESK}" in fault
    assert mailbox_of(database, number).last_error == fault
    with database.transaction() as session:
        give_secret(
            session.get_one(Mailbox, number), tokens, OAuthSecret(client_secret=CLIENT_SECRET, refresh_token="new")
        )
    oauth.refresh_tokens.add("new")
    well(poll(number, desk))


def test_a_good_token_that_does_not_open_this_mailbox_is_said(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    oauth.user = "somebody-else@desk.example"
    number, desk, _ = add(database, tokens, dovecot.url, client_of(oauth))
    fault = poll(number, desk).fault or ""
    assert f"refused the access token for {dovecot.user}" in fault
    assert "access-" not in fault
    assert len(oauth.asked) == 2


def test_a_server_that_takes_no_tokens_is_said(database: Database, tokens: Tokens, oauth: OAuthServer) -> None:
    with bad_imap() as port:
        number, desk, _ = add(database, tokens, f"imap://anna@127.0.0.1:{port}", client_of(oauth))
        assert "takes no access tokens" in (poll(number, desk).fault or "")


def test_a_server_that_hangs_up_at_the_token_is_no_refusal(
    database: Database, tokens: Tokens, oauth: OAuthServer
) -> None:
    offers = b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n%(tag)s OK done\r\n"
    with bad_imap(answers={**WELL, b"CAPABILITY": offers}) as port:  # AUTHENTICATE has no answer
        number, desk, _ = add(database, tokens, f"imap://anna@127.0.0.1:{port}", client_of(oauth))
        assert "broke off" in (poll(number, desk).fault or "")
    assert len(oauth.asked) == 1


def test_a_refresh_token_that_is_replaced_is_stored_at_once(
    database: Database, tokens: Tokens, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    oauth.rotates = True
    number, desk, clock = add(database, tokens, dovecot.url, client_of(oauth))
    for _ in range(3):
        well(poll(number, desk))
        assert {held(database, tokens, number)[1]} == oauth.refresh_tokens
        clock.advance(hours=1)
    used = [asked["refresh_token"] for asked in oauth.asked]
    assert len(set(used)) == 3
    assert used[0] == REFRESH_TOKEN


def test_a_secret_that_a_person_gives_meanwhile_is_not_overwritten(
    database: Database, tokens: Tokens, oauth: OAuthServer
) -> None:
    number, _, clock = add(database, tokens, "imap://anna@127.0.0.1:1", client_of(oauth))
    oauth.rotates = True

    def give_another() -> None:
        with database.transaction() as session:
            box = session.get_one(Mailbox, number)
            give_secret(box, tokens, OAuthSecret(client_secret="another", refresh_token="theirs"))

    oauth.meanwhile = give_another
    assert AccessTokens(number, database, tokens, clock).token() in oauth.access_tokens
    assert held(database, tokens, number) == (None, "theirs")


def test_secrets_and_tokens_are_kept_encrypted_and_read_with_a_former_key(
    database: Database, tokens: Tokens, oauth: OAuthServer
) -> None:
    number, _, clock = add(database, tokens, "imap://anna@127.0.0.1:1", client_of(oauth))
    token = AccessTokens(number, database, tokens, clock).token()
    box = mailbox_of(database, number)
    kept = f"{box.imap_secret} {box.access_token} {box.oauth}"
    assert not any(secret in kept for secret in (CLIENT_SECRET, REFRESH_TOKEN, token))
    newer = Tokens("another secret key, longer than before", "0123456789abcdef0123456789abcdef")
    assert AccessTokens(number, database, newer, clock).token() == token
    assert len(oauth.asked) == 1


def test_the_end_of_a_permission_and_of_the_client_secret_are_known(
    database: Database, tokens: Tokens, oauth: OAuthServer
) -> None:
    client = client_of(oauth, secret_expires=NOON + timedelta(days=100))
    number, _, clock = add(database, tokens, "imap://anna@127.0.0.1:1", client)
    source = AccessTokens(number, database, tokens, clock)
    ends = []
    for seconds in (None, "864000", 20_000_000, None):
        oauth.refresh_expires_in = seconds
        clock.advance(hours=1)
        source.token()
        found = mailbox_of(database, number).secret_expires_at
        assert found is not None
        ends.append((found - clock()).days)
    assert ends == [99, 10, 99, 99]  # whichever is the first
