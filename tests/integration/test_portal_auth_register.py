"""Registering, confirming through the mailed link, a forgotten password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from shared import accounts, registrations
from shared.config import Settings
from shared.credentials import UsernameTakenError, hash_password
from shared.database import Database
from shared.models import Delivery, DeliveryCause, Registration, RegistrationPurpose, Role, User
from shared.people import find_or_create, user_of_address
from shared.tokens import Tokens
from tests.visitors import CODE, PASSWORD, Clock, Visitor

DETAILS = {"name": "Noor Vos", "email": "noor@mail.example", "password": PASSWORD, "again": PASSWORD}
Mails = Callable[[], list[tuple[str, str]]]
Link = Callable[[], str]


@pytest.fixture
def mails(database: Database) -> Mails:
    """The account mails queued so far: (template, recipient)."""

    def queued() -> list[tuple[str, str]]:
        with database.reading() as session:
            rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        assert all(row.cause is DeliveryCause.ACCOUNT for row in rows)
        return [(row.context["template"], row.recipient) for row in rows]

    return queued


@pytest.fixture
def link(database: Database, tokens: Tokens) -> Link:
    """The path of the link of the last registration or reset."""

    def made() -> str:
        with database.reading() as session:
            row = session.scalars(select(Registration).order_by(Registration.id.desc()).limit(1)).one()
        page = "confirm" if row.purpose is RegistrationPurpose.REGISTER else "reset"
        return f"/{page}/{registrations.link_token(tokens, row)}"

    return made


def find(database: Database, login: str) -> User | None:
    with database.reading() as session:
        return accounts.find_by_login(session, login)


def test_a_registration_takes_effect_only_through_the_mailed_link(
    portal: Visitor, database: Database, mails: Mails, link: Link, clock: Clock
) -> None:
    answer = portal.submit("/register", {**DETAILS, "username": "noor"})
    assert answer.location == "/register/sent"
    assert "noor@mail.example" in portal.get("/register/sent").text
    assert mails() == [("confirm", "noor@mail.example")]
    assert find(database, "noor@mail.example") is None
    assert portal.submit("/login", {"login": "noor@mail.example", "password": PASSWORD}).status_code == 422

    assert portal.get(link()).status_code == 200
    assert find(database, "noor@mail.example") is None  # a mail scanner opens links as well
    assert portal.submit(link(), {"password": PASSWORD}).location == "/"
    assert "Noor Vos" in portal.get("/account").text
    user = find(database, "noor")
    assert user is not None
    assert user.role is Role.REQUESTER
    assert user.last_login_at == clock()


def test_a_person_known_from_mail_claims_their_tickets_by_the_link(
    portal: Visitor, database: Database, clock: Clock, link: Link
) -> None:
    with database.transaction() as session:
        known = find_or_create(session, "Noor@Mail.example", "N. Vos", clock())
    portal.submit("/register", DETAILS)
    portal.submit(link(), {"password": PASSWORD})
    user = find(database, "noor@mail.example")
    assert user is not None
    assert user.id == known.id
    assert user.name == "Noor Vos"
    with database.reading() as session:
        assert [a.confirmed_at for a in session.get_one(User, user.id).addresses] == [clock()]


def test_the_page_answers_the_same_for_known_and_unknown_addresses(
    visitor: Callable[[], Visitor], requester: User, database: Database, clock: Clock, mails: Mails
) -> None:
    with database.transaction() as session:
        find_or_create(session, "known@mail.example", "", clock())
    pages = []
    for email in (requester.email, "known@mail.example", "new@mail.example"):
        client = visitor()
        answer = client.submit("/register", {**DETAILS, "email": email})
        assert (answer.status_code, answer.location) == (303, "/register/sent")
        pages.append(client.get("/register/sent").text.replace(email, "ADDRESS"))
    assert len({page.partition('name="csrf_token"')[0] for page in pages}) == 1
    assert [template for template, _ in mails()] == ["already_registered", "confirm", "confirm"]


def test_a_registration_cannot_take_over_an_account(
    portal: Visitor, requester: User, link: Link, database: Database
) -> None:
    portal.submit("/register", {**DETAILS, "email": requester.email, "password": "x" * 12, "again": "x" * 12})
    assert portal.submit(link(), {"password": "x" * 12}).status_code == 410
    portal.sign_in(requester)


def test_the_link_asks_for_the_password_that_was_chosen(portal: Visitor, database: Database, link: Link) -> None:
    """Else somebody could register for another's address, and the other would confirm it for them."""
    portal.submit("/register", DETAILS)
    refused = portal.submit(link(), {"password": "something else"})
    assert refused.status_code == 422
    assert find(database, "noor@mail.example") is None


