"""Signed tokens: what the desk writes into addresses, Message-IDs and links, and knows again.

Every purpose has a key of its own, derived from SECRET_KEY by HMAC-SHA-256; former keys are still
accepted. Tokens are lower-case base32, compared without letter case and in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_REPLY_SUFFIX = re.compile(r"([1-9][0-9]{0,17})-([a-z2-7]{16})")
_MESSAGE_ID = re.compile(r"t([1-9][0-9]{0,17})\.([a-z2-7]{16})\.([a-z2-7]{16})@")
_LINK = re.compile(r"([a-z]{1,20})-([1-9][0-9]{0,17})-([0-9]{1,12})-([a-z2-7]{32})")


_LENGTHS = {"reply": 16, "bounce": 16, "message-id": 16, "loop": 32, "link": 32}  # base32 letters, 5 bits each


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that the desk has signed: `purpose` and `subject` (an id), good until `expires`."""

    purpose: str
    subject: int
    expires: int


class Tokens:
    """Makes and checks tokens under one secret key and its predecessors."""

    def __init__(self, secret_key: str, *old_keys: str) -> None:
        self._keys = tuple(key.encode() for key in (secret_key, *old_keys))

    def reply_suffix(self, ticket: int, recipient: str) -> str:
        """The plus-suffix for answers of one recipient (an address key) on one ticket: 80 bits."""
        return f"{ticket}-{self._sign('reply', f'{ticket}:{recipient}')}"

    def ticket_of_suffix(self, suffix: str) -> int | None:
        """The ticket that a plus-suffix claims to be for, still unproven; None where it is none of ours."""
        match = _REPLY_SUFFIX.fullmatch(suffix.lower())
        return int(match[1]) if match else None

    def reply_recipient(self, suffix: str, recipients: frozenset[str]) -> str | None:
        """Whom of `recipients` (address keys) a plus-suffix was made for; None where it is nobody."""
        match = _REPLY_SUFFIX.fullmatch(suffix.lower())
        if not match:
            return None
        signed = (r for r in recipients if self._verify("reply", f"{match[1]}:{r}", match[2]))
        return next(signed, None)

    def bounce_suffix(self, delivery_id: int) -> str:
        """The plus-suffix of the envelope sender of one delivery: 80 bits."""
        return f"b-{delivery_id}-{self._sign('bounce', str(delivery_id))}"

    def delivery_of_bounce(self, suffix: str) -> int | None:
        """The delivery whose envelope sender carried this suffix, if we signed it."""
        kind, _, rest = suffix.lower().partition("-")
        match = _REPLY_SUFFIX.fullmatch(rest)
        if kind != "b" or not match or not self._verify("bounce", match[1], match[2]):
            return None
        return int(match[1])

    def message_id(self, ticket: int, domain: str) -> str:
        """A new Message-ID (without <>) that says which ticket its answers belong to."""
        chance = base64.b32encode(secrets.token_bytes(10)).decode().lower()
        return f"t{ticket}.{chance}.{self._sign('message-id', f'{ticket}:{chance}')}@{domain}"

    def ticket_of_message_id(self, message_id: str) -> int | None:
        """The ticket of one of our own Message-IDs; None for anybody else's."""
        match = _MESSAGE_ID.match(message_id.lower())
        if not match or not self._verify("message-id", f"{match[1]}:{match[2]}", match[3]):
            return None
        return int(match[1])

    def loop_mark(self, desk: str) -> str:
        """What every mail of the desk carries, so that it knows its own mail when it comes back."""
        return self._sign("loop", desk)

    def is_loop_mark(self, mark: str | None, desk: str) -> bool:
        return mark is not None and self._verify("loop", desk, mark)

    def link(self, purpose: str, subject: int, expires: datetime, secret: str = "") -> str:
        """A link token of 160 bits. `secret` binds it to something that changes once it is used."""
        stamp = int(expires.timestamp())
        return f"{purpose}-{subject}-{stamp}-{self._sign('link', f'{purpose}:{subject}:{stamp}:{secret}')}"

    @staticmethod
    def read_link(token: str) -> Link | None:
        """What a link token claims, unproven."""
        match = _LINK.fullmatch(token.lower())
        return Link(purpose=match[1], subject=int(match[2]), expires=int(match[3])) if match else None

    def is_link(self, token: str, now: datetime, secret: str = "") -> bool:
        """Whether we signed this link and it has not expired."""
        link = self.read_link(token)
        if link is None or link.expires < now.timestamp():
            return False
        signed = f"{link.purpose}:{link.subject}:{link.expires}:{secret}"
        return self._verify("link", signed, token.rpartition("-")[2])

    def encrypt(self, secret: str) -> str:
        """Encrypt a stored password (Fernet: AES-128-CBC with HMAC-SHA-256)."""
        return self._fernet().encrypt(secret.encode()).decode()

    def decrypt(self, stored: str) -> str | None:
        """Read what `encrypt` made under this or a former key; None where no key fits."""
        try:
            return self._fernet().decrypt(stored).decode()
        except InvalidToken:
            return None

    def session_key(self) -> str:
        """The key that signs the portal's cookies."""
        return _derive(self._keys[0], "session").hex()

    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, "storage"))) for key in self._keys])

    def _sign(self, purpose: str, value: str) -> str:
        return _mac(self._keys[0], purpose, value, _LENGTHS[purpose])

    def _verify(self, purpose: str, value: str, token: str) -> bool:
        given = token.lower().encode("utf-8", "replace")  # what comes in a header may hold half a surrogate pair
        length = _LENGTHS[purpose]
        return any(hmac.compare_digest(_mac(key, purpose, value, length).encode(), given) for key in self._keys)


def _derive(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"letterdesk:{purpose}".encode(), hashlib.sha256)


def _mac(key: bytes, purpose: str, value: str, length: int) -> str:
    digest = hmac.digest(_derive(key, purpose), value.encode(), hashlib.sha256)
    return base64.b32encode(digest).decode().lower().rstrip("=")[:length]
