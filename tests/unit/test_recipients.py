"""Which addresses are ours."""

from __future__ import annotations

import pytest

from intake.receiving.recipients import know

KNOWN = know({"support@desk.example": 1, "sales@shop.example": 2, "a+b@desk.example": 3}, "support@desk.example")


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("support@desk.example", 1),
        ("SUPPORT@Desk.Example", 1),
        ("support+12-abc@desk.example", 1),
        ("Support+@desk.example", 1),
        ("sales+x+y@shop.example", 2),
        ("a+b@desk.example", 3),
        ("a@desk.example", None),
        ("supports@desk.example", None),
        ("support@other.example", None),
        ("support", None),
        ("", None),
        ("postmaster", 1),
        ("POSTMASTER@shop.example", 1),
        ("postmaster@other.example", None),
    ],
)
def test_an_address_is_ours_whatever_its_case_and_suffix(address: str, mailbox: int | None) -> None:
    assert KNOWN.find(address) == mailbox


def test_without_the_desks_own_mailbox_the_postmaster_is_the_first_of_the_domain() -> None:
    known = know({"sales@shop.example": 2, "help@desk.example": 3}, "support@desk.example")
    assert known.find("postmaster@desk.example") == 3
    assert known.find("postmaster") == 2


def test_a_mailbox_named_postmaster_takes_its_own_mail() -> None:
    known = know({"support@desk.example": 1, "postmaster@desk.example": 2}, "support@desk.example")
    assert known.find("postmaster@desk.example") == 2