def test_the_password_behind_a_link_cannot_be_guessed_for_long(portal: Visitor, link: Link, clock: Clock) -> None:
    portal.submit("/register", DETAILS)
    for _ in range(5):
        portal.submit(link(), {"password": "something else"})
    assert portal.submit(link(), {"password": PASSWORD}).status_code == 422
    clock.advance(minutes=16)
    assert portal.submit(link(), {"password": PASSWORD}).status_code == 303


def test_a_link_works_once_and_for_a_day(portal: Visitor, link: Link, clock: Clock) -> None:
    portal.submit("/register", DETAILS)
    first = link()
    clock.advance(hours=25)
    assert portal.get(first).status_code == 410
    portal.submit("/register", DETAILS)
    second = link()
    assert portal.submit(second, {"password": PASSWORD}).status_code == 303
    assert portal.get(second).status_code == 410
    assert portal.submit(second, {"password": PASSWORD}).status_code == 410


@pytest.mark.parametrize("change", ["cut", "other purpose", "other number", "nonsense"])
def test_a_link_that_we_did_not_sign_does_nothing(portal: Visitor, link: Link, change: str, database: Database) -> None:
    portal.submit("/register", DETAILS)
    _, page, token = link().split("/")
    purpose, number, rest = token.split("-", 2)
    forged = {
        "cut": token[:-1],
        "other purpose": f"reset-{number}-{rest}",
        "other number": f"{purpose}-{int(number) + 1}-{rest}",
        "nonsense": "x" * 300,
    }[change]
    assert portal.submit(f"/{page}/{forged}", {"password": PASSWORD}).status_code == 410
    assert portal.get(f"/reset/{token}").status_code == 410
    assert find(database, "noor@mail.example") is None


def test_a_taken_username_is_a_friendly_word_beside_the_field(portal: Visitor, admin: User, mails: Mails) -> None:
    answer = portal.submit("/register", {**DETAILS, "username": "JONAS"})
    assert answer.status_code == 422
    assert "That username is taken." in answer.text
    assert 'value="Noor Vos"' in answer.text
    assert mails() == []


def test_a_username_that_is_taken_before_the_link_is_opened_can_be_changed_there(
    portal: Visitor, account: Callable[..., User], link: Link, database: Database
) -> None:
    portal.submit("/register", {**DETAILS, "username": "noor"})
    account("other@mail.example", username="Noor")
    assert "taken meanwhile" in portal.get(link()).text
    refused = portal.submit(link(), {"password": PASSWORD})
    assert refused.status_code == 422
    assert "That username is taken." in refused.text
    assert find(database, "noor@mail.example") is None
    assert portal.submit(link(), {"password": PASSWORD, "username": "noor.vos"}).status_code == 303
    assert find(database, "noor.vos") is not None


