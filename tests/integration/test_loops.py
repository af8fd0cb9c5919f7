"""What happens when machines answer machines: automatic mail stays under its caps, and every arrival is kept.

Simulated: the mail is carried by the test, minutes and hours pass on a clock that is moved by hand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from intake.outbound.letter import Envelope
from shared.alerts import open_alerts
from shared.config import Settings
from shared.database import Database
from shared.mailboxes import ensure_desk_mailbox
from shared.models import DeliveryCause, InboundState, Status
from shared.notices import tell_administrators
from tests.loops import LoopDesk, check_promise, letter, read, rewritten, stripped
from tests.mailroom import mail, report
from tests.visitors import Clock

ANNA = "anna@brightmill.example"
MakeDesk = Callable[..., LoopDesk]


@pytest.fixture
def desk_of(settings: Settings, now: datetime) -> Iterator[MakeDesk]:
    """Make a desk on a database: `desk_of(database, "support@desk.example", cap_desk_hour=3)`."""
    clock = Clock(now)
    desks: list[LoopDesk] = []

    def make(database: Database, address: str = "support@desk.example", **changes: object) -> LoopDesk:
        desk = LoopDesk(database, settings.model_copy(update={"address": address, **changes}), clock)
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def other_database(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Database]:
    """A second database of the same kind."""
    if database.is_sqlite:
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('_migrated_sqlite'), tmp_path / 'other.db')}"
    else:
        url = request.getfixturevalue("postgres").fresh_database()
    other = Database(url)
    yield other
    other.close()
    if not database.is_sqlite:
        request.getfixturevalue("postgres").drop_database(url)


def is_automatic(mail: Envelope) -> bool:
    return read(mail)["Auto-Submitted"] is not None


# ------------------------------------------------------------------ two desks


@pytest.mark.parametrize(
    "middle",
    [
        lambda sent: sent,
        lambda sent: stripped(sent, thread=False),
        lambda sent: stripped(sent, thread=True),
    ],
    ids=["honest", "marks stripped", "all stripped"],
)
def test_two_desks_that_acknowledge_each_other_come_to_rest(
    database: Database, other_database: Database, desk_of: MakeDesk, middle: Callable[[Envelope], Envelope]
) -> None:
    ours, theirs = desk_of(database), desk_of(other_database, "help@other.example")
    rounds = 0
    for begun in range(4):  # each hour somebody sets it going again
        ours.receive([letter(theirs.address, ours.address, f"Order {begun}")])
        under_way = True
        while under_way:
            ours.clock.advance(minutes=1)
            rounds += 1
            there, back = ours.sends(), theirs.sends()
            theirs.receive(map(middle, there))
            ours.receive(map(middle, back))
            under_way = bool(there or back)
        ours.clock.advance(hours=1)
        assert rounds < 100, "it does not come to rest"

    for desk in (ours, theirs):
        check_promise(desk)


def test_a_middle_that_doubles_every_mail_does_not_make_a_flood(
    database: Database, other_database: Database, desk_of: MakeDesk
) -> None:
    ours, theirs = desk_of(database), desk_of(other_database, "help@other.example")
    ours.receive([letter(theirs.address, ours.address, "Order")])
    for _ in range(10):  # unchecked, the last round alone would be a thousand mails
        there, back = ours.sends(), theirs.sends()
        theirs.receive([stripped(mail, thread=True) for mail in there for _ in range(2)])
        ours.receive([stripped(mail, thread=True) for mail in back for _ in range(2)])
        ours.clock.advance(minutes=1)

    for desk in (ours, theirs):
        check_promise(desk)
        assert len(desk.automatic()) == desk.caps.address_hour
        with desk.database.reading() as session:
            (alert,) = open_alerts(session, desk.clock())
        assert alert.key.startswith("cap:address:")


# ------------------------------------------------------------------ automatic answers


def out_of_office(mail: Envelope, *, kind: str) -> Envelope:
    """What an absent reader's server answers: as RFC 3834 asks, as a person would, or as a very simple machine."""
    asked = read(mail)
    answer = letter(mail.recipient, asked["From"].addresses[0].addr_spec, f"Re: {asked['Subject']}", "I am away.")
    if kind == "simple":
        return letter(mail.recipient, answer.recipient, "I am away", "I am away until Monday.")
    headers: dict[str, str | None] = {"In-Reply-To": asked["Message-ID"], "References": asked["Message-ID"]}
    if kind == "proper":
        headers["Auto-Submitted"] = "auto-replied"
    sender = "" if kind == "proper" else mail.recipient
    return Envelope(sender=sender, recipient=answer.recipient, content=rewritten(answer, headers))


