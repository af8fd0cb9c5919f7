"""What the doctor says about the way in, in sentences that a person can act on."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from intake.receiving.front_door_checks import look_at_front_door
from shared.config import Settings
from shared.database import Database
from tests.integration.test_smtp_tls import Files


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
    assert sentence.startswith("Mail cannot be received over LMTP on 192.0.2.1:2424: the address cannot be used")


def test_a_desk_that_runs_already_is_no_fault(settings: Settings, database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as running:
        address = f"127.0.0.1:{running.getsockname()[1]}"
        assert faults(settings.model_copy(update={"smtp_listen": address, "min_free_bytes": 1}), database) == []


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
