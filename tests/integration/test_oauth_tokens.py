"""Token endpoints that refuse, talk nonsense or say nothing, and how a person's permission is got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from intake.receiving import authorize
from intake.receiving.oauth import Granted, TokenFault, request_token
from shared import web
from shared.mailbox_values import MailboxError
from shared.oauth import PROVIDERS, Grant, OAuthClient, OAuthSecret, Provider
from tests.oauth_server import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, OAuthServer, running_oauth_server
from tests.web_server import Response, as_json, running_web_server

ADDRESS = "support@desk.example"
SECRET = OAuthSecret(client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
NONE_YET = OAuthSecret(client_secret=CLIENT_SECRET)
FINE = {"access_token": "a", "token_type": "Bearer"}


@pytest.fixture
def oauth() -> Iterator[OAuthServer]:
    with running_oauth_server() as server:
        yield server


@pytest.fixture
def client(oauth: OAuthServer) -> OAuthClient:
    return OAuthClient(provider=oauth.token_url, client_id=CLIENT_ID, device_url=oauth.device_url)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (as_json({"error": "invalid_grant"}, 400), "taken back or has ended; give it again"),
        (as_json({"error": "invalid_client"}, 401), "letterdesk mailbox password support@desk.example"),
        (as_json({"error": "temporarily_unavailable", "error_description": "Come\nlater"}, 503), "(Come later)"),
        (as_json({"error": "x" * 5000}, 400), "x" * 200),
        (as_json({"error": {"code": 5}}, 400), "no access token (HTTP 400)"),
        (as_json({"error": "invalid_grant"}), "(invalid_grant)"),
        (as_json([1]), "no access token (HTTP 200)"),
        (as_json({}), "without a usable access token"),
        (as_json({"access_token": 5}), "without a usable access token"),
        (as_json({"access_token": "a\r\nb"}), "without a usable access token"),
        (as_json({"access_token": "a" * 30_000}), "without a usable access token"),
        (as_json({**FINE, "refresh_token": ["r"]}), "without a usable access token"),
        (Response(content=b"<html>Sign in"), "no access token (HTTP 200)"),
        (Response(content=b"[" * 60_000), "no access token (HTTP 200)"),
        (Response(content=b"x" * 70_000), "did not come to an end"),
        (Response(status=502, content=b""), "no access token (HTTP 502)"),
        (Response(status=307, headers={"Location": "http://127.0.0.1:1/"}), "no access token (HTTP 307)"),
    ],
)
def test_an_answer_without_a_token_is_a_sentence(
    oauth: OAuthServer, client: OAuthClient, answer: Response, words: str
) -> None:
    oauth.instead = [answer]
    with pytest.raises(TokenFault) as fault:
        request_token(client, SECRET, ADDRESS)
    said = str(fault.value)
    assert words in said
    assert said.startswith("127.0.0.1 ")
    assert said.isprintable()
    assert len(said) < 500
    assert len(oauth.asked) == 1


@pytest.mark.parametrize(
    ("told", "minutes"),
    [(60, 1), ("7200", 120), (5, 1), (-3, 60), ("soon", 60), (None, 60), (1e300, 366 * 24 * 60), ("nan", 60)],
)
def test_the_end_of_a_token_is_taken_however_it_is_said(
    oauth: OAuthServer, client: OAuthClient, told: object, minutes: int
) -> None:
    oauth.instead = [as_json({**FINE, "expires_in": told})]
    expected = Granted(access_token="a", expires=timedelta(minutes=minutes))
    assert request_token(client, SECRET, ADDRESS) == expected


def test_a_token_endpoint_that_nobody_serves_is_said(client: OAuthClient) -> None:
    gone = replace(client, provider="http://127.0.0.1:1/token")
    with pytest.raises(TokenFault, match="could not be reached: nothing listens there"):
        request_token(gone, SECRET, ADDRESS)


def test_a_server_that_stalls_is_left() -> None:
    with (
        running_web_server(lambda _: Response(stalls=True)) as server,
        pytest.raises(web.WebError, match="did not answer in time"),
    ):
        web.post(server.url, b"", {}, seconds=0.2)


@pytest.mark.parametrize("status", [200, 400])
def test_a_server_that_stalls_within_its_answer_is_left(status: int) -> None:
    with (
        running_web_server(lambda _: Response(status=status, lacks=10)) as server,
        pytest.raises(web.WebError, match="did not answer in time"),
    ):
        web.post(server.url, b"", {}, seconds=0.2)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:port/"])
def test_what_is_no_address_of_the_web_is_never_asked(url: str) -> None:
    with pytest.raises(web.WebError):
        web.post(url, b"", {})


def test_before_anybody_agreed_it_says_how(client: OAuthClient, oauth: OAuthServer) -> None:
    with pytest.raises(TokenFault, match=f"letterdesk mailbox authorize {ADDRESS}"):
        request_token(client, NONE_YET, ADDRESS)
    assert oauth.asked == []


def test_a_person_agrees_on_another_device(oauth: OAuthServer, client: OAuthClient) -> None:
    oauth.pending = ["authorization_pending", "slow_down", "authorization_pending"]
    slept: list[float] = []
    code = authorize.begin_device(client, ADDRESS)
    assert (code.url, code.user_code) == (f"{oauth.url}/activate", "WDJB-MJHT")
    granted = authorize.wait_for_device(client, NONE_YET, code, ADDRESS, slept.append)
    assert {granted.refresh_token} < oauth.refresh_tokens
    assert slept == [3, 3, 8, 8]


def test_a_person_who_refuses_ends_the_waiting(oauth: OAuthServer, client: OAuthClient) -> None:
    oauth.pending = ["authorization_pending", "access_denied", "never asked"]
    code = authorize.begin_device(client, ADDRESS)
    with pytest.raises(TokenFault, match="the permission was refused"):
        authorize.wait_for_device(client, NONE_YET, code, ADDRESS, lambda _: None)
    assert len(oauth.asked) == 2


def test_a_code_that_nobody_types_runs_out(oauth: OAuthServer, client: OAuthClient) -> None:
    oauth.pending = ["authorization_pending"] * 1000
    code = replace(authorize.begin_device(client, ADDRESS), interval=5.0, tries_for=900.0)
    with pytest.raises(TokenFault, match="Nobody has agreed in time"):
        authorize.wait_for_device(client, NONE_YET, code, ADDRESS, lambda _: None)
    assert len(oauth.asked) == 180


@pytest.mark.parametrize(
    "told",
    [{}, {"user_code": "A", "device_code": "B"}, {"user_code": 1, "device_code": "B", "verification_uri": "https://x"},
     {"user_code": "A", "device_code": "B", "verification_uri": "javascript:1"},
     {"user_code": "A\x1b[2J", "device_code": "B", "verification_uri": "https://x"}],
)  # fmt: skip
def test_a_device_answer_that_cannot_be_shown_is_refused(told: object) -> None:
    with running_web_server(lambda _: as_json(told)) as server:
        client = OAuthClient(provider=server.url, client_id="x", device_url=server.url)
        with pytest.raises(TokenFault, match="gave no code to type"):
            authorize.begin_device(client, ADDRESS)


def consenting(oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> OAuthClient:
    """A client of a provider that asks in the browser, as Google does."""
    known = Provider(
        name="Example",
        token_url=oauth.token_url,
        consent_url="https://accounts.example/auth",
        scopes={Grant.REFRESH: "mail"},
    )
    monkeypatch.setitem(PROVIDERS, "example", known)
    return OAuthClient(provider="example", client_id=CLIENT_ID)


def test_a_person_agrees_in_the_browser_and_brings_the_address_back(
    oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = consenting(oauth, monkeypatch)
    consent = authorize.begin_consent(client, ADDRESS)
    shown = {name: values[0] for name, values in parse_qs(urlsplit(consent.url).query).items()}
    assert (shown["client_id"], shown["scope"], shown["login_hint"]) == (CLIENT_ID, "mail", ADDRESS)
    told = urlencode({"state": shown["state"], "code": oauth.agree(shown["code_challenge"])})
    landed = f"{shown['redirect_uri']}?{told}\n"
    granted = authorize.end_consent(client, NONE_YET, consent, landed, ADDRESS)
    assert {granted.refresh_token} < oauth.refresh_tokens


@pytest.mark.parametrize("landed", ["", "http://[", "http://127.0.0.1/?code=x", "http://127.0.0.1/?code=x&state=other"])
def test_another_address_is_not_taken_for_a_permission(
    oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch, landed: str
) -> None:
    client = consenting(oauth, monkeypatch)
    with pytest.raises(MailboxError, match="not the address of the page after agreeing"):
        authorize.end_consent(client, NONE_YET, authorize.begin_consent(client, ADDRESS), landed, ADDRESS)
    assert oauth.asked == []


def test_a_permission_without_a_refresh_token_is_none(oauth: OAuthServer, client: OAuthClient) -> None:
    oauth.instead = [as_json(FINE)]
    code = authorize.begin_device(client, ADDRESS)
    with pytest.raises(TokenFault, match="no lasting permission"):
        authorize.wait_for_device(client, NONE_YET, code, ADDRESS, lambda _: None)
