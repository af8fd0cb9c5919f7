"""What the doctor says about the way in, in sentences that a person can act on."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intake.doctor import look_at_portal_port
from intake.receiving.front_door_checks import Finding, look_at_front_door
from intake.service import Intake
from shared.config import ConfigError, Settings
from shared.database import Database
from shared.listening import demand_portal_port
from tests.integration.test_smtp_tls import Files

TAKEN = "LETTERDESK_PORTAL_LISTEN: {} is in use by another program; stop it or choose another port."


class Program(socketserver.ThreadingTCPServer):
    """Lets go of its port when it ends, as all servers worth their name do."""

    allow_reuse_address = True


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, int]]:
    """A program that says this to whoever says something, and closes; where it listens."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(answer)

    with Program(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running_intake(settings: Settings, database: Database) -> Iterator[dict[str, tuple[str, int]]]:
    """A desk that takes mail; where, by protocol."""
    intake = Intake(settings, database)
    try:
        intake.start()
        yield intake.doors
    finally:
        intake.stop()


def said(name: str, address: tuple[str, int], settings: Settings, database: Database) -> Finding:
    """What is said first about this door, which is the only one."""
    host, port = address
    new = {"smtp_listen": "", f"{name.lower()}_listen": f"{host}:{port}"}
    return next(look_at_front_door(settings.model_copy(update=new), database, datetime.now(UTC)))


def faults(settings: Settings, database: Database, days: int = 0) -> list[str]:
    now = datetime.now(UTC) + timedelta(days=days)
    return [sentence for is_well, sentence in look_at_front_door(settings, database, now) if not is_well]


def test_a_desk_that_is_well_has_no_faults(settings: Settings, database: Database, tmp_path: Path) -> None:
    files = Files(tmp_path / "tls")
    new = {"smtp_tls_cert": str(files.cert), "smtp_tls_key": str(files.key), "lmtp_listen": "127.0.0.1:0"}
    settings = settings.model_copy(update=new | {"min_free_bytes": 1})
    assert faults(settings, database) == []
    assert any(
        "The certificate for mail that comes in is good until" in sentence
        for _, sentence in look_at_front_door(settings, database, datetime.now(UTC))
    )


def test_an_address_of_another_machine_is_named(settings: Settings, database: Database) -> None:
    settings = settings.model_copy(update={"lmtp_listen": "192.0.2.1:2424", "min_free_bytes": 1})
    [sentence] = faults(settings, database)
    assert sentence.startswith("Mail cannot be received over LMTP: 192.0.2.1:2424 cannot be used (")


@pytest.mark.parametrize("name", ["SMTP", "SMTPS", "LMTP"])
def test_a_desk_that_runs_already_is_known_by_its_greeting(
    settings: Settings, database: Database, tmp_path: Path, name: str
) -> None:
    files = Files(tmp_path / "tls")
    new = {f"{name.lower()}_listen": "127.0.0.1:0", "smtp_tls_cert": str(files.cert), "smtp_tls_key": str(files.key)}
    with running_intake(settings.model_copy(update={"smtp_listen": ""} | new), database) as doors:
        found = said(name, doors[name], settings, database)
    assert found == (True, f"Mail is taken over {name} on 127.0.0.1:{doors[name][1]}: a desk answers there.")


@pytest.mark.parametrize("greeting", [b"220 mail.example ESMTP Exim\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_another_program_on_the_port_is_named(settings: Settings, database: Database, greeting: bytes) -> None:
    with answering(greeting) as address:
        is_well, sentence = said("SMTP", address, settings, database)
    assert not is_well
    assert sentence == (
        f"Mail cannot be received over SMTP: 127.0.0.1:{address[1]} is in use by another program; "
        "stop it or choose another port."
    )


@pytest.mark.parametrize("greeting", [b"", b"421 4.3.2 Too many connections; please try again later\r\n"])
def test_who_does_not_tell_what_it_is_may_be_the_desk(settings: Settings, database: Database, greeting: bytes) -> None:
    with answering(greeting) as address:
        is_well, sentence = said("SMTP", address, settings, database)
    assert is_well
    assert sentence == f"127.0.0.1:{address[1]} (SMTP) is in use, by this desk or by another program."


@pytest.mark.parametrize(
    ("answer", "is_well", "words"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nok\n", True, "The portal is served on {}: a desk answers there."),
        (b"", True, "{} (portal) is in use, by this desk or by another program."),
        (b"HTTP/1.0 404 File not found\r\n\r\n", False, TAKEN),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", False, TAKEN),
        (b"220 mail.example ESMTP\r\n", False, TAKEN),
    ],
)
def test_who_has_the_port_of_the_portal_is_said_as_far_as_it_tells(answer: bytes, is_well: bool, words: str) -> None:
    with answering(answer) as address:
        assert look_at_portal_port(address) == (is_well, words.format(f"127.0.0.1:{address[1]}"))


def test_a_free_port_for_the_portal_is_well_and_an_address_of_another_machine_is_not() -> None:
    with answering(b"") as address:
        pass
    assert look_at_portal_port(address) == (True, f"The portal can be served on 127.0.0.1:{address[1]}.")
    is_well, sentence = look_at_portal_port(("192.0.2.1", 8000))
    assert not is_well
    assert sentence.startswith("LETTERDESK_PORTAL_LISTEN: 192.0.2.1:8000 cannot be used (")


def test_a_portal_that_is_just_ending_is_waited_for_and_no_other_program_is(settings: Settings) -> None:
    waits: list[float] = []
    with contextlib.ExitStack() as ending:
        host, port = ending.enter_context(answering(b""))
        taken = settings.model_copy(update={"portal_listen": f"{host}:{port}"})

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            ending.close()

        demand_portal_port(taken, sleep)
    assert len(waits) == 1

    with answering(b"HTTP/1.0 404 File not found\r\n\r\n") as (host, port):
        taken = settings.model_copy(update={"portal_listen": f"{host}:{port}"})
        with pytest.raises(ConfigError, match=f"LETTERDESK_PORTAL_LISTEN: {host}:{port} is in use by another program"):
            demand_portal_port(taken, waits.append)
    assert len(waits) == 1


def test_a_certificate_is_named_before_and_after_its_end(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    files = Files(tmp_path / "tls")  # good for 29 more days
    new = {"smtp_tls_cert": str(files.cert), "smtp_tls_key": str(files.key), "min_free_bytes": 1}
    settings = settings.model_copy(update=new)
    assert faults(settings, database, 10) == []
    [soon] = faults(settings, database, 20)
    [over] = faults(settings, database, 40)
    assert "renew it now" in soon
    assert over.startswith("LETTERDESK_SMTP_TLS_CERT is wrong: the certificate ")


def test_a_disk_that_is_nearly_full_is_named(settings: Settings, database: Database) -> None:
    [sentence] = faults(settings.model_copy(update={"min_free_bytes": 2**62}), database)
    assert sentence.startswith("The disk of ")
