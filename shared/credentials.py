"""Passwords and usernames: which ones may be used, and how they are kept and compared.

What may not be used raises an AccountError whose text is one sentence for the person who asked.
"""

from __future__ import annotations

import re
import unicodedata

from werkzeug.security import check_password_hash, generate_password_hash

from shared.errors import UserError

MIN_PASSWORD = 8
MAX_PASSWORD = 200  # characters; more is no safer, and has to be hashed

_USERNAME = re.compile(r"\w(?:[\w.-]{0,62}\w)?")


class AccountError(UserError):
    """Something that cannot be done with an account. `field` names what to change, or is empty."""

    field = ""


class UsernameTakenError(AccountError):
    """Somebody else has that username."""

    field = "username"


class UsernameError(AccountError):
    """Not a username."""

    field = "username"


class PasswordError(AccountError):
    """Not a password to use."""

    field = "password"


class AddressError(AccountError):
    """Not an address to have an account under."""

    field = "email"


def hash_password(password: str, rounds: int) -> str:
    """Hash a password (PBKDF2, SHA-256). Slow on purpose: call it with no transaction open.

    Raises PasswordError where it is too short or too long.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise PasswordError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters; this has {len(password)}.")
    return generate_password_hash(password, method=f"pbkdf2:sha256:{rounds}")


def is_password(password_hash: str, password: str) -> bool:
    """Whether a password belongs to a hash. As slow as making it: call it with no transaction open."""
    return check_password_hash(password_hash, password)


def username_key(username: str) -> str:
    """The form under which usernames are compared: look-alikes of one word have one key."""
    return unicodedata.normalize("NFKC", username).casefold()


def clean_username(username: str) -> str | None:
    """A username as it is stored, None for none; raises UsernameError where it may not be used."""
    name = unicodedata.normalize("NFC", username.strip())
    if not name:
        return None
    if not _USERNAME.fullmatch(name) or not _USERNAME.fullmatch(username_key(name)):
        raise UsernameError("A username has letters, digits, dots, dashes and underscores, up to 64, and no @.")
    return name
