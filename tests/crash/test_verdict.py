"""The verdict on a storm passes a calm day at a desk, and does not once a single thing of that day is broken."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from intake.outbound.deliver import Outbox
from shared import tickets
from shared.config import Settings
from shared.database import Database
from shared.models import (
    Article,
    Delivery,
    DeliveryCause,
    DeliveryState,
    InboundMessage,
    InboundState,
    Mailbox,
    Role,
    Status,
    Ticket,
)
from shared.tokens import Tokens
from tests.crash.evidence import Evidence
from tests.crash.mails import write
from tests.crash.verdict import Fate, judge
from tests.mail_sink import MailSink, mail_sink
from tests.mailroom import DESK, Mailroom, report

MIRA, OLGA = "mira@desk.example", "olga@desk.example"
SENT, BACK = "This is reply 1 of ours.", "This is reply 2 of ours."
ACKNOWLEDGEMENT, STATUS, TO_AGENT = DeliveryCause.ACKNOWLEDGEMENT, DeliveryCause.STATUS, DeliveryCause.NOTICE
What = DeliveryCause | str  # all automatic mail of this kind, or the reply with this text


@dataclass
class Day:
    """What is left of a day: the database in a transaction of the test's own, and what the others know."""

    session: Session
    evidence: Evidence
    now: datetime

    def faults(self) -> Mapping[str, tuple[str, ...]]:
        return judge(self.session, self.evidence, self.now).faults

    def faults_after(self, breaking: Callable[[Day], object]) -> Mapping[str, tuple[str, ...]]:
        """The faults once something is broken; afterwards it is whole again."""
        evidence, whole = self.evidence, self.session.begin_nested()
        breaking(self)
        faults = self.faults()
        whole.rollback()
        self.evidence = evidence
        return faults

    def know(self, **other: object) -> None:
        """Let the others know something else."""
        self.evidence = replace(self.evidence, **other)  # type: ignore[arg-type]  # each as its field wants it

    def rows(self, what: What) -> list[Delivery]:
        of_reply = Delivery.article_id.in_(select(Article.id).where(Article.text == what))
        where = Delivery.cause == what if isinstance(what, DeliveryCause) else of_reply
        return list(self.session.scalars(select(Delivery).where(where)))

    def change(self, what: What, **values: object) -> None:
        for row in self.rows(what):
            for name, value in values.items():
                setattr(row, name, value)
        self.session.flush()

    def drop(self, what: What) -> None:
        self.session.execute(delete(Delivery).where(Delivery.id.in_([row.id for row in self.rows(what)])))

    def double(self, what: What) -> None:
        """Queue it once more under a Message-ID of its own; it has been sent as well."""
        for row in self.rows(what):
            names = [column.key for column in Delivery.__table__.columns if column.key != "id"]
            values = {name: getattr(row, name) for name in names} | {"message_id": f"again.{row.message_id}"}
            self.session.add(Delivery(**values))
            self.catch_again(what, b"again.")
        self.session.flush()

    def catch_again(self, what: What, mark: bytes = b"") -> None:
        """Let the sink have taken it twice; the second time with a mark before its Message-ID."""
        ids = [row.message_id.encode() for row in self.rows(what)]
        more = [
            replace(mail, content=mail.content.replace(b"Message-ID: <", b"Message-ID: <" + mark))
            for mail in self.evidence.caught
            if any(b"Message-ID: <" + number in mail.content for number in ids)
        ]
        assert more
        self.know(caught=[*self.evidence.caught, *more])

    def never_catch(self, what: What) -> None:
        """Let the sink never have taken it."""
        ids = {f"<{row.message_id}>" for row in self.rows(what)}
        self.know(caught=[mail for mail in self.evidence.caught if mail.message["Message-ID"] not in ids])

    def change_article(self, number: int, **values: object) -> None:
        """Change the article of the mail number so much of the day."""
        article = Article.message_id == self.evidence.accepted[number - 1].message_id
        self.session.execute(update(Article).where(article).values(**values))


