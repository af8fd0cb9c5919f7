"""Makes guessing slow: tries are counted in the database, before they are looked at.

A try is counted first and judged afterwards, so that many guesses sent at once do not slip through.
What is counted under is a digest; no name and no address of a client is stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.models import LoginThrottle

FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `tries` in `minutes`; then no more until the `minutes` since the first of them are over."""

    tries: int
    minutes: int


LIMITS = {
    "account": Limit(tries=5, minutes=5),  # one account from one client
    "client": Limit(tries=40, minutes=5),  # whatever accounts, from one client
    "everywhere": Limit(tries=100, minutes=60),  # one account from all clients together
    "code": Limit(tries=5, minutes=15),  # the administrator code from one client
    "code-desk": Limit(tries=50, minutes=60),  # the administrator code from all clients together
    "link": Limit(tries=5, minutes=15),  # the password behind one mailed link
    "mail-to": Limit(tries=3, minutes=60),  # account mail to one address
    "mail-by": Limit(tries=20, minutes=60),  # account mail asked for by one client
}


def allow(session: Session, kind: str, what: str, now: datetime) -> bool:
    """Count one try of `kind` for `what` and say whether it may go on. Part of the caller's transaction."""
    limit = LIMITS[kind]
    since = now - timedelta(minutes=limit.minutes)
    over = LoginThrottle.since <= since
    insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(LoginThrottle).values(key=_key(kind, what), failures=1, since=now)
    statement = statement.on_conflict_do_update(
        index_elements=[LoginThrottle.key],
        set_={
            "failures": case((over, 1), else_=LoginThrottle.failures + 1),
            "since": case((over, now), else_=LoginThrottle.since),
        },
    ).returning(LoginThrottle.failures)
    failures: int = session.execute(statement).scalar_one()
    return failures <= limit.tries


def forgive(session: Session, kind: str, what: str, now: datetime) -> None:
    """Forget the tries of `kind` for `what`, since one of them was right, and everybody's of long ago."""
    session.execute(
        delete(LoginThrottle).where(
            (LoginThrottle.key == _key(kind, what)) | (LoginThrottle.since < now - FORGET_AFTER)
        )
    )


def _key(kind: str, what: str) -> str:
    return hashlib.sha256(f"{kind}:{what}".encode()).hexdigest()
