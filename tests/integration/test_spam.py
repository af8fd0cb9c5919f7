"""Mail that a trusted filter marks as spam: held with the mark as its reason, never acknowledged by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from intake.commands import explain_mail
from intake.outbound.letter import Envelope
from shared.config import Settings
from shared.database import Database
from shared.inbound import again, make_ticket, open_forgotten
from shared.models import InboundMessage, InboundState, User
from shared.people import find_or_create
from tests.loops import LoopDesk
from tests.mailroom import ANNA, mail
from tests.visitors import Clock, Visitor

MARK = "X-Spam-Flag: YES"
OURS = "Received: from x (unknown [192.0.2.7]) by mx.desk.example (Postfix) with ESMTP id 1"
THEIRS = "Received: from y by relay.elsewhere.example with SMTP"
HELD = f"A server that is trusted marks it as spam: “{MARK}”."


def marked(*fields: str, to: str = "support@desk.example", **options: str) -> Envelope:
    """A mail of Anna's with these fields on top."""
    head = "".join(f"{field}\r\n" for field in fields).encode()
    return Envelope(sender=ANNA, recipient=to, content=head + mail(**options))  # type: ignore[arg-type]


@pytest.fixture
def desk(database: Database, settings: Settings, clock: Clock) -> Iterator[LoopDesk]:
    desk = LoopDesk(database, settings.model_copy(update={"trusted_hosts": "MX.desk.example."}), clock)
    yield desk
    desk.close()


def test_marked_mail_is_held_and_causes_no_mail(desk: LoopDesk) -> None:
    desk.receive([marked(MARK, OURS, THEIRS)])

    assert desk.arrivals() == [(InboundState.HELD, "hold", HELD)]
    assert desk.sends() == []


def test_a_mark_that_nobody_of_ours_wrote_changes_nothing(desk: LoopDesk) -> None:
    desk.receive([marked(MARK), marked(MARK, THEIRS), marked(OURS, THEIRS, MARK)])

    assert [action for _, action, _ in desk.arrivals()] == ["open_ticket"] * 3
    assert len(desk.sends()) == 3


def test_marked_mail_is_held_even_where_it_answers_a_ticket_with_our_signature(desk: LoopDesk) -> None:
    desk.receive([marked()])
    signed = f"support+{desk.tokens.reply_suffix(1, ANNA)}@desk.example"
    desk.receive([marked(MARK, OURS, to=signed)])

    assert desk.arrivals()[-1] == (InboundState.HELD, "hold", HELD)
    assert desk.articles_by_mail() == 1


def test_held_spam_that_nobody_decides_about_opens_a_ticket_without_an_acknowledgement(desk: LoopDesk) -> None:
    desk.receive([marked(MARK, OURS)])
    desk.clock.advance(hours=25)
    with desk.database.transaction() as session:
        open_forgotten(session, desk.clock() - timedelta(hours=24), desk.clock())
    desk.receive([marked(subject="Another matter")])

    assert desk.arrivals()[0][:2] == (InboundState.PROCESSED, "open_ticket")
    assert [delivery.ticket_id for delivery in desk.automatic()] == [2]


@pytest.mark.parametrize("decision", ["open", "again"])
def test_a_person_who_makes_a_ticket_of_it_vouches_for_it_and_the_rules_do_not(desk: LoopDesk, decision: str) -> None:
    desk.receive([marked(MARK, OURS)])
    desk.administrator("jonas@desk.example")
    with desk.database.transaction() as session:
        jonas = session.get_one(User, find_or_create(session, "jonas@desk.example", "", desk.clock()).id)
        held = session.get_one(InboundMessage, 1)
        (make_ticket if decision == "open" else again)(session, held, actor=jonas, now=desk.clock())
    desk.work()

    assert len(desk.automatic()) == (1 if decision == "open" else 0)
    assert desk.arrivals()[0][0] is (InboundState.PROCESSED if decision == "open" else InboundState.HELD)


def test_agents_see_the_mark_beside_held_mail_and_decide(desk: LoopDesk, portal: Visitor, agent: User) -> None:
    desk.receive([marked(MARK, OURS)])
    portal.sign_in(agent)

    for path in ("/mail", "/mail/1"):
        assert "marks it as spam: “X-Spam-Flag: YES”" in portal.get(path).text
    portal.submit("/mail/1/ticket")
    desk.work()
    assert desk.arrivals()[0][0] is InboundState.PROCESSED


def test_explain_says_that_it_would_hold_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "spam.eml"
    file.write_bytes(marked(MARK, OURS).content)

    def decision() -> dict[str, str]:
        told = CliRunner().invoke(explain_mail, ["--json", str(file)], catch_exceptions=False)
        return dict(json.loads(told.output)["decision"])

    assert decision()["action"] == "open_ticket"
    monkeypatch.setenv("LETTERDESK_TRUSTED_HOSTS", "mx.desk.example")
    assert (decision()["action"], decision()["reason"]) == ("hold", HELD)
