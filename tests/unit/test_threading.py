"""Which ticket a mail points to."""

from __future__ import annotations

import pytest

from intake.routing.threading import MAX_REFERENCES, candidates, claimed_tickets, references, suffixes, tags
from intake.types import Person, PersonOrder, Reference
from shared.addresses import with_plus
from shared.references import MAX_KEY, reference_key
from shared.tokens import Tokens
from tests.builders import ANNA, DESK, arrival, facts, message, thread

OWN = frozenset({DESK})


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("[#1024] Printer", (1024,)),
        ("Re: AW: [#1024] Printer [#7]", (1024, 7)),
        ("[#7] [#7]", (7,)),
        ("#1024 Printer", ()),
        ("[1024] Printer", ()),
        ("[# 1024] Printer", ()),
        ("[#1024 x] Printer", ()),
        ("[#0] Printer", ()),
        ("[#007] Printer", ()),
        ("[#٣] Printer", ()),
        ("[#" + "9" * 5000 + "]", ()),
        ("", ()),
    ],
)
def test_a_subject_tag_is_a_number_of_a_ticket_and_nothing_else(subject: str, found: tuple[int, ...]) -> None:
    assert tags(subject) == found


def test_a_subject_full_of_tags_names_only_its_first_tickets() -> None:
    assert len(tags(" ".join(f"[#{n}]" for n in range(1, 1000)))) == 10


def test_references_are_taken_nearest_first_and_once() -> None:
    read = message(in_reply_to="c@x", references=("a@x", "b@x", "c@x"))
    assert references(read) == ("c@x", "b@x", "a@x")


def test_an_endless_thread_is_known_by_its_newest_messages() -> None:
    found = references(message(references=tuple(f"{n}@x" for n in range(1000))))
    assert len(found) == MAX_REFERENCES
    assert found[0] == "999@x"


def test_plus_suffixes_are_found_in_the_envelope_the_trace_and_the_addresses() -> None:
    read = message(
        to=(Person(address="Support+B@Desk.example"),),
        cc=(Person(address=with_plus(DESK, "c")), Person(address="other+d@elsewhere.example")),
        recipients=(with_plus(DESK, "a"),),
    )
    assert suffixes(arrival(read, envelope_to=(with_plus(DESK, "e"), DESK)), OWN) == ("e", "a", "b", "c")


def test_all_tickets_that_a_mail_names_are_looked_up(tokens: Tokens) -> None:
    read = message(
        to=(Person(address=with_plus(DESK, tokens.reply_suffix(5, ANNA))),),
        in_reply_to=tokens.message_id(6, "desk.example"),
        subject="[#7] x",
    )
    order = PersonOrder(action="join", ticket=8, by=1)
    assert claimed_tickets(arrival(read, order=order), OWN, tokens) == {5, 6, 7, 8}


def test_the_strongest_clue_comes_first(tokens: Tokens) -> None:
    ours = tokens.message_id(7, "desk.example")
    read = message(
        message_id="awaited@x",
        to=(Person(address=with_plus(DESK, tokens.reply_suffix(7, ANNA))),),
        in_reply_to=ours,
        references=("known@x", "unknown@x"),
        subject="[#7] x",
    )
    known = {"known@x": Reference(ticket=7, arrived=True), "awaited@x": Reference(ticket=7, arrived=False)}
    found = candidates(arrival(read), facts(thread(), references=known), tokens)
    assert [(clue.kind, clue.signed, clue.named) for clue in found] == [
        ("signed_address", True, True),
        ("signed_message_id", True, True),
        ("reference", False, True),
        ("subject_tag", False, True),
        ("awaited", False, False),
    ]


def test_a_message_that_is_here_is_not_awaited(tokens: Tokens) -> None:
    known = facts(thread(), references={"first@brightmill.example": Reference(ticket=7, arrived=True)})
    assert list(candidates(arrival(), known, tokens)) == []


def test_a_very_long_message_id_is_known_again(tokens: Tokens) -> None:
    long = "x" * 5000 + "@x"
    assert len(reference_key(long)) <= MAX_KEY
    known = facts(thread(), references={reference_key(long): Reference(ticket=7, arrived=True)})
    assert [clue.kind for clue in candidates(arrival(message(in_reply_to=long)), known, tokens)] == ["reference"]


@pytest.mark.parametrize("broken", ["a\0b@x", "a\udcffb@x", "", "\ud800"])
def test_every_message_id_has_a_key_that_databases_take(broken: str) -> None:
    key = reference_key(broken)
    assert "\0" not in key
    assert key.encode("utf-8").decode() == key
