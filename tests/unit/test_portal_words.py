"""How the portal says times, sizes, names and pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest
from flask import Flask

from portal.appearance import file_size, full_time, initials, plural, short_time
from portal.desk import EXTENSION, Desk
from portal.paging import Page, wanted
from shared.credentials import PasswordError, UsernameError, clean_username, hash_password, is_password, username_key


@pytest.fixture
def on_21_november() -> Flask:
    """A portal that has nothing but a clock."""

    class OnlyClock:
        @staticmethod
        def clock() -> datetime:
            return datetime(2026, 11, 21, 9, 34, tzinfo=UTC)

    app = Flask("clock")
    app.extensions[EXTENSION] = cast(Desk, OnlyClock())
    return app


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-21T08:11:00+00:00", "08:11"),
        ("2026-11-21T01:30:00+02:00", "Yesterday"),
        ("2026-11-20T00:00:00+00:00", "Yesterday"),
        ("2026-11-19T23:59:00+00:00", "19 Nov"),
        ("2026-01-02T08:00:00+00:00", "2 Jan"),
        ("2025-11-19T08:00:00+00:00", "19 Nov 2025"),
    ],
)
def test_a_moment_is_said_as_people_say_it(on_21_november: Flask, moment: str, words: str) -> None:
    with on_21_november.app_context():
        assert short_time(datetime.fromisoformat(moment)) == words


def test_the_whole_date_is_said_in_full() -> None:
    assert full_time(datetime(2026, 11, 21, 8, 11, tzinfo=UTC)) == "Saturday 21 November 2026, 08:11 UTC"


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Anna Kowalczyk", "AK"),
        ("Anna Maria von Kowalczyk", "AK"),
        ("anna", "AN"),
        ("anna@mail.example", "AM"),
        ("李小龙", "李小"),
        ("“” ()", "?"),
        ("", "?"),
    ],
)
def test_a_face_has_two_letters_of_the_name(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_sizes_and_counts_are_said_for_people() -> None:
    assert [file_size(n) for n in (0, 812, 4321, 2_100_000)] == ["0 B", "812 B", "4 kB", "2.1 MB"]
    assert [plural(n, "ticket") for n in (0, 1, 2)] == ["0 tickets", "1 ticket", "2 tickets"]
    assert plural(2, "person", "people") == "2 people"


@pytest.mark.parametrize(
    ("number", "total", "around"),
    [
        (1, 0, [1]),
        (1, 60, [1, 2, 3]),
        (5, 250, [1, None, 4, 5, 6, None, 10]),
        (10, 250, [1, None, 9, 10]),
    ],
)
def test_the_pager_links_the_first_the_last_and_those_near(number: int, total: int, around: list[int | None]) -> None:
    assert Page(items=[], number=number, size=25, total=total).around == around


def test_a_page_knows_its_place_in_the_list() -> None:
    page = Page(items=["x"] * 10, number=3, size=25, total=60)
    assert (page.count, page.first, page.last) == (3, 51, 60)
    empty: Page[str] = Page(items=[], number=1, size=25, total=0)
    assert (empty.count, empty.first, empty.last) == (1, 0, 0)


@pytest.mark.parametrize(
    ("query", "number", "size"),
    [("", 1, 25), ("page=3&per_page=100", 3, 100), ("page=-2&per_page=9999", 1, 25), ("page=x&per_page=", 1, 25)],
)
def test_an_odd_page_becomes_the_first(query: str, number: int, size: int) -> None:
    with Flask("pages").test_request_context("/?" + query):
        asked = wanted()
    assert (asked.number, asked.size, asked.offset) == (number, size, (number - 1) * size)


@pytest.mark.parametrize("name", ["anna", "Anna.K", "a", "an_na-9", "łukasz", "李小龙", "x" * 64])
def test_a_username_may_be_any_word(name: str) -> None:
    assert clean_username(f" {name} ") == name


@pytest.mark.parametrize(
    "name", ["a@b.example", "two words", ".anna", "anna.", "x" * 65, "a/b", "<b>", "a\u202eb", "ﷺ" * 9]
)
def test_a_username_is_no_address_and_no_sentence(name: str) -> None:
    with pytest.raises(UsernameError):
        clean_username(name)


def test_an_empty_username_is_none() -> None:
    assert clean_username("  ") is None


@pytest.mark.parametrize("other", ["ANNA", "Anna", "ａｎｎａ"])
def test_usernames_that_look_alike_have_one_key(other: str) -> None:
    assert username_key(other) == username_key("anna")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 201])
def test_a_password_is_neither_short_nor_endless(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password, 1)


def test_a_password_is_kept_as_pbkdf2_with_the_rounds_of_the_settings() -> None:
    kept = hash_password("correct horse battery", 7)
    assert kept.startswith("pbkdf2:sha256:7$")
    assert is_password(kept, "correct horse battery")
    assert not is_password(kept, "correct horse batterz")
