"""Text as every database takes it."""

from __future__ import annotations

ADDRESS_LIMIT = 320
NAME_LIMIT = 200
ID_LIMIT = 998


def clean(text: str, limit: int | None = None) -> str:
    """Text without NUL and without half of a surrogate pair, cut to `limit` characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:limit]
