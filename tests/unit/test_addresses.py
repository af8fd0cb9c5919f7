"""Two spellings of one address have one key, and what is no address is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addresses import MAX_LENGTH, address_key, is_address, with_plus, without_plus


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@example.org", "Anna@Example.ORG"),
        ("anna@example.org", " anna@example.org\n"),
        ("zoe\u0308@example.org", "ZO\u00cb@example.org"),
        ("anna@b\u00fccher.example", "Anna@B\u00dcCHER.example"),
    ],
)
def test_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mike@example.org", "mi\u212ae@example.org"),  # KELVIN SIGN
        ("anna@example.org", "ann\u0430@example.org"),  # a Cyrillic letter
        ("anna@example.org", "anna+x@example.org"),
    ],
)
def test_addresses_that_only_look_alike_have_two_keys(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert address_key(address_key(text)) == address_key(text)


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.org",
        "a.b+c@example.org",
        "anna@localhost",
        "o'hara@example.org",
        "zo\u00eb@b\u00fccher.example",
        "a@192.example",
    ],
)
def test_an_address_is_known_as_one(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@example.org",
        "anna@",
        "anna@example..org",
        "anna@-example.org",
        "anna@example-.org",
        "anna@exa_mple.org",
        "anna bell@example.org",
        "anna@example.org, bob@example.org",
        "<anna@example.org>",
        "alice@example.org)bob@evil.example",
        "anna@example.org\r\nBcc: bob@evil.example",
        "anna\0@example.org",
        "anna\udcff@example.org",
        "anna\u202e@example.org",
        "a@b@example.org",
        '"anna bell"@example.org',
        "x" * 65 + "@example.org",
        "anna@" + "x." * 130 + "org",
        "anna@" + "x" * 64 + ".org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not is_address(text)


@given(st.text(max_size=300))
def test_the_key_of_every_address_fits_where_it_is_stored(text: str) -> None:
    if is_address(text):
        assert len(address_key(text)) <= MAX_LENGTH


def test_an_address_whose_key_would_be_too_long_is_refused() -> None:
    grows = "\u0130" * 60 + "@" + ".".join(["\u0130" * 60] * 3)
    assert len(grows) <= MAX_LENGTH < len(address_key(grows))
    assert not is_address(grows)


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("support+4821-abc@desk.example", ("support@desk.example", "4821-abc")),
        ("support@desk.example", ("support@desk.example", "")),
        ("support+@desk.example", ("support@desk.example", "")),
        ("no address", ("no address", "")),
    ],
)
def test_a_plus_address_is_split_into_address_and_suffix(address: str, split: tuple[str, str]) -> None:
    assert without_plus(address) == split


def test_what_was_put_together_comes_apart_again() -> None:
    assert without_plus(with_plus("support@desk.example", "7-abc")) == ("support@desk.example", "7-abc")
