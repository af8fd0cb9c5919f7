"""Signed mail verifies for whoever asks, under both kinds of keys; a wrong key is said in a sentence."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import dkim as verifier
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake.outbound.compose import compose
from intake.outbound.dkim import SigningKey, dns_record, keys_for, load_keys, relaxed_body, sign
from intake.outbound.letter import File, Reply, Thread
from intake.types import Person
from shared.config import ConfigError
from tests.outgoing import DESK, MOMENT, letter

RSA = SigningKey(selector="r1", domain="desk.example", private=rsa.generate_private_key(65537, 2048))
ED25519 = SigningKey(selector="e1", domain="desk.example", private=Ed25519PrivateKey.generate())
DNS: Mapping[str, str] = dict(dns_record(key) for key in (RSA, ED25519))


def ask(name: bytes, timeout: float = 5) -> bytes | None:
    """What a resolver would answer."""
    found = DNS.get(name.decode().rstrip("."))
    return found.encode() if found else None


def verdicts(mail: bytes) -> list[bool]:
    """Whether each signature of a mail holds."""
    return [_holds(mail, number) for number in range(mail.count(b"DKIM-Signature:"))]


def _holds(mail: bytes, number: int) -> bool:
    try:
        return bool(verifier.DKIM(mail).verify(idx=number, dnsfunc=ask))
    except verifier.DKIMException:
        return False


MAILS = {
    "a notice": letter(),
    "a subject with tabs and blanks": letter(thread=Thread(number=1, subject="a\t\tb   c =?utf-8?q?x?= " + "ä" * 300)),
    "a subject that would be a header": letter(thread=Thread(number=1, subject="x\r\nFrom: eve@evil.example\r\n\r\ny")),
    "names and words of the world": letter(
        Reply(text="Grüße, 你好, привет \U0001f642\n" * 40), recipient=Person(address="a@b.example", name="Ænna, „O“")
    ),
    "dots and blanks at line ends": letter(Reply(text=".\n..\n. \t\n \n\nx  \n\n\n\n")),
    "a line of 50,000 letters": letter(Reply(text="x" * 50_000)),
    "files": letter(
        Reply(text="See", files=(File(filename="ä.bin", content_type="x/y", content=bytes(range(256)) * 999),))
    ),
    "a long thread": letter(
        thread=Thread(number=1, subject="s", message_ids=tuple(f"{n}@{'x' * 90}.example" for n in range(99)))
    ),
    "an address outside of ASCII": letter(recipient=Person(address="jürgen@example.org", name="J")),
}


@pytest.mark.parametrize("name", MAILS)
def test_signatures_of_both_kinds_hold_for(name: str) -> None:
    mail = compose(MAILS[name])
    signed = sign(mail, (RSA, ED25519), MOMENT)
    assert signed.endswith(mail)
    assert verdicts(signed) == [True, True]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n\r\n",
        b" \t \r\n\r\n",
        b"x",
        b".\r\n..\r\n",
        b"a \t b\t\r\n\r\n\r\n",
        b"\xff\xe4 \r\nz",
    ],
)
def test_bodies_of_every_shape_are_signed_as_others_read_them(body: bytes) -> None:
    mail = b"From: support@desk.example\r\nSubject:  a \r\n\tb \r\nX-Odd:y\r\n\r\n" + body
    assert verdicts(sign(mail, (RSA, ED25519), MOMENT)) == [True, True]


@pytest.mark.parametrize("header", ["From", "Subject", "To", "Reply-To", "Cc", "In-Reply-To", "Auto-Submitted"])
def test_nobody_can_add_a_header_to_a_signed_mail(header: str) -> None:
    signed = sign(compose(letter()), (RSA, ED25519), MOMENT)
    assert verdicts(f"{header}: eve@evil.example\r\n".encode() + signed) == [False, False]
    above, below = signed.split(b"From:", 1)
    assert verdicts(above + f"{header}: eve@evil.example\r\nFrom:".encode() + below) == [False, False]


def test_a_changed_body_or_another_domains_key_does_not_verify() -> None:
    signed = sign(compose(letter()), (RSA, ED25519), MOMENT)
    assert verdicts(signed + b"P.S. Send money.\r\n") == [False, False]
    stranger = SigningKey(selector="r1", domain="desk.example", private=Ed25519PrivateKey.generate())
    assert verdicts(sign(compose(letter()), (stranger,), MOMENT)) == [False]


def test_the_same_letter_is_signed_into_the_same_bytes() -> None:
    once, again = (sign(compose(letter()), (RSA, ED25519), MOMENT) for _ in range(2))
    assert once == again
    assert b"t=%d;" % MOMENT.timestamp() in once
    assert b" l=" not in once


def test_mail_of_a_domain_without_keys_goes_as_it_is() -> None:
    assert keys_for((RSA, ED25519), "SUPPORT@Desk.Example") == (RSA, ED25519)
    assert keys_for((RSA,), "support@other.example") == ()
    mail = compose(letter())
    assert sign(mail, (), MOMENT) == mail


def test_blanks_take_no_quadratic_time() -> None:
    assert relaxed_body(b" " * 1_000_000 + b"x" + b"\r\n" * 500_000) == b" x\r\n"


def pem(private: rsa.RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        lock = serialization.BestAvailableEncryption(password)
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def test_keys_are_read_from_their_files(tmp_path: Path) -> None:
    for name, key in (("r.pem", RSA), ("e.pem", ED25519)):
        (tmp_path / name).write_bytes(pem(key.private))
    setting = f"r1@Desk.example={tmp_path}/r.pem, e1@desk.example={tmp_path}/e.pem"
    loaded = load_keys(setting)
    assert [dns_record(key) for key in loaded] == [dns_record(RSA), dns_record(ED25519)]
    assert [key.algorithm for key in loaded] == ["rsa-sha256", "ed25519-sha256"]
    assert keys_for(loaded, DESK.address) == loaded


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"no key", "holds no private key in PEM"),
        (pem(ED25519.private, b"secret"), "is locked with a password"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "another kind than RSA or Ed25519"),
    ],
)
def test_a_key_that_cannot_be_used_is_said_with_the_setting_and_the_file(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as fault:
        load_keys(f"desk1@desk.example={path}")
    assert "LETTERDESK_DKIM_KEYS" in str(fault.value)
    assert f"{path} " in str(fault.value)
    assert said in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_record_for_dns_names_the_key_and_holds_nothing_private() -> None:
    name, value = dns_record(ED25519)
    assert name == "e1._domainkey.desk.example"
    assert value.startswith("v=DKIM1; k=ed25519; p=")
    assert len(base64.b64decode(value.rpartition("p=")[2])) == 32
