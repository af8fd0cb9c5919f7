"""Mailboxes: what a person may write, and what is said when it is wrong."""

from __future__ import annotations

import pytest

from shared.mailboxes import ImapServer, MailboxError, Security, parse_imap_url, parse_policy
from shared.models import Policy


@pytest.mark.parametrize(
    ("url", "user", "host", "port", "security", "folder"),
    [
        ("imaps://anna@imap.example.org", "anna", "imap.example.org", 993, Security.TLS, None),
        ("imaps://a%40b.example@imap.example.org:1993/", "a@b.example", "imap.example.org", 1993, Security.TLS, None),
        ("imaps://a@b.example@imap.example.org", "a@b.example", "imap.example.org", 993, Security.TLS, None),
        ("imap://anna@imap.example.org", "anna", "imap.example.org", 143, Security.STARTTLS, None),
        ("imap://anna@imap.example.org?tls=no", "anna", "imap.example.org", 143, Security.PLAIN, None),
        ("imap://anna@127.0.0.1:1143/", "anna", "127.0.0.1", 1143, Security.PLAIN, None),
        ("imap://anna@localhost?tls=yes", "anna", "localhost", 143, Security.STARTTLS, None),
        ("imap://anna@[::1]/Some%20box/sub", "anna", "::1", 143, Security.PLAIN, "Some box/sub"),
        ("IMAPS://anna@Imap.Example.org", "anna", "imap.example.org", 993, Security.TLS, None),
    ],
)
def test_an_imap_url_says_where_and_how(
    url: str, user: str, host: str, port: int, security: Security, folder: str | None
) -> None:
    expected = ImapServer(user=user, host=host, port=port, security=security, folder=folder)
    assert parse_imap_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "imap.example.org",
        "https://anna@imap.example.org",
        "imap://imap.example.org",
        "imap://anna@",
        "imap://anna@host:99999",
        "imap://anna@host:port",
        "imap://anna@[::1",
        "imap://anna@host?tls=maybe",
        "imaps://anna@host?tls=no",
        "imap://anna@host/" + "x" * 600,
        "imap://anna@host/a%00b",
    ],
)
def test_a_wrong_imap_url_is_a_sentence(url: str) -> None:
    with pytest.raises(MailboxError, match=r"\.$"):
        parse_imap_url(url)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(MailboxError) as error:
        parse_imap_url("imap://anna:secret@imap.example.org")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("keep", (Policy.KEEP, None)),
        ("Seen", (Policy.SEEN, None)),
        ("delete", (Policy.DELETE, None)),
        ("move:Archive/Desk", (Policy.MOVE, "Archive/Desk")),
        ("move: Done:2026 ", (Policy.MOVE, "Done:2026")),
    ],
)
def test_a_policy_is_one_word_or_a_folder(text: str, policy: tuple[Policy, str | None]) -> None:
    assert parse_policy(text) == policy


@pytest.mark.parametrize("text", ["", "burn", "move", "move:", "keep:Archive", "move:" + "x" * 201])
def test_a_wrong_policy_is_a_sentence(text: str) -> None:
    with pytest.raises(MailboxError):
        parse_policy(text)
