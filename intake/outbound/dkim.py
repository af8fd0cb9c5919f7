"""Signs outgoing mail for its From domain (DKIM: RFC 6376, RFC 8301; Ed25519: RFC 8463), and says what DNS must hold.

Pure but for reading the keys once at the start: the same mail and moment give the same signature.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from shared.config import ConfigError
from shared.setting_values import dkim_keys

LEAST_BITS = 1024  # RFC 8301 section 3.2; 2048 is what it asks for
LINE = 72
SIGNED = (  # each once more than it is there, so that nobody adds another (RFC 6376 section 8.15)
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
)

_BLANKS = re.compile(rb"[ \t]+")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key under which mail of a domain is signed; `selector` names it in DNS."""

    selector: str
    domain: str
    private: PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"


def load_keys(setting: str) -> tuple[SigningKey, ...]:
    """The keys of `SELECTOR@DOMAIN=FILE, …`. Raises ConfigError, which names the setting and the file."""
    return tuple(
        SigningKey(selector=selector, domain=domain, private=_load(path))
        for selector, domain, path in dkim_keys(setting)
    )


def keys_for(keys: Sequence[SigningKey], address: str) -> tuple[SigningKey, ...]:
    """The keys of the domain of a From address."""
    domain = address.rpartition("@")[2].lower()
    return tuple(key for key in keys if key.domain == domain)


def sign(mail: bytes, keys: Sequence[SigningKey], moment: datetime) -> bytes:
    """The mail with a signature of each key above it. It has CRLF line ends; not one byte of it is changed."""
    if not keys:
        return mail
    header, _, body = mail.partition(b"\r\n\r\n")
    fields = _fields(header + b"\r\n")
    body_hash = hashlib.sha256(relaxed_body(body)).digest()
    return b"".join(_signature(key, fields, body_hash, moment) for key in keys) + mail


def dns_record(key: SigningKey) -> tuple[str, str]:
    """The name and the value of the TXT record under which the world finds the public key."""
    public = key.private.public_key()
    if isinstance(key.private, RSAPrivateKey):
        kind, form = "rsa", (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, form = "ed25519", (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    value = b64encode(public.public_bytes(*form)).decode()
    return f"{key.selector}._domainkey.{key.domain}", f"v=DKIM1; k={kind}; p={value}"


def relaxed_body(body: bytes) -> bytes:
    """The canonical form of a body (RFC 6376 section 3.4.4)."""
    body = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    kept = body[:end].removesuffix(b" ")
    return kept + b"\r\n" if kept else b""


def _relaxed_field(name: bytes, value: bytes) -> bytes:
    """The canonical form of a field, without its line end (RFC 6376 section 3.4.2)."""
    return name.lower() + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _fields(header: bytes) -> list[tuple[str, bytes]]:
    """The fields in canonical form, by name in lower case."""
    return [(match[1].decode().lower(), _relaxed_field(match[1], match[2])) for match in _FIELD.finditer(header)]


def _signature(key: SigningKey, fields: Sequence[tuple[str, bytes]], body_hash: bytes, moment: datetime) -> bytes:
    there = Counter(name for name, _ in fields)
    names = [name for name in SIGNED for _ in range(there[name.lower()] + 1)]
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};",
        f"s={key.selector}; t={int(moment.timestamp())};",
        f"h={_listed(names)};",
        f"bh={b64encode(body_hash).decode()};",
        "b=",
    )
    unsigned = "\r\n ".join(tags).encode()
    hashed = [*_chosen(fields, names), _relaxed_field(b"DKIM-Signature", b" " + unsigned)]
    signature = b64encode(_signed(key.private, b"\r\n".join(hashed))).decode()
    return b"DKIM-Signature: " + unsigned + _folded(signature).encode() + b"\r\n"


def _chosen(fields: Sequence[tuple[str, bytes]], names: Sequence[str]) -> Iterator[bytes]:
    """The fields that are signed, in the order of `h=`: of several with one name the last comes first."""
    left = list(reversed(fields))
    for name in names:
        found = next((field for field in left if field[0] == name.lower()), None)
        if found is not None:
            left.remove(found)
            yield found[1]


def _signed(private: PrivateKey, text: bytes) -> bytes:
    if isinstance(private, RSAPrivateKey):
        return private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return private.sign(hashlib.sha256(text).digest())  # RFC 8463 section 3


def _listed(names: Sequence[str]) -> str:
    """The names with colons, folded only after these (RFC 6376 section 3.5)."""
    return textwrap.fill(": ".join(names), LINE, break_on_hyphens=False).replace(": ", ":").replace("\n", "\r\n ")


def _folded(value: str) -> str:
    return "\r\n ".join(value[at : at + LINE] for at in range(0, len(value), LINE))


def _load(path: Path) -> PrivateKey:
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"LETTERDESK_DKIM_KEYS is wrong: {path} cannot be read ({error.strerror})") from None
    except TypeError:
        raise ConfigError(f"LETTERDESK_DKIM_KEYS is wrong: {path} is locked with a password; take it off") from None
    except ValueError:
        raise ConfigError(f"LETTERDESK_DKIM_KEYS is wrong: {path} holds no private key in PEM") from None
    if isinstance(private, Ed25519PrivateKey):
        return private
    if not isinstance(private, RSAPrivateKey):
        raise ConfigError(f"LETTERDESK_DKIM_KEYS is wrong: {path} is a key of another kind than RSA or Ed25519")
    if private.key_size < LEAST_BITS:
        raise ConfigError(f"LETTERDESK_DKIM_KEYS is wrong: {path} has {private.key_size} bits; make one with 2048")
    return private
