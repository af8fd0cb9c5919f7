"""What stops a command, told in one line."""

from __future__ import annotations


class UserError(Exception):
    """Something that cannot be done. The message is one sentence for the person who asked for it."""
