"""Servers that refuse, stall, lie or are not there: a sentence, a growing pause, and no other mailbox stopped."""

from __future__ import annotations

import itertools
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient import SocketTimeout

from intake.receiving import lease
from intake.receiving.imap import PollResult, poll
from intake.receiving.imap_connection import TIMEOUT, ImapFault, connected
from intake.receiving.imap_ledger import due_mailboxes, read_account
from intake.receiving.imap_probe import probe
from intake.receiving.pollers import Pollers, new_owner
from intake.receiving.spool import Spool
from shared.database import Database
from shared.mailboxes import ImapServer, NewMailbox, Security
from shared.models import FolderCursor, Mailbox
from shared.tokens import Tokens
from tests.bad_imap import WELL, bad_imap
from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.receiving import CONNECTED, DESK, imap_mailbox, mailbox_of, polling, stored

Certificate = tuple[Path, Path]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost that nobody has signed."""
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[Dovecot]:
    with running_dovecot(certificate) as running:
        yield running


@pytest.fixture
def dovecot(server: Dovecot) -> Dovecot:
    account = server.fresh()
    with account.client() as client:
        client.append("INBOX", b"Subject: hello\r\n\r\nText\r\n")
    return account


def new_mailbox(url: str, address: str = DESK, password: str = PASSWORD) -> NewMailbox:
    return NewMailbox(address=address, imap_url=url, password=password)


def poll_url(database: Database, tokens: Tokens, url: str, password: str = PASSWORD) -> PollResult:
    mailbox = imap_mailbox(database, tokens, new_mailbox(url, password=password))
    result = poll(mailbox, polling(database, tokens))
    box = mailbox_of(database, mailbox)
    assert box.last_error == result.fault
    assert (box.failures, box.last_ok_at, box.lease_by) == (1, None, None)
    return result


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_wrong_password_is_said(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    result = poll_url(database, tokens, dovecot.url, "wrong")
    assert "refused the user name or the password" in (result.fault or "")


def test_a_folder_that_is_not_there_is_said(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    result = poll_url(database, tokens, dovecot.url + "Nowhere")
    assert "The folder “Nowhere” cannot be opened" in (result.fault or "")


def test_nobody_listening_is_said(database: Database, tokens: Tokens) -> None:
    port = free_port()
    assert poll_url(database, tokens, f"imap://a@127.0.0.1:{port}").fault == f"Nothing listens on 127.0.0.1:{port}"


def test_an_unknown_host_is_said(database: Database, tokens: Tokens) -> None:
    assert "cannot be found" in (poll_url(database, tokens, "imap://a@host.invalid").fault or "")


def test_a_password_under_another_key_is_said(database: Database, tokens: Tokens, dovecot: Dovecot) -> None:
    mailbox = imap_mailbox(database, tokens, new_mailbox(dovecot.url))
    result = poll(mailbox, polling(database, Tokens("another secret key")))
    assert "cannot be read with this LETTERDESK_SECRET_KEY" in (result.fault or "")


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_that_nobody_signed_is_refused(dovecot: Dovecot, security: Security) -> None:
    with pytest.raises(ImapFault, match=r"certificate of localhost:\d+ is not trusted"):
        probe_with(dovecot, security, None)


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_of_a_known_authority_is_taken(
    dovecot: Dovecot, security: Security, certificate: Certificate
) -> None:
    assert "INBOX" in probe_with(dovecot, security, ssl.create_default_context(cafile=certificate[0]))


def probe_with(dovecot: Dovecot, security: Security, tls: ssl.SSLContext | None) -> list[str]:
    """The names of the folders."""
    port = dovecot.tls_port if security is Security.TLS else dovecot.port
    server = ImapServer(user=dovecot.user, host="localhost", port=port, security=security)
    with connected(server, PASSWORD, tls) as client:
        return [name for _flags, _delimiter, name in client.list_folders()]


def test_a_server_without_starttls_never_sees_the_password() -> None:
    with bad_imap() as port:
        server = ImapServer(user="anna", host="127.0.0.1", port=port, security=Security.STARTTLS)
        with pytest.raises(ImapFault, match="offers no protected connection"):
            look(server)


BAD_ANSWERS = {
    "hangs up at the login": {b"LOGIN": None},
    "hangs up in the folder": {b"SELECT": None},
    "has no uidvalidity": {b"SELECT": b"* 1 EXISTS\r\n%(tag)s OK done\r\n"},
    "lies about uidvalidity": {b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY abc] x\r\n%(tag)s OK done\r\n"},
    "searches garbage": {b"SEARCH": b"* SEARCH one two\r\n%(tag)s OK done\r\n"},
    "fetches garbage": {b"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE\r\n%(tag)s OK done\r\n"},
    "fetches no numbers": {b"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE big)\r\n%(tag)s OK done\r\n"},
    "fetches bad bytes": {b"FETCH": b"\xff\xfe\x00 garbage\r\n%(tag)s OK done\r\n"},
    "refuses the search": {b"SEARCH": b"%(tag)s NO go away\r\n"},
    "says bye": {b"SEARCH": b"* BYE shutting down\r\n"},
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_bad_server_is_a_sentence_and_costs_no_mail(
    database: Database, tokens: Tokens, bad: dict[bytes, bytes | None]
) -> None:
    answers = {word: answer for word, answer in (WELL | bad).items() if answer is not None}
    with bad_imap(answers=answers) as port:
        result = poll_url(database, tokens, f"imap://anna@127.0.0.1:{port}")
    assert result.fault
    assert "\n" not in result.fault
    assert stored(database) == []


def test_a_server_that_does_not_speak_imap_is_said(database: Database, tokens: Tokens) -> None:
    with bad_imap(greeting=b"220 smtp.example ESMTP\r\n") as port:
        assert poll_url(database, tokens, f"imap://anna@127.0.0.1:{port}").fault


@pytest.mark.parametrize("word", [b"LOGIN", b"SELECT", b"SEARCH"])
def test_every_wait_has_an_end(word: bytes) -> None:
    with bad_imap(answers=WELL | {word: b""}) as port:
        server = ImapServer(user="anna", host="127.0.0.1", port=port, security=Security.PLAIN)
        with pytest.raises(ImapFault, match="did not answer in time"):
            look(server, SocketTimeout(connect=5, read=0.2))


def look(server: ImapServer, timeout: SocketTimeout = TIMEOUT) -> None:
    with connected(server, PASSWORD, timeout=timeout) as client:
        client.select_folder("INBOX")
        client.search()


def test_a_mail_that_the_server_does_not_hand_out_is_said_and_asked_for_again(
    database: Database, tokens: Tokens
) -> None:
    when = b'INTERNALDATE "01-Apr-2026 10:00:00 +0000"'
    listed = b"* 1 FETCH (UID 1 RFC822.SIZE 9 %s)\r\n* 2 FETCH (UID 2 RFC822.SIZE 9 %s BODY[] {9}\r\nSubject:2)\r\n"
    answers = WELL | {
        b"SEARCH": b"* SEARCH 1 2\r\n%(tag)s OK done\r\n",
        b"FETCH": listed % (when, when) + b"%(tag)s OK done\r\n",
    }
    with bad_imap(answers=answers) as port:
        mailbox = imap_mailbox(database, tokens, new_mailbox(f"imap://anna@127.0.0.1:{port}"))
        first, second = (poll(mailbox, polling(database, tokens)) for _ in range(2))
    assert (first.stored, first.fault, second.stored, second.fault) == (1, None, 0, None)
    assert "The server does not hand out" in (second.note or "")
    assert "in the folder “INBOX” (UID 1" in (second.note or "")
    box = mailbox_of(database, mailbox)
    assert (box.last_error, box.failing_since, box.last_ok_at) == (second.note, None, None)
    assert box.incomplete_since is not None  # which is told when it lasts
    assert [row.uid for row in stored(database)] == [2]


def test_a_mail_at_which_the_server_hangs_up_holds_up_no_other(database: Database, tokens: Tokens) -> None:
    def fetch(line: bytes) -> bytes:
        uids = [int(uid) for uid in line.split()[3].split(b",")]
        if b"BODY" in line and 3 in uids:
            return b""
        told = b'INTERNALDATE "01-Apr-2026 10:00:00 +0000" RFC822.SIZE 9 BODY[] {9}\r\nSubject:2'
        return b"".join(b"* %d FETCH (UID %d %s)\r\n" % (uid, uid, told) for uid in uids) + b"%(tag)s OK done\r\n"

    def search(line: bytes) -> bytes:
        wish = line.split()[-1]
        first = int(wish.split(b":")[0])
        found = range(first, 6) if b":" in wish else [int(uid) for uid in wish.split(b",")]
        return b"* SEARCH %s\r\n" % b" ".join(b"%d" % uid for uid in found) + b"%(tag)s OK done\r\n"

    with bad_imap(answers=WELL | {b"FETCH": hanging_up(fetch), b"SEARCH": search}) as port:
        mailbox = imap_mailbox(database, tokens, new_mailbox(f"imap://anna@127.0.0.1:{port}"))
        desk = polling(database, tokens)
        faults = [poll(mailbox, desk).fault is not None for _ in range(4)]
    assert faults == [True, True, False, True]  # together, alone, passed over, asked for again
    assert [row.uid for row in stored(database)] == [1, 2, 4, 5]
    with database.reading() as session:
        assert session.get_one(FolderCursor, (mailbox, "INBOX")).missing == "3"


def hanging_up(answer: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Answers as it should, but says goodbye where it has no answer."""
    return lambda line: answer(line) or b"* BYE something went wrong\r\n"


