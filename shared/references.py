"""Message-IDs as keys."""

from __future__ import annotations

import hashlib

MAX_KEY = 255


def reference_key(message_id: str) -> str:
    """The form under which a Message-ID is stored; long ones become their SHA-256."""
    plain = message_id.replace("\0", "").encode("utf-8", "replace")
    return plain.decode() if len(message_id) <= MAX_KEY else f"sha256:{hashlib.sha256(plain).hexdigest()}"
