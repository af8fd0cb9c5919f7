"""People as mail knows them: by their addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.addresses import address_key, is_own
from shared.models import Address, Mailbox, User

NAME_LIMIT = 200


def user_of_address(session: Session, address: str) -> User | None:
    """The person who writes from this address, whatever its letter case."""
    return session.scalar(select(User).join(Address).where(Address.key == address_key(address)))


def users_of_addresses(session: Session, keys: Iterable[str]) -> dict[str, User]:
    """The known people among these address keys."""
    wanted = sorted(set(keys))
    rows = session.execute(select(Address.key, User).join(Address.user).where(Address.key.in_(wanted)))
    return {key: user for key, user in rows}  # noqa: C416 - rows are no pairs to the type checker


def find_or_create(session: Session, address: str, name: str, now: datetime) -> User:
    """The person with this address; made as a requester where nobody has it. Survives a race for it."""
    known = user_of_address(session, address)
    if known is not None:
        return known
    try:
        with session.begin_nested():
            user = new_user(address, name, now)
            session.add(user)
            session.flush()
    except IntegrityError:
        found = user_of_address(session, address)
        if found is None:
            raise
        return found
    return user


def new_user(address: str, name: str, now: datetime) -> User:
    """A requester who is known from mail alone; not yet in any session."""
    user = User(email=address, name=" ".join(name.split())[:NAME_LIMIT], created_at=now)
    user.addresses.append(Address(key=address_key(address), email=address))
    return user


def own_addresses(session: Session) -> frozenset[str]:
    """The address keys of all mailboxes of the desk, those that are switched off too."""
    return frozenset(session.scalars(select(Mailbox.address_key)))


def own_among(session: Session, people: Iterable[User]) -> str | None:
    """The first of these people's addresses that is one of the desk's, with or without a plus-suffix."""
    own = own_addresses(session)
    return next((user.email for user in people if is_own(user.email, own)), None)


def addresses_of(session: Session, users: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """All address keys of these people."""
    rows = session.execute(select(Address.user_id, Address.key).where(Address.user_id.in_(sorted(set(users)))))
    found: dict[int, set[str]] = {}
    for user_id, key in rows:
        found.setdefault(user_id, set()).add(key)
    return {user_id: frozenset(keys) for user_id, keys in found.items()}


def suspension_of(user: User) -> Address | None:
    """The address that the desk writes to, where automatic mail to it is suspended."""
    own = _written_to(user)
    return own if own is not None and own.suspended_at is not None else None


def block_of(user: User) -> Address | None:
    """The address that the desk writes to, where it is blocked: no automatic mail goes there either."""
    own = _written_to(user)
    return own if own is not None and own.is_blocked else None


def suspend(session: Session, key: str, why: str, now: datetime) -> Address | None:
    """Send no more automatic mail to an address; None where nobody has it, or it is suspended already."""
    address = session.get(Address, key, with_for_update=True)
    if address is None or address.suspended_at is not None:
        return None
    address.suspended_at, address.suspended_why = now, why
    return address


def resume(address: Address) -> bool:
    """Send automatic mail to an address again; False where it was not suspended."""
    if address.suspended_at is None:
        return False
    address.suspended_at = address.suspended_why = None
    return True


def block(address: Address, by: User, now: datetime) -> bool:
    """Discard what comes from an address from now on; False where it is blocked already."""
    if address.blocked_at is not None:
        return False
    address.blocked_at, address.blocked_by = now, by.label
    return True


def unblock(address: Address) -> bool:
    """Let mail come from an address again; False where it was not blocked."""
    if address.blocked_at is None:
        return False
    address.blocked_at = address.blocked_by = None
    return True


def _written_to(user: User) -> Address | None:
    key = address_key(user.email)
    return next((own for own in user.addresses if own.key == key), None)