@pytest.fixture
def day(database: Database, tokens: Tokens, settings: Settings, now: datetime) -> Iterator[Day]:
    """Two people ask, the first of them twice. Both are answered; the second reply comes back. Ticket 1 is resolved."""
    desk, chance = Mailroom(database, tokens, now), random.Random(1)
    first, second = write("s0-1", DESK, chance), write("s0-2", DESK, chance)
    again = write("s0-3", DESK, chance, first)
    for mail in (first, second, again):
        desk.take(mail.content, envelope_from=mail.sender)
    mira, olga = desk.person(MIRA, Role.AGENT), desk.person(OLGA, Role.ADMIN)
    with database.transaction() as session:
        one, two = session.get_one(Ticket, 1), session.get_one(Ticket, 2)
        tickets.reply(session, one, author=mira, text=SENT, now=now, tokens=tokens)
        tickets.reply(session, two, author=mira, text=BACK, now=now, tokens=tokens)
        tickets.set_status(session, one, Status.RESOLVED, actor=olga, now=now, tokens=tokens)
    with mail_sink() as sink:
        _send(desk, settings, sink)
        (back,) = [row for row in desk.every(Delivery) if row.ticket_id == 2 and row.cause is DeliveryCause.REPLY]
        desk.take(report(back.message_id, back.recipient), envelope_from="")
        _send(desk, settings, sink)
    evidence = Evidence(
        accepted=[first, second, again],
        agent=MIRA,
        replies=[SENT, BACK],
        statuses={1: "resolved"},
        returned=[2],
        caught=sink.mails,
    )
    with database.transaction() as session:
        yield Day(session, evidence, now)


def _send(desk: Mailroom, settings: Settings, sink: MailSink) -> None:
    settings = settings.model_copy(update={"outgoing": f"smtp://127.0.0.1:{sink.port}"})
    outbox = Outbox(desk.database, desk.tokens, settings, clock=desk.clock, chance=lambda: 0.5)
    try:
        outbox.run_once()
    finally:
        outbox.close()


def test_a_calm_day_passes(day: Day) -> None:
    verdict = judge(day.session, day.evidence, day.now)
    assert verdict.faults == {}
    assert verdict.mails == 3
    assert verdict.notices.written == Counter({ACKNOWLEDGEMENT: 2, STATUS: 1, TO_AGENT: 1})
    assert verdict.replies == {SENT: Fate.SENT, BACK: Fate.RETURNED}


def test_a_reply_may_be_unknown_whether_it_arrived_or_not(day: Day) -> None:
    day.change(BACK, state=DeliveryState.UNKNOWN)
    day.drop(TO_AGENT)
    day.know(returned=[])
    assert judge(day.session, day.evidence, day.now).replies[BACK] is Fate.UNKNOWN
    day.never_catch(BACK)
    assert judge(day.session, day.evidence, day.now).replies[BACK] is Fate.UNKNOWN


def test_automatic_mail_may_arrive_twice_under_one_message_id(day: Day) -> None:
    for kind in (ACKNOWLEDGEMENT, STATUS, TO_AGENT):
        day.catch_again(kind)
    assert day.faults() == {}


def _unknown_and_twice(day: Day) -> None:
    day.change(SENT, state=DeliveryState.UNKNOWN)
    day.catch_again(SENT)


