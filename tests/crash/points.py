"""The named points: between every two steps of taking in, processing and sending, one where the desk can be killed.

A point is known by what the database is told, in a thread of this name: before a statement, before the commit of the
transaction that it belongs to, or after it. So the desk itself knows nothing of being watched. What only a peer can see
(`SEEN_FROM_OUTSIDE`) is killed at from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Moment(Enum):
    """When, seen from a statement that changes something."""

    BEFORE = "before the statement"
    COMMIT = "before the commit"
    COMMITTED = "after the commit"


@dataclass(frozen=True, slots=True)
class Point:
    """`thread` is how the thread's name begins, `statement` a pattern of what it says to the database."""

    name: str
    thread: str
    moment: Moment
    statement: re.Pattern[str]


STORE = re.compile(r"INSERT INTO inbound_message ")
CURSOR = re.compile(r"(INSERT INTO|UPDATE) folder_cursor ")
POLL_ENDS = re.compile(r"UPDATE mailbox SET .*last_poll_at=")
CLAIM_MAIL = re.compile(r"UPDATE inbound_message SET .*attempts=\(")
KEEP_MAIL = re.compile(r"UPDATE inbound_message SET lease_until=")
FILE = re.compile(r"INSERT INTO (\"user\"|ticket|article|fingerprint) ")
ARTICLE = re.compile(r"INSERT INTO article ")
CLAIM_DELIVERY = re.compile(r"UPDATE delivery SET .*attempts=\(")
HAND_OVER = re.compile(r"UPDATE delivery SET (?!.*(attempts|state)=).*handed_over_at=")
RECORD = re.compile(r"UPDATE delivery SET .*sent_at=")

POINTS = (
    Point("smtp: data read", "spool", Moment.BEFORE, STORE),
    Point("smtp: before the commit", "spool", Moment.COMMIT, STORE),
    Point("smtp: after the commit", "spool", Moment.COMMITTED, STORE),
    Point("imap: fetched", "imap", Moment.BEFORE, STORE),
    Point("imap: before the commit", "imap", Moment.COMMIT, STORE),
    Point("imap: after the commit", "imap", Moment.COMMITTED, STORE),
    Point("imap: before the cursor moves", "imap", Moment.COMMIT, CURSOR),
    Point("imap: after the cursor moved", "imap", Moment.COMMITTED, CURSOR),
    Point("imap: policy applied", "imap", Moment.BEFORE, POLL_ENDS),
    Point("process: before the claim", "pipeline", Moment.COMMIT, CLAIM_MAIL),
    Point("process: claimed", "pipeline", Moment.COMMITTED, CLAIM_MAIL),
    Point("process: parsed", "pipeline", Moment.BEFORE, KEEP_MAIL),
    Point("process: gathered", "pipeline", Moment.BEFORE, FILE),
    Point("process: applied, before the commit", "pipeline", Moment.COMMIT, ARTICLE),
    Point("process: after the commit", "pipeline", Moment.COMMITTED, ARTICLE),
    Point("send: before the claim", "outbox", Moment.COMMIT, CLAIM_DELIVERY),
    Point("send: claimed", "outbox", Moment.COMMITTED, CLAIM_DELIVERY),
    Point("send: composed, all but the dot sent", "outbox", Moment.BEFORE, HAND_OVER),
    Point("send: before handing over is committed", "outbox", Moment.COMMIT, HAND_OVER),
    Point("send: handed over, before the dot", "outbox", Moment.COMMITTED, HAND_OVER),
    Point("send: answered, before the record", "outbox", Moment.BEFORE, RECORD),
    Point("send: before the record's commit", "outbox", Moment.COMMIT, RECORD),
    Point("send: recorded", "outbox", Moment.COMMITTED, RECORD),
    Point("portal: reply written, before the commit", "ThreadPoolExecutor", Moment.COMMIT, ARTICLE),
    Point("portal: after the commit, before the answer", "ThreadPoolExecutor", Moment.COMMITTED, ARTICLE),
)
HIT = ".hit."  # what is added, with the process id, to the name of a point in its folder when it was reached
DOT_SENT = "smtp: the client has sent the dot, and no 250"
DOT_HELD = "send: the server has the dot and has not answered"
SEEN_FROM_OUTSIDE = (DOT_SENT, DOT_HELD)
PATIENT = ("imap:", "portal:")  # a mailbox of the dead rests until its lease ends, and a person takes their time
NAMES = (*(point.name for point in POINTS), *SEEN_FROM_OUTSIDE)
