"""The commands `letterdesk mailbox …` as a person types them; what they type is never shown again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from letterdesk import FAULTS, command
from shared.config import Settings
from shared.database import Database
from shared.mailboxes import find_mailbox, get_mailbox, give_secret, oauth_of
from shared.models import FolderCursor, Mailbox
from shared.oauth import OAuthSecret
from shared.tokens import Tokens
from tests.dovecot import PASSWORD, Bearers, Dovecot, running_dovecot
from tests.oauth_server import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, OAuthServer, running_oauth_server

SALES = "sales@desk.example"
NOWHERE = "imap://sales%40desk.example@127.0.0.1:1/"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A desk that does not run; its commands work all the same."""

    database: Database
    tokens: Tokens

    def say(self, *arguments: str, given: str = "") -> tuple[str, str, str]:
        """Run a command: what it prints, what it complains of, and the sentence of the fault that ended it, or ""."""
        ended = CliRunner().invoke(command, arguments, input=given)
        if isinstance(ended.exception, FAULTS):
            return ended.stdout, ended.stderr, str(ended.exception)
        assert isinstance(ended.exception, SystemExit | None), ended.exception
        return ended.stdout, ended.stderr, ""

    def done(self, *arguments: str, given: str = "") -> str:
        """Run a command that has to go well, and return what it prints."""
        said, _, fault = self.say(*arguments, given=given)
        assert fault == ""
        return said


@pytest.fixture(scope="module")
def oauth() -> Iterator[OAuthServer]:
    with running_oauth_server() as server:
        yield server


@pytest.fixture(scope="module")
def dovecot(oauth: OAuthServer) -> Iterator[Dovecot]:
    with running_dovecot(bearers=Bearers(introspection_url=oauth.introspection_url)) as running:
        yield running


@pytest.fixture
def desk(database: Database, settings: Settings, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose settings are in the environment, as a person's are."""
    monkeypatch.setenv("LETTERDESK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("LETTERDESK_SECRET_KEY", settings.secret_key)
    monkeypatch.setenv("LETTERDESK_DATA_DIR", str(settings.data_dir))
    return Desk(database=database, tokens=tokens)


def kept(desk: Desk, address: str = SALES) -> tuple[Mailbox, Tokens]:
    """What the database holds of a mailbox, and the key to its secrets."""
    with desk.database.reading() as session:
        box = find_mailbox(session, address)
    assert box is not None
    return box, desk.tokens


def add(desk: Desk, *options: str, url: str = NOWHERE, given: str = f"{PASSWORD}\n") -> str:
    return desk.done("mailbox", "add", SALES, "--imap", url, "--password-stdin", *options, given=given)


def refusal(desk: Desk, *arguments: str, given: str = "") -> str:
    """Run a command that has to be refused, in one line."""
    _, _, fault = desk.say("mailbox", *arguments, given=given)
    assert fault
    assert "\n" not in fault
    return fault


def test_a_mailbox_is_added_with_several_folders_tried_and_listed(desk: Desk, dovecot: Dovecot) -> None:
    account = dovecot.fresh()
    add(desk, "--folder", "INBOX", "--folder", "Orders", "--policy", "move:Done", url=account.url)
    assert kept(desk)[0].folders == ["INBOX", "Orders"]
    listed = desk.done("mailbox", "list")
    assert f"{SALES}\t{account.url}\tmove:Done\tnot polled yet\tIt is polled in a moment." in listed
    assert "support@desk.example\tSMTP" in listed


def test_a_test_looks_at_all_folders_although_one_cannot_be_read(desk: Desk, dovecot: Dovecot) -> None:
    add(desk, "--folder", "Gone", "--folder", "INBOX", "--folder", "Lost", url=dovecot.fresh().url)
    said, _, fault = desk.say("mailbox", "test", SALES)
    assert ["Gone" in said, "The folder “INBOX” holds 0 mails." in said, "Lost" in said] == [True] * 3
    assert fault == "2 folders of 3 cannot be read; see above."


def test_a_day_that_is_none_is_refused_with_an_example(desk: Desk) -> None:
    given = ("password", SALES, "--password-stdin", "--secret-expires", "tomorrow")
    assert "“tomorrow” is no day; write a day such as 2026-11-21." in desk.say("mailbox", *given)[1]


def test_everything_about_a_mailbox_can_be_changed_and_the_rest_stays(desk: Desk) -> None:
    add(desk, "--name", "Sales", "--policy", "seen")
    desk.done("mailbox", "set", SALES, "--folder", "A", "--folder", "B", "--interval", "300", "--plus", "yes")
    box, tokens = kept(desk)
    assert (box.name, box.policy.value, box.folders, box.poll_seconds, box.plus) == (
        "Sales",
        "seen",
        ["A", "B"],
        300,
        True,
    )
    url = "smtps://sales:geheim@smtp.example.org:465"
    assert "geheim" not in desk.done("mailbox", "set", SALES, "--outgoing-stdin", "--name", "Shop", given=f"{url}\n")
    box, tokens = kept(desk)
    assert box.name == "Shop"
    assert "geheim" not in (box.outgoing_secret or "")
    assert tokens.decrypt(box.outgoing_secret or "") == url
    desk.done("mailbox", "set", SALES, "--outgoing-default")
    assert kept(desk)[0].outgoing_secret is None


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        (("--policy", "move:INBOX"), "", "cannot be moved to “INBOX”"),
        (("--interval", "1"), "", "every 5 to 86400 seconds"),
        (("--folder", ""), "", "has 1 to 200 characters"),
        (("--outgoing-stdin",), "ftp://user:geheim@host\n", "smtp://"),
        (("--outgoing-stdin",), "\n", "empty"),
    ],
)
def test_a_wrong_change_is_one_sentence_and_changes_nothing(
    desk: Desk, options: tuple[str, ...], given: str, words: str
) -> None:
    add(desk)
    said = refusal(desk, "set", SALES, "--name", "Other", *options, given=given)
    assert words in said
    assert "geheim" not in said
    assert kept(desk)[0].name == ""


