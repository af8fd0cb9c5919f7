"""TLS for mail that comes in: STARTTLS, TLS from the first byte, renewed certificates, nothing slipped in before."""

from __future__ import annotations

import smtplib
import socket
import ssl
from pathlib import Path

import pytest

from intake.receiving.smtp import Limits, ReceiveError
from intake.receiving.tls import Certificate, CertificateError, load
from shared.database import Database
from tests.outgoing import certificate as make_certificate
from tests.receiving import (
    DESK,
    LMTP,
    PLAIN,
    SMTP,
    SMTPS,
    Dialogue,
    content_of,
    desk_mailbox,
    running_smtp,
    stored,
    until,
)


class Files:
    """A certificate and its key in a folder, and a client that trusts them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        _, self.cert = make_certificate(folder)
        self.key = folder / "sink.key"

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.cert, self.key)

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.cert))

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.cert.read_text())

    def become(self, other: Files) -> None:
        """Replace the certificate and the key as a renewal does, one after the other."""
        for mine, theirs in ((self.cert, other.cert), (self.key, other.key)):
            draft = mine.with_suffix(".new")
            draft.write_bytes(theirs.read_bytes())
            draft.replace(mine)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


def test_a_mail_comes_in_after_starttls(database: Database, files: Files) -> None:
    desk_mailbox(database)
    with (
        running_smtp(database, certificate=files.certificate) as server,
        smtplib.SMTP("127.0.0.1", server.port) as client,
    ):
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=files.trust)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("anna@example.org", [DESK], PLAIN)
    assert [content_of(row) for row in stored(database)] == [PLAIN]


def test_a_mail_comes_in_with_tls_from_the_first_byte(database: Database, files: Files) -> None:
    desk_mailbox(database)
    with (
        running_smtp(database, certificate=files.certificate, listeners=[SMTPS]) as server,
        smtplib.SMTP_SSL("127.0.0.1", server.port, context=files.trust) as client,
    ):
        client.sendmail("anna@example.org", [DESK], PLAIN * 20_000)
    assert [content_of(row) for row in stored(database)] == [PLAIN * 20_000]


def test_lmtp_offers_starttls_too(database: Database, files: Files) -> None:
    with running_smtp(database, certificate=files.certificate, listeners=[LMTP]) as server, Dialogue(server.port) as c:
        assert "250-STARTTLS" in c.say("LHLO c.example")[0]
        assert c.say("STARTTLS") == ["220 2.0.0 Go ahead"]
        c.protect(files.trust)
        assert c.say("LHLO c.example")[0].startswith("250-desk.example")


def test_without_a_certificate_there_is_no_starttls(database: Database) -> None:
    with running_smtp(database) as server, Dialogue(server.port) as client:
        offered, refused = client.say("EHLO c.example", "STARTTLS")
    assert "STARTTLS" not in offered
    assert refused.startswith("502 5.5.1 ")


def test_what_was_sent_ahead_of_the_handshake_is_thrown_away(database: Database, files: Files) -> None:
    mailbox = desk_mailbox(database)
    with running_smtp(database, certificate=files.certificate) as server, Dialogue(server.port) as client:
        client.say("EHLO c.example")
        injected = f"RSET\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<{DESK}>\r\nDATA\r\n"
        client.send(f"STARTTLS\r\n{injected}".encode())
        assert client.answer() == "220 2.0.0 Go ahead"
        client.protect(files.trust)
        assert client.say("NOOP", "MAIL FROM:<a@example.org>") == ["250 2.0.0 OK", "503 5.5.1 send HELO first"]
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
    assert [(row.envelope_from, row.mailbox_id) for row in stored(database)] == [("anna@example.org", mailbox)]


def test_what_was_said_in_the_clear_is_forgotten(database: Database, files: Files) -> None:
    desk_mailbox(database)
    with running_smtp(database, certificate=files.certificate) as server, Dialogue(server.port) as client:
        client.say("EHLO evil.example", "MAIL FROM:<evil@example.org>", f"RCPT TO:<{DESK}>", "STARTTLS")
        client.protect(files.trust)
        answers = client.say("DATA", "EHLO c.example", "DATA", "STARTTLS")
    assert [answer[:3] for answer in answers] == ["503", "250", "503", "503"]


def test_a_client_that_speaks_no_tls_costs_nobody_else_anything(database: Database, files: Files) -> None:
    desk_mailbox(database)
    listeners = [SMTP, SMTPS]
    with running_smtp(database, certificate=files.certificate, listeners=listeners) as server:
        for address in server.doors.values():
            with socket.create_connection(address) as plain:
                plain.sendall(b"EHLO c.example\r\nSTARTTLS\r\n")
                plain.sendall(b"no handshake, just words " * 50)
        with socket.create_connection(server.doors["SMTPS"]):
            pass  # gone before the handshake
        until(lambda: not server.sessions)
        with smtplib.SMTP_SSL(*server.doors["SMTPS"], context=files.trust) as client:
            client.sendmail("anna@example.org", [DESK], PLAIN)
    assert len(stored(database)) == 1


def test_a_handshake_that_stalls_is_ended_like_any_idle_client(database: Database, files: Files) -> None:
    limits = Limits(idle_seconds=0.2)
    with (
        running_smtp(database, limits, certificate=files.certificate, listeners=[SMTPS]) as server,
        socket.create_connection(server.doors["SMTPS"], 60) as stalled,
    ):
        assert stalled.recv(100) == b""


def test_tls_below_version_1_2_is_refused(database: Database, files: Files) -> None:
    with running_smtp(database, certificate=files.certificate) as server:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.load_verify_locations(files.cert)
        for name in ("minimum_version", "maximum_version"):
            with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
                setattr(old, name, ssl.TLSVersion.TLSv1_1)
        with Dialogue(server.port) as client:
            client.say("EHLO c.example", "STARTTLS")
            with pytest.raises(ssl.SSLError):
                client.protect(old)


def test_a_renewed_certificate_is_shown_without_a_restart(database: Database, files: Files, tmp_path: Path) -> None:
    former, renewed = files.der, Files(tmp_path / "renewed")
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with running_smtp(database, certificate=files.certificate, listeners=[SMTPS]) as server:
        with Dialogue(server.port, tls=anyone) as before:
            assert before.certificate() == former
            files.become(renewed)
            assert before.say("NOOP") == ["250 2.0.0 OK"]
        with Dialogue(server.port, tls=anyone) as after:
            assert after.certificate() == renewed.der


def test_a_renewal_that_is_half_done_keeps_the_former_certificate(files: Files, tmp_path: Path) -> None:
    renewed = Files(tmp_path / "renewed")
    used = files.certificate
    former = used.context()
    files.cert.write_bytes(renewed.cert.read_bytes())
    assert used.context() is former
    files.key.unlink()
    assert used.context() is former
    files.key.write_bytes(renewed.key.read_bytes())
    assert used.context() is not former


def test_a_wrong_file_stops_the_start_with_a_sentence(database: Database, files: Files, tmp_path: Path) -> None:
    nowhere = Certificate(tmp_path / "none.pem", files.key)
    with (
        pytest.raises(ReceiveError, match=r"^LETTERDESK_SMTP_TLS_CERT is wrong: .*none\.pem cannot be read \(No such"),
        running_smtp(database, certificate=nowhere),
    ):
        pass


def test_each_wrong_file_is_named(files: Files, tmp_path: Path) -> None:
    other = Files(tmp_path / "other")
    with pytest.raises(CertificateError, match=r"^LETTERDESK_SMTP_TLS_KEY is wrong: .* is not the key of the cert"):
        load(files.cert, other.key)
    with pytest.raises(CertificateError, match=r"^LETTERDESK_SMTP_TLS_KEY is wrong: .* cannot be read"):
        load(files.cert, tmp_path)
    with pytest.raises(CertificateError, match=r"are no certificate and key in PEM form"):
        load(files.key, files.cert)


def test_a_locked_key_is_refused_and_nobody_is_asked(files: Files) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    lock = serialization.BestAvailableEncryption(b"secret")
    pkcs8 = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, lock))
    with pytest.raises(CertificateError, match="locked with a password"):
        load(files.cert, files.key)
