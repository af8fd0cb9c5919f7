"""What has to be true after a storm, read from the database, the sink and the mailboxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
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
from tests.crash.mails import DOMAIN, Mail
from tests.mail_sink import Caught

UNFINISHED = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the peers know: mails that were accepted, replies that were written, and what the sink took."""

    accepted: Sequence[Mail]
    replies: Sequence[str]
    caught: Sequence[Caught]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every tuple of names is empty after a good run; `replies_sent` and `replies_unknown` only count."""

    mails: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    split: tuple[str, ...]
    notices: int
    notices_without_copy: tuple[str, ...]
    notices_under_two_ids: tuple[str, ...]
    replies_sent: int
    replies_unknown: int
    replies_lost: tuple[str, ...]
    replies_doubled: tuple[str, ...]
    stuck: tuple[str, ...]

    @property
    def faults(self) -> Mapping[str, tuple[str, ...]]:
        named = (
            "lost", "doubled", "split", "notices_without_copy", "notices_under_two_ids", "replies_lost",
            "replies_doubled", "stuck",
        )  # fmt: skip
        return {name: found for name in named if (found := getattr(self, name))}


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
    bodies = [_text_of(mail) for mail in evidence.caught]
    articles = _articles(session)
    counted = Counter(message_id for message_id, *_ in articles)
    tickets = {message_id: ticket for message_id, ticket, _ in articles}
    texts = {message_id: text for message_id, _, text in articles}
    notices = session.scalars(select(Delivery).where(Delivery.cause == DeliveryCause.ACKNOWLEDGEMENT)).all()
    copies = Counter(caught.message["Message-ID"].strip("<>") for caught in evidence.caught)
    replies = {text: _fate(session, text) for text in evidence.replies}
    return Verdict(
        mails=len(evidence.accepted),
        lost=tuple(m.key for m in evidence.accepted if f"This is {m.key}." not in texts.get(m.message_id, "")),
        doubled=tuple(message_id for message_id, number in counted.items() if number > 1),
        split=tuple(
            mail.key
            for mail in evidence.accepted
            if mail.parent and tickets.get(mail.message_id) != tickets.get(f"{mail.parent}@{DOMAIN}")
        ),
        notices=len(notices),
        notices_without_copy=tuple(n.message_id for n in notices if not copies[n.message_id]),
        notices_under_two_ids=_under_two_ids(evidence.caught),
        replies_sent=sum(fates == [DeliveryState.SENT] for fates in replies.values()),
        replies_unknown=sum(fates == [DeliveryState.UNKNOWN] for fates in replies.values()),
        replies_lost=tuple(
            text
            for text, fates in replies.items()
            if not fates or (fates == [DeliveryState.SENT] and not _copies_of(text, bodies))
        ),
        replies_doubled=tuple(
            text for text, fates in replies.items() if len(fates) > 1 or _copies_of(text, bodies) > 1
        ),
        stuck=tuple(_stuck(session, now)),
    )


def _articles(session: Session) -> list[tuple[str, int, str]]:
    """Message-ID, ticket and text of every article that came by mail."""
    rows = session.execute(
        select(Article.message_id, Article.ticket_id, Article.text).where(Article.inbound_id.is_not(None))
    )
    return [(row[0] or "", row[1], row[2]) for row in rows]


def _fate(session: Session, text: str) -> list[DeliveryState]:
    """The states of the deliveries of all replies with this text: one, where nothing is doubled."""
    of_reply = select(Delivery.state).join(Article, Article.id == Delivery.article_id)
    return list(session.scalars(of_reply.where(Article.kind == ArticleKind.REPLY, Article.text.contains(text))))


def _copies_of(text: str, bodies: Sequence[str]) -> int:
    return sum(text in body for body in bodies)


def _text_of(mail: Caught) -> str:
    part = mail.message.get_body(("plain",))
    return "" if part is None else str(part.get_content())


def _under_two_ids(caught: Sequence[Caught]) -> tuple[str, ...]:
    """Who got one automatic notice under more than one Message-ID: each of them opened one ticket."""
    seen: dict[str, set[str]] = {}
    for mail in caught:
        if mail.message["Auto-Submitted"]:
            key = f"{mail.recipients[0]} {mail.message['Subject']}"
            seen.setdefault(key, set()).add(mail.message["Message-ID"])
    return tuple(key for key, ids in seen.items() if len(ids) > 1)


def _stuck(session: Session, now: datetime) -> list[str]:
    states = InboundMessage.state.not_in((InboundState.PROCESSED, InboundState.DISCARDED))
    mails = select(InboundMessage).where(or_(states, InboundMessage.lease_by.is_not(None)))
    deliveries = select(Delivery).where(or_(Delivery.state.in_(UNFINISHED), Delivery.lease_by.is_not(None)))
    leased = select(Mailbox.address).where(Mailbox.lease_by.is_not(None), Mailbox.lease_until < now)
    return [
        *(f"inbound {row.id} {row.state} ({row.reason or row.last_error})" for row in session.scalars(mails)),
        *(f"delivery {row.id} {row.state} ({row.last_error})" for row in session.scalars(deliveries)),
        *(f"the lease of {address}" for address in session.scalars(leased)),
    ]