@pytest.mark.parametrize("kind", ["proper", "like a person", "simple"])
def test_an_out_of_office_on_every_reply_and_acknowledgement_comes_to_rest(
    database: Database, desk_of: MakeDesk, kind: str
) -> None:
    desk = desk_of(database)
    desk.receive([letter(ANNA, desk.address, "The printer")])
    for hour in range(3):
        desk.answer(1, f"Reply {hour}")
        rounds = 0
        while outgoing := desk.sends():
            desk.receive(out_of_office(mail, kind=kind) for mail in outgoing)
            desk.clock.advance(minutes=2)
            rounds += 1
            assert rounds < 20, "it does not come to rest"
        desk.clock.advance(hours=1)

    check_promise(desk)
    acknowledged = [d for d in desk.automatic() if d.cause is DeliveryCause.ACKNOWLEDGEMENT]
    assert len(acknowledged) == 1 if kind != "simple" else len(acknowledged) > 5


@pytest.mark.parametrize("kind", ["proper", "like a person", "simple"])
def test_notices_of_a_status_to_an_address_that_answers_each_stay_under_four_times_the_caps(
    database: Database, desk_of: MakeDesk, kind: str
) -> None:
    desk = desk_of(database, cap_ticket_day=6)
    desk.receive([letter(ANNA, desk.address, "The printer")])
    for change in range(40):  # by a script gone wild, for eighty minutes
        desk.set_status(1, Status.PENDING if change % 2 else Status.RESOLVED)
        desk.receive(out_of_office(mail, kind=kind) for mail in desk.sends())
        desk.clock.advance(minutes=2)

    check_promise(desk)
    assert len([mail for mail in desk.automatic() if mail.ticket_id == 1]) == 4 * desk.caps.ticket_day
    assert len(desk.arrivals()) == 1 + len(desk.automatic())


def test_two_desks_whose_administrators_change_a_status_again_and_again_come_to_rest(
    database: Database, other_database: Database, desk_of: MakeDesk
) -> None:
    ours, theirs = desk_of(database), desk_of(other_database, "help@other.example")
    ours.receive([letter(theirs.address, ours.address, "Order")])
    for change in range(12):
        ours.set_status(1, Status.PENDING if change % 2 else Status.RESOLVED)
        for _ in range(2):
            there, back = ours.sends(), theirs.sends()
            theirs.receive(stripped(mail, thread=True) for mail in there)
            ours.receive(stripped(mail, thread=True) for mail in back)
            ours.clock.advance(minutes=1)

    for desk in (ours, theirs):
        check_promise(desk)
    assert len(ours.automatic()) > ours.caps.address_hour


# ------------------------------------------------------------------ bounces


def bounce_of(mail: Envelope, desk: LoopDesk) -> Envelope:
    """What a server says that knows no such reader; it answers also where nothing may come back."""
    to = mail.sender or desk.address
    message_id = str(read(mail)["Message-ID"]).strip("<>")
    return Envelope(sender="", recipient=to, content=report(message_id, mail.recipient, to=to))


def test_a_bounce_of_every_mail_and_every_notice_causes_no_mail_to_who_bounced(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database)
    desk.administrator("jonas@desk.example")
    for number in range(1, 13):
        desk.receive([letter(f"person{number}@brightmill.example", desk.address, f"Matter {number}")])
        desk.answer(number)
        while outgoing := desk.sends():
            desk.receive(bounce_of(mail, desk) for mail in outgoing)
            with desk.database.transaction() as session:
                mailbox = ensure_desk_mailbox(session, desk.address, "Desk", desk.clock())
                tell_administrators(session, mailbox, desk.clock(), desk.caps)
        desk.clock.advance(minutes=2)

    check_promise(desk)
    assert sum(action == "record_bounce" for _, action, _ in desk.arrivals()) >= 12 * 2
    written = [d.recipient for d in desk.automatic() if d.cause is DeliveryCause.NOTICE]
    assert written == ["mira@desk.example"] * desk.caps.address_hour


def test_mail_that_our_own_server_refuses_is_told_to_its_author_and_causes_no_more_of_it(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database)
    desk.bag.refuses |= {ANNA}
    for number in range(1, 9):
        desk.receive([letter(ANNA, desk.address, f"Matter {number}")])
        desk.answer(number)
        desk.sends()

    check_promise(desk)
    told = [d for d in desk.automatic() if d.cause is DeliveryCause.NOTICE]
    assert [d.recipient for d in told] == ["mira@desk.example"] * desk.caps.address_hour
    assert any("no such domain" in sentence for sentence in told[0].context["sentences"])
    with desk.database.reading() as session:
        keys = {alert.key for alert in open_alerts(session, desk.clock())}
    assert keys == {"returned:automatic", f"cap:address:{ANNA}", "cap:address:mira@desk.example"}


