"""Faults of ours while mail comes in."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from shared.errors import UserError

UNREACHABLE = (OperationalError, InterfaceError, NoFreeConnectionError)  # the next mail would fail as well


class ReceiveError(UserError):
    """Mail cannot be taken in. The message is one sentence for the person who started the desk."""
