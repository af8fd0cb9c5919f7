"""Mail that goes out is signed for its From domain, as the bytes that arrive; the doctor says what DNS has to hold."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import dkim as verifier
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake.doctor import examine
from intake.outbound.dkim import dns_record, load_keys
from shared.articles import Upload
from shared.config import ConfigError, Settings
from shared.database import Database
from shared.tokens import Tokens
from tests.mail_sink import mail_sink
from tests.outgoing import Clock, SendingDesk, running


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """A setting with an RSA and an Ed25519 key for the desk's domain."""
    for name, private in (
        ("rsa", rsa.generate_private_key(65537, 2048)),
        ("ed25519", Ed25519PrivateKey.generate()),
    ):
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / f"{name}.pem").write_bytes(pem)
    return ", ".join(f"{name}@desk.example={tmp_path}/{name}.pem" for name in ("rsa", "ed25519"))


def test_mail_arrives_with_signatures_that_hold(
    database: Database, tokens: Tokens, settings: Settings, now: datetime, keys: str
) -> None:
    signed = settings.model_copy(update={"dkim_keys": keys})
    desk = SendingDesk(database=database, tokens=tokens, settings=signed, clock=Clock(now))
    file = Upload(filename="ä.txt", content_type="text/plain", content=b".\r\n..\n\xff" * 99)
    number = desk.open_ticket("Grüße =?x?= und\tmehr " + "ö" * 200)
    desk.reply(number, ".\n..\n \nFrom here\n" + "long " * 5000, files=(file,))
    dns = {f"{name}.": value.encode() for name, value in map(dns_record, load_keys(keys))}
    with mail_sink() as sink, running(desk.outbox(f"smtp://127.0.0.1:{sink.port}")) as outbox:
        assert outbox.run_once() == 2
    for mail in sink.mails:
        checked = [
            verifier.DKIM(mail.content).verify(idx=n, dnsfunc=lambda name, **_: dns[name.decode()]) for n in (0, 1)
        ]
        assert checked == [True, True]


def test_a_key_that_is_not_there_stops_the_start_with_a_sentence(
    database: Database, tokens: Tokens, settings: Settings, now: datetime, tmp_path: Path
) -> None:
    wrong = settings.model_copy(update={"dkim_keys": f"a@desk.example={tmp_path}/none.pem"})
    desk = SendingDesk(database=database, tokens=tokens, settings=wrong, clock=Clock(now))
    with pytest.raises(ConfigError, match=r"LETTERDESK_DKIM_KEYS is wrong: .*/none.pem cannot be read"):
        desk.outbox("smtp://127.0.0.1:1")


def test_the_doctor_says_what_is_signed_and_what_dns_has_to_hold(
    database: Database, tokens: Tokens, settings: Settings, keys: str
) -> None:
    own = settings.model_copy(update={"dkim_keys": keys, "address": "support@desk.example"})
    said = [sentence for _, sentence in examine(own, database, tokens)]
    for name, value in map(dns_record, load_keys(keys)):
        assert any(sentence.endswith(f"{name} {value}") for sentence in said)
    other = own.model_copy(update={"address": "support@other.example"})
    assert (False, "Mail from other.example is not signed: LETTERDESK_DKIM_KEYS has no key for that domain.") in list(
        examine(other, database, tokens)
    )
    gone = own.model_copy(update={"dkim_keys": "a@desk.example=/nowhere/key.pem"})
    faults = [sentence for well, sentence in examine(gone, database, tokens) if not well]
    assert any("LETTERDESK_DKIM_KEYS is wrong: /nowhere/key.pem cannot be read" in sentence for sentence in faults)
