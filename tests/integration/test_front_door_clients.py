"""Real mail servers hand their mail to the desk: Postfix over SMTP, TLS and LMTP, Dovecot as a proxy of both."""

from __future__ import annotations

import shutil
import smtplib
from pathlib import Path

import pytest

from intake.receiving.smtp import Listener
from shared.database import Database
from tests.dovecot_proxy import running_dovecot_proxy
from tests.integration.test_lmtp import refuse_mail_of
from tests.integration.test_smtp_tls import Files
from tests.postfix import require_postfix, running_postfix
from tests.receiving import DESK, LMTP, SMTP, content_of, desk_mailbox, running_smtp, stored, until

SALES = "sales@desk.example"


@pytest.fixture
def database_url(_migrated_sqlite: Path, tmp_path: Path) -> str:
    """One kind of database is enough here: what is tried out stands before it."""
    return f"sqlite:///{shutil.copy(_migrated_sqlite, tmp_path / 'desk.db')}"


@pytest.fixture(autouse=True)
def _postfix_is_there() -> None:
    require_postfix()


def mail(number: int) -> bytes:
    return b"From: Anna <anna@example.org>\r\nSubject: Printer %d\r\n\r\n.It is on fire.\r\n..\r\n" % number


def hand_in(port: int, count: int, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in range(count):
            client.sendmail("anna@example.org", recipients, mail(number))


def subjects(database: Database) -> list[bytes]:
    """The subjects of all that is stored, sorted; the body must be whole."""
    contents = [content_of(row) for row in stored(database)]
    assert all(content.endswith(b"\r\n\r\n.It is on fire.\r\n..\r\n") for content in contents)
    lines = [line for content in contents for line in content.split(b"\r\n") if line.startswith(b"Subject: ")]
    return sorted(lines)


def expected(count: int) -> list[bytes]:
    return sorted(b"Subject: Printer %d" % number for number in range(count))


def target(listener: Listener, port: int) -> str:
    return f"lmtp:inet:127.0.0.1:{port}" if listener is LMTP else f"smtp:[127.0.0.1]:{port}"


@pytest.mark.parametrize("listener", [SMTP, LMTP])
def test_postfix_relays_each_mail_once(database: Database, listener: Listener) -> None:
    desk_mailbox(database)
    with (
        running_smtp(database, listeners=[listener]) as server,
        running_postfix(target(listener, server.port)) as relay,
    ):
        hand_in(relay.port, 20, DESK)
        until(lambda: len(stored(database)) >= 20 and not relay.waiting())
    assert subjects(database) == expected(20)
    assert {row.source for row in stored(database)} == {"lmtp" if listener is LMTP else "smtp"}


def test_postfix_insists_on_our_certificate(database: Database, tmp_path: Path) -> None:
    desk_mailbox(database)
    files = Files(tmp_path / "tls")
    with (
        running_smtp(database, certificate=files.certificate) as server,
        running_postfix(target(SMTP, server.port), trusted=files.cert) as relay,
    ):
        hand_in(relay.port, 1, DESK)
        until(lambda: stored(database) and not relay.waiting())
        assert "Verified TLS connection established to 127.0.0.1" in relay.log()
    assert subjects(database) == expected(1)


@pytest.mark.parametrize("listener", [SMTP, LMTP])
def test_postfix_keeps_what_we_put_off_and_delivers_it_once_after(database: Database, listener: Listener) -> None:
    desk_mailbox(database)
    has_room: list[bool] = []
    with (
        running_smtp(database, listeners=[listener], has_room=lambda: bool(has_room)) as server,
        running_postfix(target(listener, server.port)) as relay,
    ):
        hand_in(relay.port, 3, DESK)
        until(lambda: relay.log().count("status=deferred") >= 3)
        assert "452 4.3.1 There is not enough room for mail" in relay.log()
        assert stored(database) == []
        has_room.append(True)
        until(lambda: len(stored(database)) >= 3 and not relay.waiting())
    assert subjects(database) == expected(3)


def test_postfix_waits_for_a_database_that_is_down(database: Database) -> None:
    desk_mailbox(database)
    with running_smtp(database) as server, running_postfix(target(SMTP, server.port)) as relay:
        rename(database, "inbound_raw", "away")
        hand_in(relay.port, 2, DESK)
        until(lambda: "451 4.3.0 We cannot take this mail at the moment" in relay.log())
        rename(database, "away", "inbound_raw")
        until(lambda: len(stored(database)) >= 2 and not relay.waiting())
    assert subjects(database) == expected(2)


def rename(database: Database, old: str, new: str) -> None:
    with database.transaction() as session:
        session.connection().exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def test_over_lmtp_postfix_tries_again_only_for_the_mailbox_that_failed(database: Database) -> None:
    desk_mailbox(database)
    refuse_mail_of(database, desk_mailbox(database, SALES))
    with (
        running_smtp(database, listeners=[LMTP]) as server,
        running_postfix(target(LMTP, server.port)) as relay,
    ):
        hand_in(relay.port, 1, DESK, SALES)
        until(lambda: relay.log().count(f"to=<{SALES}>") >= 2)
        assert relay.waiting() == 1
    assert [row.envelope_to for row in stored(database)] == [[DESK]]


@pytest.mark.parametrize("listener", [SMTP, LMTP])
def test_dovecot_passes_mail_on(database: Database, listener: Listener) -> None:
    desk_mailbox(database)
    with (
        running_smtp(database, listeners=[listener]) as server,
        running_dovecot_proxy("lmtp" if listener is LMTP else "smtp", server.port) as proxy,
        smtplib.LMTP("127.0.0.1", proxy) as client,
    ):
        for number in range(5):
            assert client.sendmail("anna@example.org", [DESK], mail(number)) == {}
        refused = client.sendmail("anna@example.org", [DESK, "nobody@desk.example"], mail(5))
    assert {address: code for address, (code, _) in refused.items()} == {"nobody@desk.example": 550}
    assert subjects(database) == expected(6)
