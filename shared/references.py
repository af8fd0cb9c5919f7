"""Message-IDs as keys."""

from __future__ import annotations

import hashlib

MAX_KEY = 255


def reference_key(message_id: str) -> str:
    """The form under which a Message-ID is stored; long ones become their SHA-256."""
    return message_id if len(message_id) <= MAX_KEY else f"sha256:{hashlib.sha256(message_id.encode()).hexdigest()}"
