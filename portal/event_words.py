"""The history of a ticket in words: what happened, and the icon beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from portal.appearance import plural
from shared.models import Event, EventKind


def _b(words: object) -> Markup:
    return Markup("<b><bdi>{}</bdi></b>").format(words)


def _changed(noun: str) -> Any:
    def words(detail: Mapping[str, Any]) -> Markup:
        old, new = detail.get("old"), detail.get("new")
        return Markup("{} changed from {} to {}").format(noun, _b(_said(old)), _b(_said(new)))

    return words


def _said(value: object) -> str:
    words = str(value or "nobody")
    return words.capitalize() if words.islower() and words.isascii() and " " not in words else words


def _assigned(detail: Mapping[str, Any]) -> Markup:
    new = detail.get("new")
    return Markup("Assigned to {}").format(_b(new)) if new else Markup("Assigned to nobody")


def _participant(detail: Mapping[str, Any]) -> Markup:
    added, removed = _listed(detail.get("added")), _listed(detail.get("removed"))
    if added:
        return Markup("Added {}").format(_b(added))
    return Markup("Removed {}").format(_b(removed))


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def _opened(detail: Mapping[str, Any]) -> Markup:
    if detail.get("follows"):
        return Markup("Opened, follows ticket {}").format(_b(detail["follows"]))
    behalf = detail.get("on_behalf")
    return Markup("Opened on behalf of {}").format(_b(behalf)) if behalf else Markup("Opened")


def _bounced(detail: Mapping[str, Any]) -> Markup:
    status, words = str(detail.get("status") or ""), str(detail.get("diagnostic") or "")
    words = words if status in words else f"{status} {words}"
    fate = "is late" if detail.get("action") == "delayed" else "came back"
    return Markup("Mail to {} {}: <code>{}</code>").format(_b(detail.get("recipient", "")), fate, words)


def _capped(detail: Mapping[str, Any]) -> Markup:
    what = CAUSE_WORDS.get(str(detail.get("suppressed")), "Mail")
    most = int(detail.get("most", 0))
    words = Markup("{} not sent: at most {} {} {} out within {}").format(
        what,
        plural(most, "automatic mail"),
        detail.get("cap", "of this kind"),
        "goes" if most == 1 else "go",
        detail.get("within", "a time"),
    )
    until = detail.get("until")
    return words + (f". There is room again at {_moment(until)}" if until else "")


def _withheld(detail: Mapping[str, Any]) -> Markup:
    what = CAUSE_WORDS.get(str(detail.get("suppressed")), "Mail")
    why = WITHHELD_WORDS.get(str(detail.get("why")), Markup("no mail goes to {}"))
    return Markup("{} not sent: ").format(what) + why.format(_b(detail.get("address", "")))


def _moment(moment: str) -> str:
    """A moment of an event's detail as people say it (UTC)."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M on %d %b} UTC"


def _suspended(detail: Mapping[str, Any]) -> Markup:
    address, why = _b(detail.get("address", "")), detail.get("diagnostic", "")
    return Markup("No automatic mail goes to {} any more: <code>{}</code>").format(address, why)


def _resumed(detail: Mapping[str, Any]) -> Markup:
    return Markup("Automatic mail goes to {} again").format(_b(detail.get("address", "")))


def _blocked(detail: Mapping[str, Any]) -> Markup:
    return Markup("Closed as spam, and {} blocked").format(_b(_listed(detail["addresses"])))


def _unblocked(detail: Mapping[str, Any]) -> Markup:
    addresses = _listed(detail["addresses"])
    return Markup("{} unblocked").format(_b(addresses)) if addresses else Markup("Said to be no spam")


def _joined(detail: Mapping[str, Any]) -> Markup:
    number = detail.get("inbound")
    return Markup("Held mail {} joined").format(_b(number)) if number else Markup("Held mail joined")


def _followed(detail: Mapping[str, Any]) -> Markup:
    number = detail.get("number") or detail.get("ticket")
    return Markup("A letter after closing opened ticket {}").format(_b(number))


def _not_sent(detail: Mapping[str, Any]) -> Markup:
    recipient, diagnostic = _b(detail.get("recipient", "")), detail.get("diagnostic", "")
    return Markup("Mail to {} did not go out: <code>{}</code>").format(recipient, diagnostic)


def _undone(detail: Mapping[str, Any]) -> Markup:
    return Markup("A reply to {} was taken back before it left").format(_b(_listed(detail.get("recipients"))))


CAUSE_WORDS = {
    "acknowledgement": "Acknowledgement",
    "reply": "Reply",
    "status": "Notice of the status",
    "account": "Account mail",
    "notice": "Notice",
}
WITHHELD_WORDS = {
    "disabled": Markup("the account of {} is disabled"),
    "unreachable": Markup("no mail can reach {}"),
    "blocked": Markup("{} is blocked as spam"),
    "suspended": Markup("no automatic mail goes to {} since mail to it came back"),
}
EVENTS: dict[EventKind, tuple[str, Any]] = {
    EventKind.OPENED: ("sealed", _opened),
    EventKind.STATUS: ("opened", _changed("Status")),
    EventKind.PRIORITY: ("flag", _changed("Priority")),
    EventKind.SUBJECT: ("note", _changed("Subject")),
    EventKind.ASSIGNEE: ("person", _assigned),
    EventKind.PARTICIPANT: ("people", _participant),
    EventKind.JOINED: ("merge", _joined),
    EventKind.BOUNCED: ("bounce", _bounced),
    EventKind.CAPPED: ("auto", _capped),
    EventKind.WITHHELD: ("auto", _withheld),
    EventKind.NOT_SENT: ("bounce", _not_sent),
    EventKind.UNDONE: ("again", _undone),
    EventKind.SUSPENDED: ("bounce", _suspended),
    EventKind.RESUMED: ("check", _resumed),
    EventKind.BLOCKED: ("shield", _blocked),
    EventKind.UNBLOCKED: ("check", _unblocked),
    EventKind.ALSO_AT: (
        "post",
        lambda detail: Markup("The same mail came to {} as well").format(_b(detail.get("mailbox", "another mailbox"))),
    ),
    EventKind.FOLLOWED: ("route", _followed),
}


def event_words(event: Event) -> Markup:
    """What happened, with `old` and `new` in it."""
    return EVENTS[event.kind][1](event.detail)  # type: ignore[no-any-return]


def event_icon(event: Event) -> str:
    return EVENTS[event.kind][0]
