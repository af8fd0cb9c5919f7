"""What staff see above every page while something is wrong. It goes away by itself when it is well again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from portal.access import me
from portal.desk import desk, now
from shared.alerts import USUAL_PATH, is_dated, open_alerts, path_of
from shared.caps import condensed
from shared.models import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An open alert as it is shown. `kind` is the banner's colour, `url` a page that shows more, or "".

    `since` is None where the sentence says it.
    """

    sentence: str
    since: datetime | None
    kind: str
    url: str
    link: str


def alarms() -> list[Alarm]:
    """What is wrong now, for staff only: what is broken, then what will be or ends by itself; the oldest first."""
    with desk().database.reading() as session:
        shown = [_alarm(alert) for alert in condensed(open_alerts(session, now()))]
    return sorted(shown, key=lambda alarm: alarm.kind != "red")


def _alarm(alert: Alert) -> Alarm:
    kind = "amber" if alert.until is not None or alert.key.startswith("expiry:") else "red"
    url, link = _link(alert.key)
    since = None if is_dated(alert.key) else alert.since
    return Alarm(sentence=alert.sentence, since=since, kind=kind, url=url, link=link)


def _link(key: str) -> tuple[str, str]:
    if path_of(key) == USUAL_PATH:
        return url_for("mail.index"), "Where is my mail?"
    return (url_for("mailboxes.index"), "Mailboxes") if me().is_admin else ("", "")
