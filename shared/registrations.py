"""Registrations and forgotten passwords: kept until the link that is mailed to the address is opened.

Each operation is part of the caller's transaction. What cannot be done raises an AccountError whose text is one
sentence for the person who asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from shared.accounts import (
    MAX_NAME,
    RANK,
    Details,
    check_address,
    is_username_free,
    mark_confirmed,
    set_password,
    set_username,
)
from shared.credentials import AccountError, UsernameTakenError, clean_username
from shared.models import Registration, RegistrationPurpose, User
from shared.people import find_or_create, user_of_address
from shared.tokens import Tokens

REGISTRATION_HOURS = 24
RESET_HOURS = 2
FORGET_AFTER = timedelta(days=30)


class LinkError(AccountError):
    """A mailed link that is used up, too old, or overtaken by events."""


def register(session: Session, details: Details, *, now: datetime) -> Registration:
    """Keep what somebody entered until they open the link that is mailed to the address.

    Raises AddressError, UsernameError and UsernameTakenError; none of it tells whether the address is known.
    """
    check_address(session, details.email)
    username = clean_username(details.username or "")
    if username is not None and not is_username_free(session, username):
        raise UsernameTakenError("That username is taken. Choose another one, or leave it empty.")
    return _keep(session, RegistrationPurpose.REGISTER, details, username, now, REGISTRATION_HOURS)


def ask_reset(session: Session, email: str, *, now: datetime) -> Registration:
    """Keep that somebody wants a new password for this address, until they open the mailed link."""
    check_address(session, email)
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
    mark_confirmed(session, registration.email, now)
    set_username(session, user, username)
    return user


def reset_password(session: Session, registration: Registration, password_hash: str, *, now: datetime) -> User:
    """Let a mailed link set a new password, once, and end all sessions. Raises LinkError."""
    _use(session, registration, now)
    user = user_of_address(session, registration.email)
    if user is None or user.disabled_at is not None:
        raise LinkError("There is no account for this address any more.")
    mark_confirmed(session, registration.email, now)
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
