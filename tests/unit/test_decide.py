"""What is done with a mail, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from intake.routing.decide import decide
from intake.routing.outlook import after
from intake.types import (
    AppendArticle,
    Arrival,
    Block,
    Bounce,
    BounceAction,
    Decision,
    Discard,
    Facts,
    Hold,
    Kind,
    OpenTicket,
    ParsedMessage,
    Person,
    PersonOrder,
    RecordBounce,
    Reference,
    SentCopy,
    Thread,
)
from shared.addresses import with_plus
from shared.tokens import Tokens
from tests.builders import AGENT, ANNA, BOB, DESK, EVE, NOON, arrival, facts, message, thread

PARENT = "parent@brightmill.example"


def answering(sender: str = ANNA, **fields: Any) -> ParsedMessage:
    return message(sender, in_reply_to=PARENT, message_id="second@brightmill.example", **fields)


def knowing(*threads: Thread, **fields: Any) -> Facts:
    """Facts in which PARENT is a message of the first ticket."""
    return facts(*threads, references={PARENT: Reference(ticket=threads[0].number, arrived=True)}, **fields)


def to_signed_address(tokens: Tokens, sender: str, ticket: int = 7, recipient: str = ANNA) -> ParsedMessage:
    address = with_plus(DESK, tokens.reply_suffix(ticket, recipient))
    return message(sender, to=(Person(address=address),))


def bounce(**fields: Any) -> ParsedMessage:
    report = Bounce(
        recipients=(ANNA,),
        action=BounceAction.FAILED,
        status="5.1.1",
        diagnostic="unknown user",
        original_message_id=None,
    )
    return message("mailer-daemon@brightmill.example", kind=Kind.BOUNCE, bounce=report, **fields)


# ------------------------------------------------------------------ a first mail


def test_a_first_mail_opens_a_ticket_and_is_acknowledged(tokens: Tokens) -> None:
    decision = decide(arrival(), facts(), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.acknowledge
    assert decision.clues == ()


@pytest.mark.parametrize(
    ("what", "mail"),
    [
        ("without a sender", arrival(message(None))),
        ("from a sender that is no address", arrival(message("not an address"))),
        ("from an automatic sender", arrival(message(kind=Kind.AUTO_GENERATED))),
        ("that is an automatic reply", arrival(message(kind=Kind.AUTO_REPLY))),
        ("of a mailing list", arrival(message(auto_response_allowed=False))),
        ("with the empty envelope sender", arrival(envelope_from="")),
        ("older than the mailbox", arrival(quiet=True)),
        ("from our own address", arrival(message(DESK))),
        ("from a plus-address of ours", arrival(message(with_plus(DESK, "sales")))),
    ],
)
def test_mail_is_not_acknowledged(what: str, mail: Arrival, tokens: Tokens) -> None:
    decision = decide(mail, facts(), tokens)
    assert isinstance(decision, OpenTicket), what
    assert not decision.acknowledge, what


def test_an_unknown_envelope_sender_does_not_prevent_the_acknowledgement(tokens: Tokens) -> None:
    decision = decide(arrival(envelope_from=None), facts(), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.acknowledge


# ------------------------------------------------------------------ joining


def test_an_answer_of_a_participant_joins_and_opens_again(tokens: Tokens) -> None:
    decision = decide(arrival(answering()), knowing(thread(status="resolved")), tokens)
    assert isinstance(decision, AppendArticle)
    assert (decision.ticket, decision.reopen, decision.stranger) == (7, True, False)
    assert [(clue.kind, clue.used) for clue in decision.clues] == [("reference", True)]


def test_the_sender_is_compared_without_letter_case(tokens: Tokens) -> None:
    assert isinstance(decide(arrival(answering(ANNA.upper())), knowing(thread()), tokens), AppendArticle)


def test_an_answer_of_somebody_else_without_a_signed_clue_is_held(tokens: Tokens) -> None:
    decision = decide(arrival(answering(EVE)), knowing(thread()), tokens)
    assert isinstance(decision, Hold)
    assert decision.ticket == 7
    assert not any(clue.used for clue in decision.clues)


def test_a_subject_tag_joins_a_participant_and_holds_a_stranger(tokens: Tokens) -> None:
    subject = "Re: [#7] The printer is on fire"
    assert isinstance(decide(arrival(message(subject=subject)), facts(thread()), tokens), AppendArticle)
    assert isinstance(decide(arrival(message(EVE, subject=subject)), facts(thread()), tokens), Hold)


def test_a_subject_tag_of_no_ticket_opens_one(tokens: Tokens) -> None:
    decision = decide(arrival(message(subject="[#99] x")), facts(thread()), tokens)
    assert isinstance(decision, OpenTicket)
    assert [clue.note for clue in decision.clues] == ["There is no ticket 99."]


def test_a_mail_that_names_a_deleted_ticket_opens_a_new_one(tokens: Tokens) -> None:
    decision = decide(arrival(message(subject="[#3] x")), facts(deleted=frozenset({3})), tokens)
    assert isinstance(decision, OpenTicket)
    assert [clue.note for clue in decision.clues] == ["Ticket 3 was deleted."]


def test_a_strangers_mail_to_a_signed_address_joins_as_a_stranger(tokens: Tokens) -> None:
    decision = decide(arrival(to_signed_address(tokens, EVE)), facts(thread()), tokens)
    assert isinstance(decision, AppendArticle)
    assert decision.stranger


def test_a_signed_address_of_somebody_who_was_removed_is_no_clue(tokens: Tokens) -> None:
    removed = thread(removed=frozenset({BOB}))
    decision = decide(arrival(to_signed_address(tokens, EVE, recipient=BOB)), facts(removed), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.clues == ()


def test_a_forged_signature_is_no_clue(tokens: Tokens) -> None:
    forged = to_signed_address(Tokens("another secret key altogether"), EVE)
    decision = decide(arrival(forged), facts(thread()), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.clues == ()


def test_an_answer_to_a_message_id_of_ours_joins_whoever_writes(tokens: Tokens) -> None:
    ours = tokens.message_id(7, "desk.example")
    decision = decide(arrival(message(EVE, references=(ours,))), facts(thread()), tokens)
    assert isinstance(decision, AppendArticle)
    assert decision.stranger


def test_somebody_who_was_removed_is_held_even_with_a_signed_message_id(tokens: Tokens) -> None:
    ours = tokens.message_id(7, "desk.example")
    known = facts(thread(removed=frozenset({BOB})))
    assert isinstance(decide(arrival(message(BOB, in_reply_to=ours)), known, tokens), Hold)


def test_an_agents_address_is_held_at_somebody_elses_ticket_even_with_a_signed_address(tokens: Tokens) -> None:
    decision = decide(arrival(to_signed_address(tokens, AGENT)), facts(thread()), tokens)
    assert isinstance(decision, Hold)
    assert "agent" in decision.reason


def test_an_agents_address_opens_and_answers_its_own_tickets(tokens: Tokens) -> None:
    own = thread(requester=frozenset({AGENT}), participants=frozenset({AGENT}))
    assert isinstance(decide(arrival(message(AGENT)), facts(), tokens), OpenTicket)
    assert isinstance(decide(arrival(answering(AGENT)), knowing(own), tokens), AppendArticle)


def test_a_stronger_clue_wins_over_a_weaker_one(tokens: Tokens) -> None:
    other = thread(8)
    mail = message(in_reply_to=tokens.message_id(7, "desk.example"), subject="[#8] x")
    decision = decide(arrival(mail), facts(thread(), other), tokens)
    assert isinstance(decision, AppendArticle)
    assert decision.ticket == 7


def test_a_weaker_clue_that_may_join_is_taken_where_a_stronger_one_may_not(tokens: Tokens) -> None:
    theirs = thread(8, requester=frozenset({EVE}), participants=frozenset({EVE}))
    decision = decide(arrival(answering(EVE, subject="[#8] x")), knowing(thread(), theirs), tokens)
    assert isinstance(decision, AppendArticle)
    assert decision.ticket == 8


def test_nobody_is_on_the_ticket_of_another_mail_without_a_sender(tokens: Tokens) -> None:
    nameless = decide(arrival(message(None)), facts(), tokens)
    first = arrival(message(None, message_id=PARENT))
    known = after(facts(), first, nameless)
    second = arrival(message(None, in_reply_to=PARENT, fingerprint="b" * 64), inbound_id=2)
    assert isinstance(decide(second, known, tokens), Hold)


# ------------------------------------------------------------------ closed tickets and automatic mail


def test_an_answer_to_a_closed_ticket_opens_one_that_follows_it(tokens: Tokens) -> None:
    decision = decide(arrival(answering()), knowing(thread(status="closed")), tokens)
    assert isinstance(decision, OpenTicket)
    assert (decision.follows, decision.acknowledge) == (7, True)


@pytest.mark.parametrize("status", ["open", "resolved", "closed"])
def test_automatic_mail_joins_its_ticket_and_opens_nothing_again(status: str, tokens: Tokens) -> None:
    mail = answering(kind=Kind.AUTO_REPLY)
    decision = decide(arrival(mail), knowing(thread(status=status)), tokens)
    assert isinstance(decision, AppendArticle)
    assert not decision.reopen


# ------------------------------------------------------------------ known mail, own mail


def test_the_same_mail_in_the_same_mailbox_is_left(tokens: Tokens) -> None:
    known = facts(seen={"f" * 64: {1: 1}})
    decision = decide(arrival(inbound_id=2), known, tokens)
    assert isinstance(decision, Discard)
    assert decision.duplicate_of == 1


def test_the_same_mail_in_another_mailbox_is_left_with_its_first(tokens: Tokens) -> None:
    known = facts(seen={"f" * 64: {1: 1, 2: 5}})
    decision = decide(arrival(inbound_id=9, mailbox_id=3), known, tokens)
    assert isinstance(decision, Discard)
    assert decision.duplicate_of == 1


@pytest.mark.parametrize(
    ("mailbox_id", "reason"),
    [
        (1, "It is here already, as mail 1, which was discarded."),
        (3, "It came to another mailbox as well, as mail 1, which was discarded."),
    ],
)
def test_a_copy_of_a_mail_that_was_discarded_says_so(tokens: Tokens, mailbox_id: int, reason: str) -> None:
    known = facts(seen={"f" * 64: {1: 1, 2: 5}}, discarded=frozenset({1}))
    assert decide(arrival(inbound_id=9, mailbox_id=mailbox_id), known, tokens).reason == reason


def test_a_mail_that_is_processed_again_is_no_copy_of_itself(tokens: Tokens) -> None:
    known = facts(seen={"f" * 64: {1: 1, 2: 5}})
    assert isinstance(decide(arrival(), known, tokens), OpenTicket)


def test_a_copy_in_another_mailbox_that_is_processed_again_stays_a_copy(tokens: Tokens) -> None:
    known = facts(seen={"f" * 64: {1: 1, 2: 5}})
    assert isinstance(decide(arrival(inbound_id=5, mailbox_id=2), known, tokens), Discard)


def test_our_own_mail_is_left_by_its_loop_mark(tokens: Tokens) -> None:
    assert isinstance(decide(arrival(message(loop_mark=tokens.loop_mark(DESK))), facts(), tokens), Discard)


def test_our_own_mail_is_left_by_its_message_id(tokens: Tokens) -> None:
    ours = message(message_id=tokens.message_id(7, "desk.example"))
    assert isinstance(decide(arrival(ours), facts(thread()), tokens), Discard)


def test_somebody_elses_loop_mark_means_nothing(tokens: Tokens) -> None:
    foreign = message(loop_mark=Tokens("another secret key altogether").loop_mark(DESK))
    assert isinstance(decide(arrival(foreign), facts(), tokens), OpenTicket)


def test_a_loop_mark_of_broken_letters_means_nothing(tokens: Tokens) -> None:
    assert isinstance(decide(arrival(message(loop_mark="\udcff\0")), facts(), tokens), OpenTicket)


# ------------------------------------------------------------------ bounces


def test_a_bounce_is_recorded_on_the_delivery_that_its_address_names(tokens: Tokens) -> None:
    known = facts(thread(), copies={31: SentCopy(delivery_id=31, recipient=ANNA, ticket=7)})
    mail = arrival(bounce(), envelope_to=(with_plus(DESK, tokens.bounce_suffix(31)),))
    decision = decide(mail, known, tokens)
    assert isinstance(decision, RecordBounce)
    assert (decision.delivery_id, decision.recipient, decision.ticket) == (31, ANNA, 7)


def test_a_bounce_of_one_copy_of_a_reply_is_found_by_its_recipient(tokens: Tokens) -> None:
    copies = tuple(SentCopy(delivery_id=n, recipient=who, ticket=7) for n, who in ((31, BOB), (32, ANNA)))
    report = Bounce(
        recipients=(ANNA.upper(),), action=BounceAction.FAILED, status=None, diagnostic="", original_message_id="o@desk"
    )
    mail = arrival(message(EVE, kind=Kind.BOUNCE, bounce=report))
    decision = decide(mail, facts(thread(), copies_of={"o@desk": copies}), tokens)
    assert isinstance(decision, RecordBounce)
    assert decision.delivery_id == 32


def test_a_bounce_of_nothing_that_we_sent_opens_nothing(tokens: Tokens) -> None:
    decision = decide(arrival(bounce()), facts(), tokens)
    assert isinstance(decision, RecordBounce)
    assert decision.delivery_id is None


def test_a_bounce_never_joins_by_its_subject(tokens: Tokens) -> None:
    decision = decide(arrival(bounce(subject="[#7] returned")), facts(thread()), tokens)
    assert isinstance(decision, RecordBounce)


def returned(tokens: Tokens, recipient: str = ANNA, **report: Any) -> Decision:
    """A bounce to the signed return address of delivery 31, which went to Anna."""
    values = {"action": BounceAction.FAILED, "status": "5.1.1", "diagnostic": "", "original_message_id": None}
    said = Bounce(recipients=(recipient,), **(values | report))
    known = facts(thread(), copies={31: SentCopy(delivery_id=31, recipient=ANNA, ticket=7)})
    read = message("mailer-daemon@brightmill.example", kind=Kind.BOUNCE, bounce=said)
    return decide(arrival(read, envelope_to=(with_plus(DESK, tokens.bounce_suffix(31)),)), known, tokens)


@pytest.mark.parametrize(
    ("suspends", "report"),
    [
        (True, {"status": "5.1.1"}),
        (True, {"status": "5.2.2"}),
        (True, {"status": "5.7.1"}),
        (True, {"status": None, "diagnostic": "550 no such user here"}),
        (True, {"status": None, "diagnostic": "This user doesn't have an account."}),
        (False, {"status": None, "diagnostic": "421 try again later"}),
        (False, {"status": "4.4.7"}),
        (False, {"status": "5.3.4"}),
        (False, {"status": "5.2.3"}),
        (False, {"status": "5.6.1"}),
        (False, {"action": BounceAction.DELAYED, "status": "5.1.1"}),
        (False, {"action": BounceAction.DELIVERED, "status": "2.0.0"}),
        (False, {"recipient": EVE}),
    ],
)
def test_only_a_failure_that_says_the_address_is_dead_suspends_it(
    tokens: Tokens, suspends: bool, report: dict[str, Any]
) -> None:
    decision = returned(tokens, **report)
    assert isinstance(decision, RecordBounce)
    assert decision.delivery_id == 31
    assert decision.suspends is suspends


def test_a_bounce_that_is_found_by_our_message_id_alone_suspends_nothing(tokens: Tokens) -> None:
    copies = (SentCopy(delivery_id=31, recipient=ANNA, ticket=7),)
    report = Bounce(
        recipients=(ANNA,), action=BounceAction.FAILED, status="5.1.1", diagnostic="", original_message_id="o@desk"
    )
    mail = arrival(message(EVE, kind=Kind.BOUNCE, bounce=report))
    decision = decide(mail, facts(thread(), copies_of={"o@desk": copies}), tokens)
    assert isinstance(decision, RecordBounce)
    assert (decision.delivery_id, decision.suspends) == (31, False)


# ------------------------------------------------------------------ spam

MARK = "X-Spam-Flag: YES"


def test_marked_mail_is_held_with_the_mark_as_its_reason(tokens: Tokens) -> None:
    decision = decide(arrival(message(spam_mark=MARK)), facts(), tokens)
    assert isinstance(decision, Hold)
    assert (MARK in decision.reason, decision.ticket) == (True, None)


def test_marked_mail_is_held_even_with_a_signed_address(tokens: Tokens) -> None:
    mail = replace(to_signed_address(tokens, ANNA), spam_mark=MARK)
    decision = decide(arrival(mail), facts(thread()), tokens)
    assert isinstance(decision, Hold)
    assert decision.ticket == 7
    assert [(clue.kind, clue.used) for clue in decision.clues] == [("signed_address", False)]


@pytest.mark.parametrize("kind", [Kind.AUTO_GENERATED, Kind.AUTO_REPLY])
def test_marked_automatic_mail_is_held(tokens: Tokens, kind: Kind) -> None:
    assert isinstance(decide(arrival(message(kind=kind, spam_mark=MARK)), facts(), tokens), Hold)


def test_a_marked_bounce_is_a_bounce(tokens: Tokens) -> None:
    assert isinstance(decide(arrival(bounce(spam_mark=MARK)), facts(), tokens), RecordBounce)


def test_our_own_marked_mail_is_our_own_mail(tokens: Tokens) -> None:
    own = message(loop_mark=tokens.loop_mark(DESK), spam_mark=MARK)
    assert isinstance(decide(arrival(own), facts(), tokens), Discard)


@pytest.mark.parametrize(("by", "acknowledged"), [(3, True), (None, False)])
def test_held_spam_is_acknowledged_where_a_person_vouches_for_it_and_not_where_the_clock_opens_it(
    tokens: Tokens, by: int | None, acknowledged: bool
) -> None:
    order = PersonOrder(action="open", ticket=None, by=by)
    decision = decide(arrival(message(spam_mark=MARK), order=order), facts(), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.acknowledge is acknowledged


# ------------------------------------------------------------------ blocked addresses

BLOCKED = {ANNA: Block(address="Anna@brightmill.example", since=NOON, by="Mira Steiner")}
WHY = "Mira Steiner blocked Anna@brightmill.example on 02 Mar 2026 at 12:00 UTC."


@pytest.mark.parametrize("fields", [{}, {"kind": Kind.AUTO_REPLY}, {"spam_mark": MARK}], ids=str)
def test_mail_of_a_blocked_address_is_discarded_by_the_name_of_who_blocked_it(
    tokens: Tokens, fields: dict[str, Any]
) -> None:
    decision = decide(arrival(message("ANNA@brightmill.example", **fields)), facts(blocked=BLOCKED), tokens)
    assert decision == Discard(reason=WHY)


def test_mail_of_a_blocked_address_is_discarded_even_with_a_signed_clue(tokens: Tokens) -> None:
    decision = decide(arrival(to_signed_address(tokens, ANNA)), facts(thread(), blocked=BLOCKED), tokens)
    assert isinstance(decision, Discard)
    assert [(clue.kind, clue.used, clue.note) for clue in decision.clues] == [
        ("signed_address", False, "Its sender is blocked.")
    ]


def test_a_bounce_of_a_blocked_address_is_a_bounce(tokens: Tokens) -> None:
    blocked = {"mailer-daemon@brightmill.example": BLOCKED[ANNA]}
    assert isinstance(decide(arrival(bounce()), facts(blocked=blocked), tokens), RecordBounce)


def test_a_second_copy_of_a_blocked_mail_is_a_copy(tokens: Tokens) -> None:
    decision = decide(arrival(inbound_id=2), facts(seen={"f" * 64: {1: 1}}, blocked=BLOCKED), tokens)
    assert isinstance(decision, Discard)
    assert decision.duplicate_of == 1


def test_a_person_makes_a_ticket_of_blocked_mail_and_its_sender_hears_nothing(tokens: Tokens) -> None:
    order = PersonOrder(action="open", ticket=None, by=3)
    decision = decide(arrival(order=order), facts(blocked=BLOCKED), tokens)
    assert isinstance(decision, OpenTicket)
    assert not decision.acknowledge


def test_a_person_lets_blocked_mail_join_a_ticket(tokens: Tokens) -> None:
    order = PersonOrder(action="join", ticket=7, by=3)
    assert isinstance(decide(arrival(order=order), facts(thread(), blocked=BLOCKED), tokens), AppendArticle)


def test_held_mail_that_nobody_decided_about_opens_no_ticket_for_a_blocked_address(tokens: Tokens) -> None:
    order = PersonOrder(action="open", ticket=None, by=None)
    assert decide(arrival(order=order), facts(blocked=BLOCKED), tokens) == Discard(reason=WHY)


# ------------------------------------------------------------------ one Message-ID, two mails


def test_a_mail_with_the_message_id_of_another_one_is_kept_and_flagged(tokens: Tokens) -> None:
    decision = decide(arrival(inbound_id=5), facts(message_ids={"first@brightmill.example": 3}), tokens)
    assert isinstance(decision, OpenTicket)
    assert [(clue.kind, clue.value, clue.used) for clue in decision.clues] == [
        ("same_message_id", "first@brightmill.example", False)
    ]
    assert decision.clues[0].note.startswith("Mail 3 has the same Message-ID but other content")


def test_a_mail_that_is_read_again_is_no_other_one(tokens: Tokens) -> None:
    decision = decide(arrival(inbound_id=5), facts(message_ids={"first@brightmill.example": 5}), tokens)
    assert decision.clues == ()


def test_two_mails_of_a_batch_with_one_message_id_are_both_kept_and_the_second_is_flagged(tokens: Tokens) -> None:
    first = arrival()
    known = after(facts(), first, decide(first, facts(), tokens))
    decision = decide(arrival(message(fingerprint="b" * 64), inbound_id=2), known, tokens)
    assert isinstance(decision, OpenTicket)
    assert [clue.kind for clue in decision.clues] == ["same_message_id"]


# ------------------------------------------------------------------ the order of the kinds


def test_a_bounce_under_our_own_message_id_is_our_own_mail_come_back(tokens: Tokens) -> None:
    ours = bounce(message_id=tokens.message_id(7, "desk.example"))
    decision = decide(arrival(ours), facts(thread()), tokens)
    assert isinstance(decision, Discard)
    assert decision.reason == "It is our own mail, come back."


def test_a_bounce_with_the_headers_of_an_automatic_answer_is_a_bounce(tokens: Tokens) -> None:
    answer = bounce(auto_response_allowed=False, subject="Automatic reply: [#7] The printer")
    assert isinstance(decide(arrival(answer), facts(thread()), tokens), RecordBounce)


# ------------------------------------------------------------------ what a person ordered


def test_a_person_lets_held_mail_join_whoever_wrote_it(tokens: Tokens) -> None:
    order = PersonOrder(action="join", ticket=7, by=3)
    decision = decide(arrival(message(EVE), order=order), facts(thread()), tokens)
    assert isinstance(decision, AppendArticle)
    assert (decision.ticket, decision.stranger) == (7, True)


def test_a_person_makes_a_ticket_of_mail_that_names_another_one(tokens: Tokens) -> None:
    order = PersonOrder(action="open", ticket=None, by=3)
    decision = decide(arrival(message(EVE, subject="[#7] x"), order=order), facts(thread()), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.reason == "A person made a ticket of it."


def test_mail_that_is_to_join_a_ticket_deleted_meanwhile_opens_its_own(tokens: Tokens) -> None:
    order = PersonOrder(action="join", ticket=7, by=3)
    decision = decide(arrival(order=order), facts(deleted=frozenset({7})), tokens)
    assert isinstance(decision, OpenTicket)
    assert "deleted" in decision.reason


def test_mail_that_nobody_decided_about_opens_a_ticket(tokens: Tokens) -> None:
    order = PersonOrder(action="open", ticket=None, by=None)
    decision = decide(arrival(order=order), facts(), tokens)
    assert isinstance(decision, OpenTicket)
    assert decision.reason == "Nobody decided about it in time."


# ------------------------------------------------------------------ the next mail of the batch


def test_the_next_mail_of_a_batch_joins_the_ticket_that_the_first_one_opens(tokens: Tokens) -> None:
    first = arrival(message(message_id=PARENT))
    known = after(facts(), first, decide(first, facts(), tokens))
    second = arrival(answering(fingerprint="b" * 64), inbound_id=2)
    decision = decide(second, known, tokens)
    assert isinstance(decision, AppendArticle)
    assert decision.ticket == 1


def test_whom_a_requester_copies_in_may_answer_within_the_batch(tokens: Tokens) -> None:
    first = arrival(message(message_id=PARENT, cc=(Person(address=BOB),)))
    known = after(facts(), first, decide(first, facts(), tokens))
    decision = decide(arrival(answering(BOB, fingerprint="b" * 64), inbound_id=2), known, tokens)
    assert isinstance(decision, AppendArticle)
    assert not decision.stranger


def test_another_address_of_the_requester_joins_within_the_batch(tokens: Tokens) -> None:
    private = "anna@home.example"
    same = frozenset({ANNA, private})
    known = facts(same_person={ANNA: same, private: same})
    first = arrival(message(message_id=PARENT))
    known = after(known, first, decide(first, known, tokens))
    assert isinstance(
        decide(arrival(answering(private, fingerprint="b" * 64), inbound_id=2), known, tokens), AppendArticle
    )


def test_a_removed_participant_is_not_brought_back_by_a_requesters_cc(tokens: Tokens) -> None:
    known = knowing(thread(removed=frozenset({BOB})))
    mail = arrival(answering(cc=(Person(address=BOB),)))
    later = after(known, mail, decide(mail, known, tokens))
    assert BOB not in later.threads[7].participants


def test_the_same_mail_twice_in_a_batch_is_left_the_second_time(tokens: Tokens) -> None:
    first = arrival()
    known = after(facts(), first, decide(first, facts(), tokens))
    assert isinstance(decide(arrival(inbound_id=2), known, tokens), Discard)


def test_a_mail_that_was_overtaken_by_its_answer_joins_it(tokens: Tokens) -> None:
    early = arrival(answering(to=(Person(address=DESK), Person(address=BOB))))
    known = after(facts(), early, decide(early, facts(), tokens))
    late = arrival(message(BOB, message_id=PARENT, fingerprint="b" * 64), inbound_id=2)
    decision = decide(late, known, tokens)
    assert isinstance(decision, AppendArticle)
    assert [clue.kind for clue in decision.clues] == ["awaited"]


def test_whoever_takes_a_message_id_that_is_awaited_is_not_let_in(tokens: Tokens) -> None:
    early = arrival(answering())
    known = after(facts(), early, decide(early, facts(), tokens))
    late = arrival(message(EVE, message_id=PARENT, fingerprint="b" * 64), inbound_id=2)
    assert isinstance(decide(late, known, tokens), OpenTicket)


def test_a_resolved_ticket_is_open_for_the_next_mail_of_the_batch(tokens: Tokens) -> None:
    known = knowing(thread(status="resolved"))
    mail = arrival(answering())
    assert after(known, mail, decide(mail, known, tokens)).threads[7].status == "open"
