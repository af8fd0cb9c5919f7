"""Mailboxes: for administrators, how each address of the desk is read, since when it fails, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from portal.access import admin_only
from portal.auth import Answer
from portal.desk import desk, now
from shared.mailbox_health import Health, State, health_of
from shared.mailbox_values import MailboxError, parse_imap_url
from shared.mailboxes import list_mailboxes
from shared.models import Mailbox, Policy
from shared.oauth import OAuthClient

blueprint = Blueprint("mailboxes", __name__, url_prefix="/mailboxes")

MARKS = {  # the status mark that looks like it, and the word beside it
    State.WELL: ("processed", "Well"),
    State.NEW: ("queued", "Not polled yet"),
    State.FAILING: ("quarantined", "Failing"),
    State.INCOMPLETE: ("quarantined", "Incomplete"),
    State.UNSETTLED: ("deferred", "Policy fails"),
    State.OFF: ("discarded", "Switched off"),
}
A_MOMENT = "deferred"  # the mark of what is wrong only since a moment ago
HEADLINES = {
    State.FAILING: "What comes waits on its server.",
    State.INCOMPLETE: "What is missing waits on its server; all else comes in.",
    State.UNSETTLED: "All its mail comes in, but its server refuses what shall happen to it there.",
}
AFTERWARDS = {
    Policy.KEEP: "left as it is",
    Policy.SEEN: "marked as seen",
    Policy.MOVE: "moved to",
    Policy.DELETE: "deleted there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One mailbox as it is shown. `headline` is "" where nothing is wrong, `said` where there is nothing to say."""

    mailbox: Mailbox
    health: Health
    mark: str
    word: str
    headline: str
    said: str
    server: str
    login: str
    afterwards: str


@blueprint.get("")
@admin_only
def index() -> Answer:
    """All mailboxes; those that need somebody come first, with the sentence that says why."""
    with desk().database.reading() as db:
        lines = _lines(db)
    return render_template("mailboxes/index.html", lines=lines, urgent=[line for line in lines if _is_urgent(line)])


def _lines(db: Session) -> list[Line]:
    minutes = desk().settings.mailbox_alarm_minutes
    return [_line(mailbox, health_of(mailbox, now(), minutes)) for mailbox in list_mailboxes(db)]


def _line(mailbox: Mailbox, health: Health) -> Line:
    mark, word = MARKS[health.state]
    is_wrong = health.since is not None
    client = OAuthClient.of(mailbox.oauth) if mailbox.oauth else None
    return Line(
        mailbox=mailbox,
        health=health,
        mark=mark if health.is_lasting or not is_wrong else A_MOMENT,
        word=word,
        headline=HEADLINES[health.state] if is_wrong else "",
        said=health.sentence if is_wrong or mailbox.last_error or not mailbox.is_active else "",
        server=_server(mailbox.imap_url),
        login=f"access tokens of {client.name}" if client else "password",
        afterwards=f"{AFTERWARDS[mailbox.policy]} {mailbox.move_to or ''}".strip(),
    )


def _server(imap_url: str | None) -> str:
    """The host that is read, without the user's name."""
    if imap_url is None:
        return ""
    try:
        return parse_imap_url(imap_url).host
    except MailboxError:
        return imap_url


def _is_urgent(line: Line) -> bool:
    return line.headline != "" or line.health.expiry != ""
