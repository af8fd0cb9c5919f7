"""What has to be true after a storm, read from the database, the sink and those who dealt with the desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from shared.models import (
    Article,
    ArticleKind,
    Delivery,
    DeliveryCause,
    DeliveryState,
    InboundMessage,
    InboundState,
    Mailbox,
)
from tests.crash.evidence import Evidence
from tests.crash.mails import DOMAIN, Mail
from tests.crash.notices import KINDS, Notices, compare
from tests.mail_sink import Caught

UNFINISHED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


class Fate(Enum):
    """What became of a person's reply. Returned: it was sent, and came back."""

    SENT = "sent"
    RETURNED = "returned"
    UNKNOWN = "unknown"
    LOST = "lost"
    DOUBLED = "doubled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every tuple of names is empty after a good run; no reply is lost or doubled."""

    mails: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    split: tuple[str, ...]
    notices: Notices
    replies: Mapping[str, Fate]
    stuck: tuple[str, ...]

    def replies_that_are(self, fate: Fate) -> tuple[str, ...]:
        """The texts of the replies that ended so."""
        return tuple(text for text, found in self.replies.items() if found is fate)

    @property
    def never_happened(self) -> tuple[str, ...]:
        """What the storm was to put to the test, and never did."""
        numbers = {"mails": self.mails, "replies sent": len(self.replies_that_are(Fate.SENT))}
        numbers |= {kind: self.notices.written[cause] for kind, cause in KINDS.items()}
        return tuple(name for name, number in numbers.items() if not number)

    @property
    def faults(self) -> dict[str, tuple[str, ...]]:
        """What should not be, by name; empty after a good run."""
        named = {
            "lost": self.lost,
            "doubled": self.doubled,
            "split": self.split,
            **self.notices.faults,
            "replies lost": self.replies_that_are(Fate.LOST),
            "replies doubled": self.replies_that_are(Fate.DOUBLED),
            "stuck": self.stuck,
            "never happened": self.never_happened,
        }
        return {name: found for name, found in named.items() if found}


def unfinished(session: Session) -> int:
    """How much is still to be done: mails to process, deliveries to send."""
    mails = select(func.count()).where(InboundMessage.state == InboundState.RECEIVED)
    deliveries = select(func.count()).where(Delivery.state.in_(UNFINISHED))
    return (session.scalar(mails) or 0) + (session.scalar(deliveries) or 0)


def missing(session: Session, accepted: Sequence[Mail]) -> list[str]:
    """The keys of mails that are no article (yet)."""
    there = {message_id for message_id, *_ in _articles(session)}
    return [mail.key for mail in accepted if mail.message_id not in there]


def judge(session: Session, evidence: Evidence, now: datetime) -> Verdict:
    """Say what became of all that the evidence speaks of, and of all that the desk has."""
    articles = _articles(session)
    counted = Counter(message_id for message_id, *_ in articles)
    tickets = {message_id: ticket for message_id, ticket, _ in articles}
    texts = {message_id: text for message_id, _, text in articles}
    return Verdict(
        mails=len(evidence.accepted),
        lost=tuple(m.key for m in evidence.accepted if f"This is {m.key}." not in texts.get(m.message_id, "")),
        doubled=tuple(message_id for message_id, number in counted.items() if number > 1),
        split=tuple(
            mail.key
            for mail in evidence.accepted
            if mail.parent and tickets.get(mail.message_id) != tickets.get(f"{mail.parent}@{DOMAIN}")
        ),
        notices=compare(session, evidence, tickets),
        replies=_fates(session, evidence),
        stuck=tuple(_stuck(session, now)),
    )


def _articles(session: Session) -> list[tuple[str, int, str]]:
    """Message-ID, ticket and text of every article that came by mail."""
    rows = session.execute(
        select(Article.message_id, Article.ticket_id, Article.text).where(Article.inbound_id.is_not(None))
    )
    return [(row[0] or "", row[1], row[2]) for row in rows]


def _fates(session: Session, evidence: Evidence) -> dict[str, Fate]:
    bodies = [_text_of(mail) for mail in evidence.caught]
    return {
        text: _fate(_copies(session, text), sum(text in body for body in bodies), evidence.returned)
        for text in evidence.replies
    }


def _copies(session: Session, text: str) -> list[Delivery]:
    """The deliveries of all replies with this text: one, where nothing is doubled."""
    of_reply = select(Delivery).join(Article, Article.id == Delivery.article_id)
    return list(session.scalars(of_reply.where(Article.kind == ArticleKind.REPLY, Article.text.contains(text))))


def _fate(copies: Sequence[Delivery], arrived: int, returned: Sequence[int]) -> Fate:
    """What became of a reply with these deliveries, of which so many copies arrived."""
    if len(copies) > 1 or arrived > 1:
        return Fate.DOUBLED
    state = copies[0].state if copies else None
    if state is DeliveryState.UNKNOWN:
        return Fate.UNKNOWN
    if state is DeliveryState.SENT and arrived:
        return Fate.SENT
    if state is DeliveryState.FAILED and arrived and copies[0].bounced_at and copies[0].ticket_id in returned:
        return Fate.RETURNED
    return Fate.LOST


def _text_of(mail: Caught) -> str:
    part = mail.message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


def _stuck(session: Session, now: datetime) -> list[str]:
    states = InboundMessage.state.not_in((InboundState.PROCESSED, InboundState.DISCARDED))
    mails = select(InboundMessage).where(or_(states, InboundMessage.lease_by.is_not(None)))
    unsent = and_(Delivery.cause != DeliveryCause.REPLY, Delivery.state != DeliveryState.SENT)
    waits = or_(Delivery.state.in_(UNFINISHED), Delivery.lease_by.is_not(None), unsent)
    leased = select(Mailbox.address).where(Mailbox.lease_by.is_not(None), Mailbox.lease_until < now)
    return [
        *(f"inbound {row.id} {row.state} ({row.reason or row.last_error})" for row in session.scalars(mails)),
        *(f"delivery {d.id} {d.state} ({d.last_error})" for d in session.scalars(select(Delivery).where(waits))),
        *(f"the lease of {address}" for address in session.scalars(leased)),
    ]
