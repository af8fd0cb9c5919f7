"""Operations on accounts: find, make, change, disable. Each is part of the caller's transaction.

What cannot be done raises an AccountError whose text is one sentence for the person who asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.addresses import address_key, is_address
from shared.credentials import AccountError, AddressError, UsernameTakenError, clean_username, username_key
from shared.models import Address, Mailbox, Role, User
from shared.people import find_or_create, user_of_address

MAX_NAME = 200
RANK = {Role.REQUESTER: 0, Role.AGENT: 1, Role.ADMIN: 2}


class LastAdminError(AccountError):
    """The desk would be without an administrator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What somebody enters to register. `password_hash` comes from `hash_password`."""

    email: str
    name: str = ""
    username: str | None = None
    password_hash: str | None = None
    role: Role = Role.REQUESTER


def is_username_free(session: Session, username: str, *, beside: User | None = None) -> bool:
    """Whether nobody but `beside` has this username, whatever the letter case."""
    owner = session.scalar(select(User.id).where(User.username_key == username_key(username)))
    return owner is None or (beside is not None and owner == beside.id)


def login_key(login: str) -> str:
    """One form for all spellings under which `find_by_login` finds the same person."""
    login = login.strip()
    return address_key(login) if "@" in login else username_key(login)


def find_by_login(session: Session, login: str) -> User | None:
    """The user with this address or username, disabled or not."""
    login = login.strip()
    if "@" in login:
        return user_of_address(session, login)
    return session.scalar(select(User).where(User.username_key == username_key(login))) if login else None


def check_address(session: Session, email: str) -> None:
    """Raise AddressError where nobody can have an account under this address."""
    if not is_address(email):
        raise AddressError("That is not a mail address, like anna@example.org.")
    own = select(Mailbox.id).where(Mailbox.address_key == address_key(email))
    if session.scalar(own) is not None:
        raise AddressError("That is an address of this desk itself.")


def mark_confirmed(session: Session, email: str, now: datetime) -> None:
    """Note that the address of a user is theirs: they opened a link mailed to it."""
    address = session.get_one(Address, address_key(email))
    address.confirmed_at = address.confirmed_at or now


def set_username(session: Session, user: User, username: str | None) -> None:
    """Give a user this username, or none. Raises UsernameError; UsernameTakenError also where somebody was faster."""
    name = clean_username(username or "")
    try:
        with session.begin_nested():
            user.username = name
            user.username_key = username_key(name) if name else None
            session.flush()
    except IntegrityError:
        raise UsernameTakenError("That username is taken. Choose another one, or leave it empty.") from None


def set_name(user: User, name: str) -> None:
    """Give a user this name, on one line."""
    user.name = " ".join(name.split())[:MAX_NAME]


def set_password(session: Session, user: User, password_hash: str) -> None:
    """Give a user a new password, and end all their sessions."""
    user.password_hash = password_hash
    user.session_version += 1
    session.flush()


def set_role(session: Session, user: User, role: Role) -> None:
    """Give a user another role. Raises LastAdminError."""
    if role is not Role.ADMIN:
        _keep_an_admin(session, user)
    user.role = role
    session.flush()


def disable(session: Session, user: User, *, now: datetime) -> None:
    """Shut a user out and end their sessions; what they wrote stays. Raises LastAdminError."""
    _keep_an_admin(session, user)
    user.disabled_at = user.disabled_at or now
    user.session_version += 1
    session.flush()


def enable(session: Session, user: User) -> None:
    """Let a disabled user in again, with the password they had."""
    user.disabled_at = None
    session.flush()


def _keep_an_admin(session: Session, user: User) -> None:
    """Raise LastAdminError where nobody else could look after the desk. Locks the administrators' rows."""
    admins = select(User.id).where(User.role == Role.ADMIN, User.disabled_at.is_(None)).order_by(User.id)
    able = session.scalars(admins.with_for_update()).all()
    if list(able) == [user.id]:
        raise LastAdminError("That is the last administrator. Make somebody else an administrator first.")


def create(session: Session, details: Details, *, now: datetime) -> User:
    """Make a user from the shell, or give one known from mail what is missing. Needs no link.

    Raises AddressError where the address is none or has an account already, UsernameError, UsernameTakenError.
    """
    check_address(session, details.email)
    known = user_of_address(session, details.email)
    if known is not None and known.password_hash is not None:
        raise AddressError(f"{details.email} has an account already.")
    user = known or find_or_create(session, details.email, details.name, now)
    user.name = details.name or user.name
    user.password_hash = details.password_hash
    user.role = details.role
    mark_confirmed(session, details.email, now)
    if details.username:
        set_username(session, user, details.username)
    session.flush()
    return user


def count_admins(session: Session) -> int:
    """How many administrators can sign in."""
    able = (User.role == Role.ADMIN, User.disabled_at.is_(None), User.password_hash.is_not(None))
    return session.scalar(select(func.count()).select_from(User).where(*able)) or 0
