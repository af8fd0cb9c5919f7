"""Mail addresses as keys: two spellings of one address have one key, two addresses have two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_LENGTH = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets

_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}")
_LABEL = re.compile(r"(?!-)[^\W_](?:[^\W_]|-){0,62}")


def address_key(address: str) -> str:
    """The form under which an address is compared and stored uniquely.

    Letter case is ignored in both halves, as every mail host in use does. An address that turns into
    ASCII only by folding (KELVIN SIGN for k) is another address and keeps its letters.
    """
    normal = unicodedata.normalize("NFC", address.strip())
    key = normal.lower()
    return address.strip() if key.isascii() and not address.isascii() else key


def is_address(address: str) -> bool:
    """Whether this is one plain addr-spec (RFC 5321 section 4.1.2, dot-string form only)."""
    local, at, domain = address.rpartition("@")
    if not at or not address.isprintable() or not _LOCAL.fullmatch(local):
        return False
    if max(len(address), len(address_key(address))) > MAX_LENGTH:  # a few letters grow when they are folded
        return False
    labels = domain.split(".")
    return all(_LABEL.fullmatch(label) and not label.endswith("-") for label in labels)


def reaches_somebody(address: str) -> bool:
    """Whether mail to an address can arrive at all: nothing under .invalid does (RFC 6761 section 6.4)."""
    return not address.lower().endswith(".invalid")


def without_plus(address: str) -> tuple[str, str]:
    """Split `support+4821-abc@desk.example` into `support@desk.example` and `4821-abc` (or "")."""
    local, at, domain = address.rpartition("@")
    name, _, suffix = local.partition("+")
    return (f"{name}@{domain}", suffix) if at else (address, "")


def is_own(address: str, own: Collection[str]) -> bool:
    """Whether an address is one of `own` (address keys), with or without a plus-suffix."""
    key = address_key(address)
    return key in own or without_plus(key)[0] in own


def with_plus(address: str, suffix: str) -> str:
    """The plus-address of `address` that carries `suffix`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{suffix}@{domain}"
