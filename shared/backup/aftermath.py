"""What must be otherwise in a desk that was put back, since time went on without it.

What waited to go out may have gone out since, and numbers may have been given that are known outside: nothing goes out
twice in silence, and no number means two things. A desk that was stopped and then moved needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.models import Delivery

UNKNOWN = "It waited to go out when the backup of {:%Y-%m-%d %H:%M} UTC was made, and may have gone out since."
GIVEN_UP = "It waited to go out when the backup of {:%Y-%m-%d %H:%M} UTC was made; it is not sent late or twice."
WAITING = "('queued', 'sending', 'deferred')"

# nobody reads the numbers of anything but tickets: a wide gap costs nothing
SKIP_IDS = {
    "sqlite": (
        """INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_master
        WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)""",
        "UPDATE sqlite_sequence SET seq = seq + 1000000",
    ),
    "postgresql": (
        """SELECT setval(oid::regclass, nextval(oid::regclass) + 1000000) FROM pg_class
        WHERE relkind = 'S' AND relnamespace = current_schema()::regnamespace""",
    ),
}


def statements(kind: str, made_at: datetime, *, skip_numbers: int) -> tuple[str, ...]:
    """SQL for a database that is put back as it was at `made_at`.

    Replies that waited become unknown: a person decides. Automatic mail that waited is given up, and can be sent again
    by a person. `skip_numbers` ticket numbers are left out.
    """
    return (
        _settle("unknown", UNKNOWN.format(made_at), "cause = 'reply'"),
        _settle("failed", GIVEN_UP.format(made_at), "cause <> 'reply'"),
        f"UPDATE counter SET value = value + {skip_numbers} WHERE name = 'ticket'",  # noqa: S608 - a number
        *SKIP_IDS[kind],
    )


def _settle(state: str, sentence: str, which: str) -> str:
    changes = f"state = '{state}', last_error = '{sentence}', lease_by = NULL, lease_until = NULL"
    return f"UPDATE delivery SET {changes} WHERE {which} AND state IN {WAITING}"  # noqa: S608 - words of our own


def settled(session: Session, made_at: datetime) -> Iterator[str]:
    """What to tell about the mail that waited."""
    told = (
        (UNKNOWN, "replies that waited to go out are unknown now: they may have gone out since. Decide in the portal."),
        (GIVEN_UP, "automatic mails that waited to go out are given up; the portal can send them again."),
    )
    for sentence, words in told:
        query = select(func.count()).select_from(Delivery).where(Delivery.last_error == sentence.format(made_at))
        if found := session.scalar(query):
            yield f"{found} {words}"
