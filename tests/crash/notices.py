"""The automatic mail of a storm: what had to be written, what was written, and what of it arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.models import Delivery, DeliveryCause
from tests.crash.evidence import Evidence
from tests.mail_sink import Caught

STATUS, TO_AGENT = DeliveryCause.STATUS, DeliveryCause.NOTICE
KINDS = {
    "acknowledgements": DeliveryCause.ACKNOWLEDGEMENT,
    "notices of a status": STATUS,
    "notices to agents": TO_AGENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An automatic mail, as they know it who caused it. `about` is the status that it tells."""

    cause: DeliveryCause
    ticket: int | None
    recipient: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """How many were written of each kind. Every tuple is empty after a good run.

    `missing` were never queued, `uncalled_for` were queued once more than there was a cause for.
    """

    written: Counter[DeliveryCause]
    missing: tuple[str, ...]
    uncalled_for: tuple[str, ...]
    without_copy: tuple[str, ...]
    under_two_ids: tuple[str, ...]

    @property
    def faults(self) -> dict[str, tuple[str, ...]]:
        return {
            "notices never queued": self.missing,
            "notices uncalled for": self.uncalled_for,
            "notices without a copy": self.without_copy,
            "notices under two Message-IDs": self.under_two_ids,
        }


def compare(session: Session, evidence: Evidence, tickets: Mapping[str, int]) -> Notices:
    """Hold what is in the outbox against what must be there, and what arrived against what is in the outbox.

    `tickets` says where each mail is, by Message-ID.
    """
    rows = session.scalars(select(Delivery).where(Delivery.cause != DeliveryCause.REPLY)).all()
    written = Counter(_notice(row) for row in rows if row.ticket_id is not None)  # alerts belong to no ticket
    expected = _expected(evidence, tickets)
    arrived = {(mail.message["Message-ID"].strip("<>"), mail.recipients) for mail in evidence.caught}
    return Notices(
        written=Counter(row.cause for row in rows),
        missing=_named(expected - written),
        uncalled_for=_named(written - expected),
        without_copy=tuple(row.message_id for row in rows if (row.message_id, (row.recipient,)) not in arrived),
        under_two_ids=_under_two_ids(evidence.caught),
    )


def _expected(evidence: Evidence, tickets: Mapping[str, int]) -> Counter[Notice]:
    """An acknowledgement of each new ticket, a notice of each status that was set, and one of each reply returned."""
    asked = [mail for mail in evidence.accepted if mail.parent is None]
    places = [(tickets.get(mail.message_id), mail.sender) for mail in asked]
    requesters = dict(places)
    return Counter(
        [
            *(Notice(cause=DeliveryCause.ACKNOWLEDGEMENT, ticket=number, recipient=who) for number, who in places),
            *(
                Notice(cause=STATUS, ticket=number, recipient=requesters.get(number, "?"), about=status)
                for number, status in evidence.statuses.items()
            ),
            *(Notice(cause=TO_AGENT, ticket=number, recipient=evidence.agent) for number in evidence.returned),
        ]
    )


def _notice(row: Delivery) -> Notice:
    about = row.context["new"] if row.cause is STATUS else ""
    return Notice(cause=row.cause, ticket=row.ticket_id, recipient=row.recipient, about=about)


def _named(notices: Counter[Notice]) -> tuple[str, ...]:
    return tuple(f"{n.cause} {n.about} on ticket {n.ticket} to {n.recipient}" for n in notices.elements())


def _under_two_ids(caught: Sequence[Caught]) -> tuple[str, ...]:
    """Who got one automatic mail under more than one Message-ID: its subject says which kind, and which ticket."""
    seen: dict[str, set[str]] = {}
    for mail in caught:
        if mail.message["Auto-Submitted"]:
            key = f"{mail.recipients[0]} {mail.message['Subject']}"
            seen.setdefault(key, set()).add(mail.message["Message-ID"])
    return tuple(key for key, ids in seen.items() if len(ids) > 1)
