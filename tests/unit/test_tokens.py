"""What the desk signs it knows again, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.addresses import is_address, with_plus
from shared.tokens import Tokens
from tests.builders import ANNA, BOB, DESK

OLD, NEW = "an old secret key of the desk", "a new secret key of the desk"
LAST = 10**18 - 1  # the longest number that a token can name


def changed(token: str) -> str:
    """The token with its last letter changed."""
    return token[:-1] + ("a" if token[-1] != "a" else "b")


def test_a_reply_suffix_names_its_ticket_and_its_recipient(tokens: Tokens) -> None:
    suffix = tokens.reply_suffix(7, ANNA)
    assert tokens.ticket_of_suffix(suffix) == 7
    assert tokens.reply_recipient(suffix, frozenset({BOB, ANNA})) == ANNA


def test_a_reply_suffix_proves_nothing_for_others_and_other_tickets(tokens: Tokens) -> None:
    suffix = tokens.reply_suffix(7, ANNA)
    assert tokens.reply_recipient(suffix, frozenset({BOB})) is None
    assert tokens.reply_recipient("8" + suffix[1:], frozenset({ANNA})) is None
    assert tokens.reply_recipient(changed(suffix), frozenset({ANNA})) is None


def test_tokens_survive_a_change_of_letter_case(tokens: Tokens) -> None:
    assert tokens.reply_recipient(tokens.reply_suffix(7, ANNA).upper(), frozenset({ANNA})) == ANNA
    assert tokens.delivery_of_bounce(tokens.bounce_suffix(31).upper()) == 31
    assert tokens.ticket_of_message_id(tokens.message_id(7, "desk.example").upper()) == 7
    assert tokens.is_loop_mark(tokens.loop_mark(DESK).upper(), DESK)


def test_a_bounce_suffix_names_its_delivery_and_is_no_reply_suffix(tokens: Tokens) -> None:
    suffix = tokens.bounce_suffix(31)
    assert tokens.delivery_of_bounce(suffix) == 31
    assert tokens.delivery_of_bounce(changed(suffix)) is None
    assert tokens.ticket_of_suffix(suffix) is None
    assert tokens.delivery_of_bounce(tokens.reply_suffix(31, ANNA)) is None
    assert tokens.delivery_of_bounce("b-" + tokens.reply_suffix(31, ANNA)) is None


def test_message_ids_are_all_different_and_name_their_ticket(tokens: Tokens) -> None:
    minted = {tokens.message_id(7, "desk.example") for _ in range(100)}
    assert len(minted) == 100
    assert {tokens.ticket_of_message_id(known) for known in minted} == {7}


def test_a_message_id_is_ours_whatever_a_gateway_made_of_its_domain(tokens: Tokens) -> None:
    local = tokens.message_id(7, "desk.example").partition("@")[0]
    assert tokens.ticket_of_message_id(f"{local}@gateway.example") == 7


@pytest.mark.parametrize(
    "foreign", ["", "t7@desk.example", "t7.aaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa@desk.example", "\udcff", "\0"]
)
def test_anything_else_is_no_message_id_of_ours(foreign: str, tokens: Tokens) -> None:
    assert tokens.ticket_of_message_id(foreign) is None
    assert tokens.ticket_of_suffix(foreign) is None
    assert tokens.delivery_of_bounce(foreign) is None
    assert not tokens.is_loop_mark(foreign, DESK)


def test_another_desks_tokens_mean_nothing(tokens: Tokens) -> None:
    other = Tokens(OLD)
    assert tokens.reply_recipient(other.reply_suffix(7, ANNA), frozenset({ANNA})) is None
    assert tokens.delivery_of_bounce(other.bounce_suffix(31)) is None
    assert tokens.ticket_of_message_id(other.message_id(7, "desk.example")) is None
    assert not tokens.is_loop_mark(other.loop_mark(DESK), DESK)


def test_former_keys_are_still_known_and_no_longer_used(now: datetime) -> None:
    old, both, new = Tokens(OLD), Tokens(NEW, OLD), Tokens(NEW)
    assert both.reply_recipient(old.reply_suffix(7, ANNA), frozenset({ANNA})) == ANNA
    assert both.ticket_of_message_id(old.message_id(7, "desk.example")) == 7
    assert both.is_link(old.link("reset", 3, now + timedelta(days=1)), now)
    assert both.decrypt(old.encrypt("swordfish")) == "swordfish"
    assert both.reply_suffix(7, ANNA) == new.reply_suffix(7, ANNA)
    assert new.decrypt(both.encrypt("swordfish")) == "swordfish"
    assert old.decrypt(both.encrypt("swordfish")) is None
    assert both.session_key() == new.session_key() != old.session_key()


def test_the_longest_tokens_still_fit_into_an_address_and_a_message_id(tokens: Tokens) -> None:
    assert is_address(with_plus(DESK, tokens.reply_suffix(LAST, ANNA)))
    assert is_address(with_plus(DESK, tokens.bounce_suffix(LAST)))
    assert tokens.ticket_of_suffix(tokens.reply_suffix(LAST, ANNA)) == LAST
    assert len(tokens.message_id(LAST, "desk.example")) < 100


def test_a_link_holds_until_it_expires(tokens: Tokens, now: datetime) -> None:
    link = tokens.link("confirm", 3, now + timedelta(days=30))
    assert tokens.is_link(link, now)
    assert tokens.is_link(link.upper(), now + timedelta(days=29))
    assert not tokens.is_link(link, now + timedelta(days=31))
    claimed = tokens.read_link(link)
    assert claimed is not None
    assert (claimed.purpose, claimed.subject) == ("confirm", 3)


def test_a_link_is_worth_nothing_for_another_purpose_subject_time_or_secret(tokens: Tokens, now: datetime) -> None:
    link = tokens.link("confirm", 3, now + timedelta(days=1), secret="one")
    purpose, subject, stamp, signature = link.split("-")
    assert tokens.is_link(link, now, secret="one")
    assert not tokens.is_link(link, now, secret="two")
    assert not tokens.is_link(f"reset-{subject}-{stamp}-{signature}", now, secret="one")
    assert not tokens.is_link(f"{purpose}-4-{stamp}-{signature}", now, secret="one")
    assert not tokens.is_link(f"{purpose}-{subject}-{int(stamp) + 1}-{signature}", now, secret="one")
    assert not tokens.is_link("no link at all", now)


def test_a_stored_password_is_not_readable_without_the_key(tokens: Tokens) -> None:
    stored = tokens.encrypt("swordfish")
    assert "swordfish" not in stored
    assert tokens.decrypt(stored) == "swordfish"
    assert Tokens(OLD).decrypt(stored) is None
    assert tokens.decrypt("no token") is None