def test_a_mailbox_that_is_removed_is_switched_off_and_comes_back(desk: Desk) -> None:
    add(desk)
    said = desk.done("mailbox", "remove", SALES)
    assert "Its tickets and mails stay" in said
    assert "switched off\t" in desk.done("mailbox", "list")
    assert "mailbox set sales@desk.example --on" in refusal(desk, "add", SALES)
    desk.done("mailbox", "set", SALES, "--on")
    assert kept(desk)[0].is_active


def test_the_desks_own_address_cannot_be_removed_and_sends_by_the_desks_server(desk: Desk) -> None:
    assert "LETTERDESK_ADDRESS" in refusal(desk, "remove", "support@desk.example")
    server = "smtp://smtp.example.org\n"
    assert "LETTERDESK_OUTGOING" in refusal(desk, "set", "support@desk.example", "--outgoing-stdin", given=server)


def test_a_mailbox_can_be_compared_with_its_server_before_the_day_is_over(desk: Desk) -> None:
    add(desk)
    box = kept(desk)[0]
    with desk.database.transaction() as session:
        session.add(FolderCursor(mailbox_id=box.id, folder="INBOX", uidvalidity=1, reconciled_at=box.created_at))
    assert "At the next poll" in desk.done("mailbox", "reconcile", SALES)
    with desk.database.reading() as session:
        assert session.get_one(FolderCursor, (box.id, "INBOX")).reconciled_at is None
    assert "comes over SMTP" in refusal(desk, "reconcile", "support@desk.example")


def test_a_new_password_is_stored_and_who_is_not_there_is_said(desk: Desk) -> None:
    add(desk)
    desk.done("mailbox", "password", SALES, "--password-stdin", "--secret-expires", "2030-01-31", given="neues Wort\n")
    box, tokens = kept(desk)
    assert tokens.decrypt(box.imap_secret or "") == "neues Wort"
    assert box.secret_expires_at is not None
    assert box.secret_expires_at.date().isoformat() == "2030-01-31"
    assert "There is no mailbox" in refusal(desk, "password", "nobody@desk.example", "--password-stdin", given="x\n")
    assert "comes over SMTP" in refusal(desk, "password", "support@desk.example", "--password-stdin", given="x\n")