Break = Callable[[Day], object]
REPLIES: dict[str, tuple[str, Break]] = {
    "was never queued": ("replies lost", lambda day: day.drop(SENT)),
    "was refused": ("replies lost", lambda day: day.change(SENT, state=DeliveryState.FAILED)),
    "waits": ("replies lost", lambda day: day.change(SENT, state=DeliveryState.QUEUED)),
    "waits to be tried again": ("replies lost", lambda day: day.change(SENT, state=DeliveryState.DEFERRED)),
    "is being sent for ever": ("replies lost", lambda day: day.change(SENT, state=DeliveryState.SENDING)),
    "is called sent and never arrived": ("replies lost", lambda day: day.never_catch(SENT)),
    "is called returned and nobody did": ("replies lost", lambda day: day.know(returned=[])),
    "is called returned and never arrived": ("replies lost", lambda day: day.never_catch(BACK)),
    "was refused, and returned by nobody": ("replies lost", lambda day: day.change(BACK, bounced_at=None)),
    "was queued twice": ("replies doubled", lambda day: day.double(SENT)),
    "arrived twice": ("replies doubled", lambda day: day.catch_again(SENT)),
    "is unknown and arrived twice": ("replies doubled", _unknown_and_twice),
}
NOTICES: dict[str, tuple[str, Break]] = {
    f"{name} of {kind}": (fault, broken)
    for kind in (ACKNOWLEDGEMENT, STATUS, TO_AGENT)
    for name, fault, broken in (
        ("none", "notices never queued", lambda day, kind=kind: day.drop(kind)),
        ("two", "notices uncalled for", lambda day, kind=kind: day.double(kind)),
        ("no copy", "notices without a copy", lambda day, kind=kind: day.never_catch(kind)),
        ("two Message-IDs", "notices under two Message-IDs", lambda day, kind=kind: day.catch_again(kind, b"again.")),
        ("refusal", "stuck", lambda day, kind=kind: day.change(kind, state=DeliveryState.FAILED)),
        ("wrong reader", "notices never queued", lambda day, kind=kind: day.change(kind, recipient=OLGA)),
        ("wrong ticket", "notices never queued", lambda day, kind=kind: day.change(kind, ticket_id=None)),
    )
}
OTHERS: dict[str, tuple[str, Break]] = {
    "a status that was not set": ("notices uncalled for", lambda day: day.know(statuses={})),
    "another status": ("notices never queued", lambda day: day.know(statuses={1: "pending"})),
    "a reply that was not returned": ("notices uncalled for", lambda day: day.know(returned=[])),
    "a mail that was not accepted": ("notices uncalled for", lambda day: day.know(accepted=day.evidence.accepted[:1])),
    "a mail without its text": ("lost", lambda day: day.change_article(1, text="Nothing.")),
    "a mail without an article": ("lost", lambda day: day.change_article(1, inbound_id=None)),
    "a mail that is two articles": (
        "doubled",
        lambda day: day.change_article(3, message_id=day.evidence.accepted[0].message_id),
    ),
    "an answer elsewhere": ("split", lambda day: day.change_article(3, ticket_id=2)),
    "a mail not processed": (
        "stuck",
        lambda day: day.session.execute(update(InboundMessage).values(state=InboundState.QUARANTINED)),
    ),
    "a mail in dead hands": ("stuck", lambda day: day.session.execute(update(InboundMessage).values(lease_by="dead"))),
    "a delivery in dead hands": ("stuck", lambda day: day.change(SENT, lease_by="dead")),
    "a mailbox in dead hands": (
        "stuck",
        lambda day: day.session.execute(
            update(Mailbox).values(lease_by="dead", lease_until=day.now - timedelta(seconds=1))
        ),
    ),
    "no mail at all": ("never happened", lambda day: day.know(accepted=[])),
    "no reply sent": ("never happened", lambda day: day.know(replies=[BACK])),
    "no status set": ("never happened", lambda day: day.drop(STATUS)),
    "no agent told": ("never happened", lambda day: day.drop(TO_AGENT)),
}


@pytest.mark.parametrize("broken", [REPLIES, NOTICES, OTHERS], ids=["replies", "notices", "others"])
def test_no_day_passes_on_which_one_thing_went_wrong(day: Day, broken: Mapping[str, tuple[str, Break]]) -> None:
    passed = [name for name, (fault, breaking) in broken.items() if fault not in day.faults_after(breaking)]
    assert passed == []
    assert day.faults() == {}
