"""Operations on accounts: sign in, register, confirm, change, disable. Each is part of the caller's transaction.

What cannot be done raises an AccountError whose text is one sentence for the person who asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.addresses import address_key, is_address
from shared.credentials import AccountError, AddressError, UsernameTakenError, clean_username, username_key
from shared.models import Address, Mailbox, Registration, RegistrationPurpose, Role, User
from shared.people import find_or_create, user_of_address
from shared.tokens import Tokens

MAX_NAME = 200
REGISTRATION_HOURS = 24
RESET_HOURS = 2
FORGET_AFTER = timedelta(days=30)
RANK = {Role.REQUESTER: 0, Role.AGENT: 1, Role.ADMIN: 2}


class LastAdminError(AccountError):
    """The desk would be without an administrator."""


class LinkError(AccountError):
    """A mailed link that is used up, too old, or overtaken by events."""


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


def find_by_login(session: Session, login: str) -> User | None:
    """The user with this address or username, disabled or not."""
    login = login.strip()
    if "@" in login:
        return user_of_address(session, login)
    return session.scalar(select(User).where(User.username_key == username_key(login))) if login else None


def register(session: Session, details: Details, *, now: datetime) -> Registration:
    """Keep what somebody entered until they open the link that is mailed to the address.

    Raises AddressError, UsernameError and UsernameTakenError; none of it tells whether the address is known.
    """
    _check_address(session, details.email)
    username = clean_username(details.username or "")
    if username is not None and not is_username_free(session, username):
        raise UsernameTakenError("That username is taken. Choose another one, or leave it empty.")
    return _keep(session, RegistrationPurpose.REGISTER, details, username, now, REGISTRATION_HOURS)


def ask_reset(session: Session, email: str, *, now: datetime) -> Registration:
    """Keep that somebody wants a new password for this address, until they open the mailed link."""
    _check_address(session, email)
    return _keep(session, RegistrationPurpose.RESET, Details(email=email), None, now, RESET_HOURS)


def link_token(tokens: Tokens, registration: Registration) -> str:
    """The token of the link that is mailed for a registration."""
    return tokens.link(registration.purpose, registration.id, registration.expires_at, registration.email)


def open_link(
    session: Session, tokens: Tokens, token: str, purpose: RegistrationPurpose, *, now: datetime
) -> Registration:
    """The registration that a mailed link is for. Raises LinkError where it is not ours, used up or too old."""
    link = tokens.read_link(token)
    found = session.get(Registration, link.subject) if link else None
    if link is None or found is None or link.purpose != purpose or found.purpose is not purpose:
        raise LinkError("That link is not whole. Copy it from the mail as it stands there.")
    if not tokens.is_link(token, now, found.email) or found.used_at is not None or found.expires_at <= now:
        raise LinkError("That link has been used already, or is too old. Have a new one mailed.")
    return found


def _check_address(session: Session, email: str) -> None:
    if not is_address(email):
        raise AddressError("That is not a mail address, like anna@example.org.")
    own = select(Mailbox.id).where(Mailbox.address_key == address_key(email))
    if session.scalar(own) is not None:
        raise AddressError("That is an address of this desk itself.")


def _keep(
    session: Session,
    purpose: RegistrationPurpose,
    details: Details,
    username: str | None,
    now: datetime,
    hours: int,
) -> Registration:
    session.execute(delete(Registration).where(Registration.expires_at < now - FORGET_AFTER))
    registration = Registration(
        purpose=purpose,
        email=details.email,
        name=" ".join(details.name.split())[:MAX_NAME],
        username=username,
        role=details.role,
        password_hash=details.password_hash,
        created_at=now,
        expires_at=now + timedelta(hours=hours),
    )
    session.add(registration)
    session.flush()
    return registration


def confirm(session: Session, registration: Registration, *, username: str | None, now: datetime) -> User:
    """Let a registration take effect, once: make the user, or give the one known from mail a password.

    The caller has checked the link. Raises LinkError, UsernameError and UsernameTakenError.
    """
    _use(session, registration, now)
    known = user_of_address(session, registration.email)
    if known is not None and (known.password_hash is not None or known.disabled_at is not None):
        raise LinkError("There is an account for this address already. Sign in, or have a new password mailed.")
    user = known or find_or_create(session, registration.email, registration.name, now)
    user.name = registration.name or user.name
    user.password_hash = registration.password_hash
    user.role = max(user.role, registration.role, key=RANK.__getitem__)
    user.session_version += 1
    _mark_confirmed(session, registration.email, now)
    set_username(session, user, username)
    return user


def reset_password(session: Session, registration: Registration, password_hash: str, *, now: datetime) -> User:
    """Let a mailed link set a new password, once, and end all sessions. Raises LinkError."""
    _use(session, registration, now)
    user = user_of_address(session, registration.email)
    if user is None or user.disabled_at is not None:
        raise LinkError("There is no account for this address any more.")
    _mark_confirmed(session, registration.email, now)
    set_password(session, user, password_hash)
    return user


def _use(session: Session, registration: Registration, now: datetime) -> None:
    used = session.scalar(
        update(Registration)
        .where(Registration.id == registration.id, Registration.used_at.is_(None), Registration.expires_at > now)
        .values(used_at=now)
        .returning(Registration.id)
    )
    if used is None:
        raise LinkError("That link has been used already, or is too old. Have a new one mailed.")


def _mark_confirmed(session: Session, email: str, now: datetime) -> None:
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
    _check_address(session, details.email)
    known = user_of_address(session, details.email)
    if known is not None and known.password_hash is not None:
        raise AddressError(f"{details.email} has an account already.")
    user = known or find_or_create(session, details.email, details.name, now)
    user.name = details.name or user.name
    user.password_hash = details.password_hash
    user.role = details.role
    _mark_confirmed(session, details.email, now)
    if details.username:
        set_username(session, user, details.username)
    session.flush()
    return user


def count_admins(session: Session) -> int:
    """How many administrators can sign in."""
    able = (User.role == Role.ADMIN, User.disabled_at.is_(None), User.password_hash.is_not(None))
    return session.scalar(select(func.count()).select_from(User).where(*able)) or 0
