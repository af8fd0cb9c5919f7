"""Posts what begins and ends to be wrong to the alert URL: another way than mail, for when mail is what is broken."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import web
from shared.alerts import is_open, locked_news, told_moment
from shared.config import Settings
from shared.database import Database
from shared.models import Alert

logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=55)  # what could not be posted is tried again by the next tick, a minute later
INSTANT = timedelta(microseconds=1)
JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An alert as it is posted. `told_at` is the moment from which it counts as posted."""

    key: str
    state: str
    sentence: str
    since: str
    ended_at: str | None
    told_at: datetime


def post_news(database: Database, settings: Settings, now: datetime) -> int:
    """Post all that is new in one request; returns how many alerts were taken. Safe in several processes at once.

    Each is posted at least once: what the other side has not answered with 2xx comes again with the next call. The
    body is JSON: `text` (all sentences, as chat services take it), `desk`, and `alerts` with key, state (open or
    ended), sentence, since and ended_at.
    """
    if not settings.alert_url:
        return 0
    claimed = _claim(database, now)
    if not claimed:
        return 0
    try:
        answer = web.post(settings.alert_url, _body(settings.address, claimed), JSON)
    except web.WebError as error:
        logger.warning("LETTERDESK_ALERT_URL %s; %d alerts are posted again in a minute", error, len(claimed))
        return 0
    if not 200 <= answer.status < 300:
        logger.warning("LETTERDESK_ALERT_URL answered %d; the alerts are posted again in a minute", answer.status)
        return 0
    for posting in claimed:
        _note(database, posting)
    return len(claimed)


def _claim(database: Database, now: datetime) -> list[Posting]:
    with database.transaction() as session:
        news = [alert for alert in locked_news(session, now, Alert.posted_at) if not _is_claimed(alert, now)]
        for alert in news:
            alert.posting_until = now + CLAIM
        return [_posting(alert, now) for alert in news]


def _note(database: Database, posting: Posting) -> None:
    """Note that an alert was posted. What ended meanwhile is still to be posted as ended."""
    with database.transaction() as session:
        alert = session.get(Alert, posting.key, with_for_update=True)
        if alert is None:  # caps that are over are forgotten
            return
        alert.posted_at, alert.posting_until = posting.told_at, None
        if posting.ended_at is None and alert.ended_at is not None:
            alert.posted_at = min(posting.told_at, alert.ended_at - INSTANT)


def _is_claimed(alert: Alert, now: datetime) -> bool:
    """Whether a process is posting it; a claim that reaches too far ahead is of a clock set back."""
    return alert.posting_until is not None and now < alert.posting_until <= now + CLAIM


def _posting(alert: Alert, now: datetime) -> Posting:
    return Posting(
        key=alert.key,
        state="open" if is_open(alert, now) else "ended",
        sentence=alert.sentence,
        since=alert.since.isoformat(),
        ended_at=alert.ended_at.isoformat() if alert.ended_at else None,
        told_at=told_moment(alert, now),
    )


def _body(desk: str, postings: Sequence[Posting]) -> bytes:
    alerts = [
        {"key": p.key, "state": p.state, "sentence": p.sentence, "since": p.since, "ended_at": p.ended_at}
        for p in postings
    ]
    text = "\n".join(f"{desk}: {p.sentence}" for p in postings)
    return json.dumps({"text": text, "desk": desk, "alerts": alerts}, ensure_ascii=False).encode()