def test_secrets_of_a_mailbox_are_read_after_the_key_has_changed(
    desk: Desk, dovecot: Dovecot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(desk, url=dovecot.fresh().url)
    monkeypatch.setenv("LETTERDESK_SECRET_KEY", "another-secret-key-of-this-desk")
    assert "cannot be read with this LETTERDESK_SECRET_KEY" in refusal(desk, "test", SALES)
    monkeypatch.setenv("LETTERDESK_SECRET_KEY_OLD", settings.secret_key)
    assert "Logged in" in desk.done("mailbox", "test", SALES)


def test_a_mailbox_with_access_tokens_is_added_tried_and_given_another_secret(
    desk: Desk, dovecot: Dovecot, oauth: OAuthServer
) -> None:
    oauth.forget()
    oauth.user = dovecot.user
    options = ("--oauth", oauth.token_url, "--client-id", CLIENT_ID, "--secret-expires", "2020-01-01")
    add(desk, *options, url=dovecot.url, given=f"{CLIENT_SECRET}\n{REFRESH_TOKEN}\n")
    assert f"Logged in to 127.0.0.1:{dovecot.port} as {dovecot.user}" in desk.done("mailbox", "test", SALES)
    ended = "The client secret at 127.0.0.1 for sales@desk.example ended on 1 January 2020"
    assert ended in desk.done("mailbox", "list") + desk.say("doctor")[1]
    oauth.secret = "the next one"
    desk.done(
        "mailbox", "password", SALES, "--password-stdin", "--secret-expires", "2090-01-01", given="the next one\n"
    )
    box, tokens = kept(desk)
    assert oauth_of(box, tokens)[1].refresh_token == REFRESH_TOKEN
    assert "Logged in" in desk.done("mailbox", "test", SALES)
    assert ended not in desk.say("doctor")[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--oauth", "google", "--client-id", "x", "--grant", "client"), "Google takes no client credentials"),
        (("--oauth", "microsoft", "--client-id", "x", "--grant", "client"), "--tenant"),
        (("--oauth", "microsoft"), "client ID is missing"),
        (("--oauth", "http://login.example.org/token", "--client-id", "x"), "under TLS only"),
        (("--oauth", "yahoo", "--client-id", "x"), "google, microsoft"),
    ],
)
def test_a_wrong_way_to_tokens_is_one_sentence_before_a_secret_is_asked_for(
    desk: Desk, options: tuple[str, ...], words: str
) -> None:
    assert words in refusal(desk, "add", SALES, "--imap", NOWHERE, *options)


def test_a_person_permits_it_on_another_device(desk: Desk, dovecot: Dovecot, oauth: OAuthServer) -> None:
    oauth.forget()
    oauth.user, oauth.interval = dovecot.user, 1
    options = ("--oauth", oauth.token_url, "--client-id", CLIENT_ID, "--device-url", oauth.device_url)
    said = add(desk, *options, url=dovecot.url, given=f"{CLIENT_SECRET}\n")
    assert f"letterdesk mailbox authorize {SALES}" in said
    assert "mailbox authorize" in refusal(desk, "test", SALES)
    said = desk.done("mailbox", "authorize", SALES)
    assert f"{oauth.url}/activate" in said
    assert "WDJB-MJHT" in said
    assert "Logged in" in desk.done("mailbox", "test", SALES)
    box, tokens = kept(desk)
    assert {oauth_of(box, tokens)[1].refresh_token} < oauth.refresh_tokens


def test_a_client_secret_that_is_given_while_somebody_permits_it_stays(desk: Desk, oauth: OAuthServer) -> None:
    def meanwhile() -> None:
        with desk.database.transaction() as session:
            give_secret(get_mailbox(session, SALES), desk.tokens, OAuthSecret(client_secret="newer"))

    oauth.forget()
    oauth.interval = 1
    options = ("--oauth", oauth.token_url, "--client-id", CLIENT_ID, "--device-url", oauth.device_url)
    add(desk, *options, given=f"{CLIENT_SECRET}\n")
    oauth.meanwhile = meanwhile
    desk.done("mailbox", "authorize", SALES)
    secret = oauth_of(*kept(desk))[1]
    assert (secret.client_secret, {secret.refresh_token} < oauth.refresh_tokens) == ("newer", True)