def test_a_forged_bounce_sent_a_hundred_times_is_told_once(database: Database, desk_of: MakeDesk) -> None:
    desk = desk_of(database)
    desk.receive([letter(ANNA, desk.address, "The printer")])
    desk.answer(1)
    reply = desk.sends()[-1]
    desk.receive(bounce_of(reply, desk) for _ in range(100))

    check_promise(desk)
    assert [d.cause for d in desk.automatic()] == [DeliveryCause.ACKNOWLEDGEMENT, DeliveryCause.NOTICE]


# ------------------------------------------------------------------ mailing lists

LIST = "printers@lists.example"


def by_list(mail: Envelope, desk: LoopDesk, *, hides: bool) -> Envelope:
    """How a list passes a mail on to the desk. One that `hides` does not say that it is one, and signs itself."""
    headers: dict[str, str | None] = {"List-Id": "<printers.lists.example>", "Precedence": "list"}
    if hides:
        headers = {"From": LIST, "Message-ID": f"<{hash(mail.content)}@lists.example>", "Reply-To": None}
        headers |= dict.fromkeys(("Auto-Submitted", "X-Auto-Response-Suppress", "X-Letterdesk-Loop"))
        headers |= dict.fromkeys(("In-Reply-To", "References"))
    sender = LIST if hides else "printers-bounces@lists.example"
    return Envelope(sender=sender, recipient=desk.address, content=rewritten(mail, headers))


def test_posts_of_a_list_that_the_desk_is_subscribed_to_become_tickets_and_are_not_acknowledged(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database)
    posts = [letter(f"reader{n}@elsewhere.example", LIST, f"Toner {n}") for n in range(60)]
    desk.receive(by_list(post, desk, hides=False) for post in posts)

    check_promise(desk)
    assert desk.articles_by_mail() == 60
    assert desk.automatic() == []


@pytest.mark.parametrize("hides", [False, True])
def test_a_list_that_sends_our_own_mail_back_does_not_keep_us_writing(
    database: Database, desk_of: MakeDesk, hides: bool
) -> None:
    desk = desk_of(database)
    desk.receive([letter(LIST, desk.address, "Toner")])
    desk.answer(1)
    for _ in range(30):
        desk.receive(by_list(mail, desk, hides=hides) for mail in desk.sends())
        desk.clock.advance(minutes=5)

    check_promise(desk)
    if not hides:
        assert {reason for state, _, reason in desk.arrivals() if state is InboundState.DISCARDED} == {
            "It is our own mail, come back."
        }
        assert len(desk.automatic()) == 1


def test_our_own_mail_is_known_by_its_mark_where_a_list_gave_it_another_message_id(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database, "Support@Desk.example")
    desk.receive([letter(LIST, desk.address, "Toner")])
    (sent,) = desk.sends()
    again = rewritten(sent, {"From": LIST, "Message-ID": "<1@lists.example>", "Auto-Submitted": None})
    desk.receive([Envelope(sender=LIST, recipient=desk.address, content=again)])

    assert desk.arrivals()[-1] == (InboundState.DISCARDED, "discard", "It is our own mail, come back.")


# ------------------------------------------------------------------ a flood


def test_a_flood_from_one_address_is_kept_whole_and_answered_five_times_an_hour(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database)
    mails = 10_000 if database.is_sqlite else 1_000
    for first in range(0, mails, 500):
        mail_of_hers = (mail(subject=f"Matter {first + n}") for n in range(500))
        desk.receive(Envelope(sender=ANNA, recipient=desk.address, content=content) for content in mail_of_hers)
        desk.sends()
        desk.clock.advance(minutes=4)

    check_promise(desk)
    assert desk.articles_by_mail() == mails
    hours = mails / 500 * 4 / 60
    assert 5 <= len(desk.automatic()) <= 5 * (hours + 1)


def test_a_flood_from_many_addresses_is_kept_whole_and_answered_as_often_as_the_desk_may(
    database: Database, desk_of: MakeDesk
) -> None:
    desk = desk_of(database, cap_desk_hour=20)
    for hour in range(3):
        people = (f"person{hour}-{n}@brightmill.example" for n in range(50))
        desk.receive(letter(person, desk.address, "Hello") for person in people)
        with desk.database.reading() as session:
            assert [alert.key for alert in open_alerts(session, desk.clock())] == ["cap:desk"]
        desk.sends()
        desk.clock.advance(hours=1)

    check_promise(desk)
    assert desk.articles_by_mail() == 150
    assert len(desk.automatic()) == 60
