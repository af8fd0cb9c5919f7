"""Who gives access tokens: where each provider is asked, for what, and what a person may not write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.mailbox_values import MailboxError
from shared.oauth import Grant, OAuthClient, OAuthSecret, check_client

GOOGLE = OAuthClient(provider="google", client_id="desk")
MICROSOFT = OAuthClient(provider="microsoft", client_id="desk", tenant="example.org")
OWN = OAuthClient(provider="https://login.example.org/token", client_id="desk", scope="mail")


@pytest.mark.parametrize(
    ("client", "token_url", "scope"),
    [
        (GOOGLE, "https://oauth2.googleapis.com/token", "https://mail.google.com/"),
        (
            MICROSOFT,
            "https://login.microsoftonline.com/example.org/oauth2/v2.0/token",
            "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
        ),
        (
            replace(MICROSOFT, grant=Grant.CLIENT),
            "https://login.microsoftonline.com/example.org/oauth2/v2.0/token",
            "https://outlook.office365.com/.default",
        ),
        (
            replace(MICROSOFT, tenant="", scope="other"),
            "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "other",
        ),
        (OWN, "https://login.example.org/token", "mail"),
        (replace(OWN, scope="", grant=Grant.CLIENT), "https://login.example.org/token", ""),
    ],
)
def test_each_provider_is_asked_at_its_own_place_for_what_it_gives(
    client: OAuthClient, token_url: str, scope: str
) -> None:
    check_client(client)
    assert (client.endpoints.token_url, client.asked_scope) == (token_url, scope)


@pytest.mark.parametrize(
    "client", [GOOGLE, MICROSOFT, OWN, replace(OWN, secret_expires=datetime(2027, 5, 31, tzinfo=UTC))]
)
def test_a_client_is_read_as_it_was_stored(client: OAuthClient) -> None:
    assert OAuthClient.of(client.stored()) == client


def test_secrets_stand_in_no_representation() -> None:
    secret = OAuthSecret(client_secret="geheim", refresh_token="auch geheim")
    assert OAuthSecret.of(secret.stored()) == secret
    assert "geheim" not in repr(secret)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOGLE, client_id=""),
        replace(GOOGLE, client_id="a\nb"),
        replace(GOOGLE, grant=Grant.CLIENT),
        replace(MICROSOFT, tenant="../evil"),
        replace(MICROSOFT, tenant="", grant=Grant.CLIENT),
        replace(OWN, scope="x" * 1001),
        replace(OWN, provider="Google"),
        replace(OWN, provider="http://login.example.org/token"),
        replace(OWN, provider="https://user@login.example.org/token"),
        replace(OWN, provider="https://[::1/token"),
        replace(OWN, provider="https://login.example.org:port/token"),
        replace(OWN, device_url="ftp://login.example.org/"),
    ],
)
def test_a_client_that_cannot_work_is_a_sentence(wrong: OAuthClient) -> None:
    with pytest.raises(MailboxError) as fault:
        check_client(wrong)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/token", "http://localhost/token", "http://[::1]/token"])
def test_on_this_machine_tokens_need_no_tls(url: str) -> None:
    check_client(replace(OWN, provider=url))