def test_a_server_that_drips_for_ever_is_cut_off(
    database: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    hours = itertools.count(0, 3600)
    with bad_imap(answers=WELL | {b"SEARCH": b""}) as port:
        mailbox = imap_mailbox(database, tokens, new_mailbox(f"imap://anna@127.0.0.1:{port}"))
        result = poll(mailbox, replace(polling(database, tokens), monotonic=lambda: next(hours)))
    assert "broke off" in (result.fault or "")
    assert mailbox_of(database, mailbox).failing_since is not None


def test_failures_make_the_pauses_grow_up_to_a_limit(database: Database, tokens: Tokens) -> None:
    mailbox = imap_mailbox(database, tokens, new_mailbox("imap://anna@127.0.0.1:1"))
    pauses = []
    for failures in (0, 1, 2, 3, 50):
        with database.transaction() as session:
            box = session.get_one(Mailbox, mailbox)
            box.last_poll_at, box.failures = CONNECTED, failures
        with database.reading() as session:
            moments = (CONNECTED + timedelta(seconds=30 * step) for step in range(1, 100))
            pauses.append(next((now - CONNECTED).seconds for now in moments if due_mailboxes(session, now)))
    assert pauses[0] == 60
    for pause, middle in zip(pauses[1:], (120, 240, 480, 900), strict=True):
        assert 0.9 * middle <= pause <= 1.1 * middle + 30


def test_only_active_imap_mailboxes_that_nobody_polls_are_due(database: Database, tokens: Tokens) -> None:
    now = datetime.now(UTC)
    names = ["due", "off", "smtp", "leased", "stale", "future"]
    ids = {}
    for name in names:
        new = new_mailbox("imap://anna@127.0.0.1:1", f"{name}@desk.example")
        ids[name] = imap_mailbox(database, tokens, replace(new, imap_url=None) if name == "smtp" else new)
    with database.transaction() as session:
        session.get_one(Mailbox, ids["off"]).is_active = False
        session.get_one(Mailbox, ids["leased"]).lease_until = now + timedelta(seconds=5)
        session.get_one(Mailbox, ids["stale"]).lease_until = now - timedelta(seconds=5)
        session.get_one(Mailbox, ids["future"]).last_poll_at = now + timedelta(days=1)
    with database.reading() as session:
        assert set(due_mailboxes(session, now)) == {ids["due"], ids["stale"], ids["future"]}


def test_a_server_that_hangs_does_not_stop_another_mailbox(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    pollers = Pollers(database=database, spool=Spool(database), tokens=tokens, max_message_bytes=10**6)
    with bad_imap(answers=WELL | {b"LOGIN": b""}) as port:
        hanging = imap_mailbox(database, tokens, new_mailbox(f"imap://a@127.0.0.1:{port}", "a@desk.example"))
        healthy = imap_mailbox(database, tokens, new_mailbox(dovecot.url))
        pollers.tick()
        while mailbox_of(database, healthy).last_ok_at is None:
            pollers.tick()
            time.sleep(0.02)
        assert [row.mailbox_id for row in stored(database)] == [healthy]
        assert mailbox_of(database, hanging).lease_by is not None
        assert not pollers.wait(0)
    pollers.stop()
    assert mailbox_of(database, hanging).last_error is not None
    pollers.tick()
    assert pollers.wait(0)


def test_a_probe_says_what_a_poll_would_find_and_changes_nothing(
    database: Database, tokens: Tokens, dovecot: Dovecot
) -> None:
    mailbox = imap_mailbox(database, tokens, replace(new_mailbox(dovecot.url), policy="move:Done"))
    with database.reading() as session:
        account = read_account(session, mailbox, tokens)
    first, second, third = probe(account, account.password)
    assert first[1].endswith(f"as {dovecot.user}, not protected.")
    assert second == (True, "The folder “INBOX” holds 1 mail.")
    assert third == (True, "The folder “Done” will be made.")
    assert dovecot.uids(criteria="UNSEEN") == [1]
    assert PASSWORD not in repr(account)


def test_the_owner_of_a_lease_has_a_name_that_fits() -> None:
    assert len(new_owner()) <= 40
    assert new_owner() != new_owner()