def test_the_database_decides_a_race_for_a_username(
    database: Database, requester: User, account: Callable[..., User]
) -> None:
    """What the loser would see when both had found the name free."""
    winner = account("other@mail.example", username="noor")
    with database.transaction() as session:
        loser = session.get_one(User, requester.id)
        with pytest.raises(UsernameTakenError):
            accounts.set_username(session, loser, "NOOR")
        accounts.set_name(loser, "Still Here")  # the transaction is not lost
    found = find(database, "noor")
    assert found is not None
    assert found.id == winner.id
    kept = find(database, requester.email)
    assert kept is not None
    assert (kept.name, kept.username) == ("Still Here", "anna")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("email", "not an address", "That is not a mail address"),
        ("email", "support@desk.example", "an address of this desk itself"),
        ("username", "a@b.example", "A username has letters"),
        ("password", "short", "A password has 8 to 200 characters"),
        ("again", "something else", "The two passwords differ."),
        ("name", "", "Your name"),
    ],
)
def test_a_fault_stands_beside_its_field_and_the_words_are_kept(
    portal: Visitor, mails: Mails, field: str, value: str, words: str
) -> None:
    answer = portal.submit("/register", {**DETAILS, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    assert f'id="{field}-error"' in answer.text
    assert PASSWORD not in answer.text
    assert mails() == []


def test_an_administrator_registers_in_two_steps_and_a_link(
    portal: Visitor, database: Database, mails: Mails, link: Link
) -> None:
    assert portal.submit("/register/admin", DETAILS).location == "/register/admin/code"
    assert mails() == []
    wrong = portal.submit("/register/admin/code", {"code": "K7W2-19QF-33AC"})
    assert wrong.status_code == 422
    assert "This is not the code." in wrong.text
    assert mails() == []
    assert portal.submit("/register/admin/code", {"code": CODE}).location == "/register/sent"
    assert mails() == [("confirm", "noor@mail.example")]
    assert find(database, "noor@mail.example") is None
    portal.submit(link(), {"password": PASSWORD})
    user = find(database, "noor@mail.example")
    assert user is not None
    assert user.role is Role.ADMIN


def test_the_code_cannot_be_guessed_for_long(portal: Visitor, mails: Mails, clock: Clock) -> None:
    portal.submit("/register/admin", DETAILS)
    for _ in range(5):
        portal.submit("/register/admin/code", {"code": "guess"})
    refused = portal.submit("/register/admin/code", {"code": CODE})
    assert refused.status_code == 422
    assert "Too many tries" in refused.text
    clock.advance(minutes=16)
    assert portal.submit("/register/admin/code", {"code": CODE}).status_code == 303


def test_the_second_step_needs_the_first(portal: Visitor) -> None:
    assert portal.get("/register/admin/code").location == "/register/admin"
    assert portal.submit("/register/admin/code", {"code": CODE}).location == "/register/admin"


def test_registering_as_an_administrator_is_closed_without_a_code(
    make_portal: Callable[[Settings], Flask], portal_settings: Settings
) -> None:
    app = make_portal(portal_settings.model_copy(update={"admin_code": ""}))
    client = app.test_client()
    assert isinstance(client, Visitor)
    for path in ("/register/admin", "/register/admin/code"):
        page = client.get(path)
        assert page.status_code == 404
        assert "Closed here" in page.text
        assert client.submit(path, {**DETAILS, "code": ""}).status_code == 404
    assert "administrator" not in client.get("/login").text


def test_an_agent_who_claims_an_account_stays_an_agent(
    portal: Visitor, database: Database, clock: Clock, link: Link
) -> None:
    with database.transaction() as session:
        accounts.set_role(session, find_or_create(session, "noor@mail.example", "", clock()), Role.AGENT)
    portal.submit("/register", DETAILS)
    portal.submit(link(), {"password": PASSWORD})
    user = find(database, "noor@mail.example")
    assert user is not None
    assert user.role is Role.AGENT


def test_a_disabled_person_gets_no_mail_and_their_links_stop(
    portal: Visitor, database: Database, clock: Clock, mails: Mails, link: Link
) -> None:
    portal.submit("/register", DETAILS)
    before = link()
    with database.transaction() as session:
        accounts.disable(session, find_or_create(session, "noor@mail.example", "", clock()), now=clock())
    assert portal.submit(before, {"password": PASSWORD}).status_code == 410
    assert portal.submit("/register", DETAILS).location == "/register/sent"
    assert portal.submit("/forgotten", {"email": "noor@mail.example"}).location == "/register/sent"
    assert mails() == [("confirm", "noor@mail.example")]


def test_one_address_gets_three_mails_an_hour_whoever_asks(portal: Visitor, mails: Mails, clock: Clock) -> None:
    for _ in range(5):
        assert portal.submit("/register", DETAILS).location == "/register/sent"
    assert len(mails()) == 3
    clock.advance(minutes=61)
    portal.submit("/register", DETAILS)
    assert len(mails()) == 4


def test_a_client_that_asks_for_many_mails_has_to_wait(portal: Visitor) -> None:
    answers = [portal.submit("/forgotten", {"email": f"p{n}@mail.example"}).status_code for n in range(21)]
    assert answers == [303] * 20 + [429]


def test_a_forgotten_password_is_replaced_through_a_link_and_ends_all_sessions(
    visitor: Callable[[], Visitor], requester: User, mails: Mails, link: Link, database: Database, tokens: Tokens
) -> None:
    elsewhere = visitor().sign_in(requester)
    here = visitor()
    assert here.submit("/forgotten", {"email": "ANNA@brightmill.example"}).location == "/register/sent"
    assert mails() == [("reset", "ANNA@brightmill.example")]
    path = link()
    assert here.get(path).status_code == 200
    new = {"password": "a better password", "again": "a better password"}
    assert here.submit(path, new).location == "/"
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert here.submit(path, new).status_code == 410
    visitor().sign_in(requester, "a better password")


def test_a_reset_for_an_unknown_address_answers_the_same_and_mails_nothing(portal: Visitor, mails: Mails) -> None:
    assert portal.submit("/forgotten", {"email": "nobody@mail.example"}).location == "/register/sent"
    assert mails() == []


def test_old_registrations_are_forgotten(database: Database, clock: Clock) -> None:
    details = accounts.Details(email="noor@mail.example", password_hash=hash_password(PASSWORD, 1))
    with database.transaction() as session:
        old = registrations.register(session, details, now=clock())
        registrations.register(session, details, now=clock() + timedelta(days=40))
        assert session.get(Registration, old.id) is None


def test_a_confirmed_registration_makes_one_user_however_often_it_is_tried(database: Database, clock: Clock) -> None:
    details = accounts.Details(email="noor@mail.example", name="Noor", password_hash=hash_password(PASSWORD, 1))
    with database.transaction() as session:
        first = registrations.register(session, details, now=clock())
        second = registrations.register(session, details, now=clock())
        user = registrations.confirm(session, first, username=None, now=clock())
        for again in (first, second):
            with pytest.raises(registrations.LinkError):
                registrations.confirm(session, again, username=None, now=clock())
        found = user_of_address(session, "noor@mail.example")
        assert found is not None
        assert found.id == user.id
