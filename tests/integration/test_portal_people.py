"""The list of people, a person's page, roles and access, one's own profile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from shared import accounts
from shared.credentials import AddressError
from shared.database import Database
from shared.models import Mailbox, Role, Ticket, User
from shared.people import find_or_create
from tests.visitors import PASSWORD, Clock, Visitor


@pytest.fixture
def crowd(database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        for n in range(60):
            find_or_create(session, f"p{n:02}@mail.example", f"Person {n:02}", clock())


def test_a_requester_sees_neither_the_people_nor_a_person(portal: Visitor, requester: User, admin: User) -> None:
    portal.sign_in(requester)
    assert portal.get("/people").status_code == 403
    assert portal.get(f"/people/{admin.id}").status_code == 403


@pytest.mark.usefixtures("crowd")
def test_the_list_has_pages_of_a_chosen_size(portal: Visitor, agent: User) -> None:
    portal.sign_in(agent)
    first = portal.get("/people").text
    assert "1 to 25 of 61 people" in first
    assert "Person 23" in first
    assert "Person 30" not in first
    assert "Person 30" in portal.get("/people?page=2").text
    assert "1 to 50 of 61 people" in portal.get("/people?per_page=50").text
    for odd in ("?page=0", "?page=-1", "?page=x", "?page=99999999999", "?per_page=7", "?role=king"):
        assert portal.get("/people" + odd).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [("kowal", True), ("KOWAL", True), ("anna brightmill", True), ("anna nobody", False), ("%", False), ("_", False)],
)
def test_people_are_found_by_name_username_and_address(
    portal: Visitor, agent: User, requester: User, query: str, found: bool
) -> None:
    portal.sign_in(agent)
    page = portal.get("/people", query_string={"q": query}).text
    assert (requester.name in page) is found


def test_a_persons_page_shows_the_tickets_they_asked(
    portal: Visitor, agent: User, requester: User, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        mailbox = session.scalars(select(Mailbox)).one()
        for number in (1, 2):
            asker = requester if number == 1 else agent
            session.add(
                Ticket(
                    id=number,
                    subject=f"Subject <{number}>",
                    requester_id=asker.id,
                    mailbox_id=mailbox.id,
                    created_at=clock(),
                    last_activity_at=clock() - timedelta(days=1),
                )
            )
    portal.sign_in(agent)
    page = portal.get(f"/people/{requester.id}").text
    assert "Subject &lt;1&gt;" in page
    assert "Subject &lt;2&gt;" not in page
    assert "Yesterday" in page


def test_only_an_admin_changes_roles_and_access(portal: Visitor, agent: User, requester: User, admin: User) -> None:
    portal.sign_in(agent)
    assert "Change role" not in portal.get(f"/people/{requester.id}").text
    for action in ("role", "disable", "enable"):
        assert portal.submit(f"/people/{requester.id}/{action}", {"role": "admin"}).status_code == 403


def test_an_admin_makes_somebody_an_agent(portal: Visitor, admin: User, requester: User, database: Database) -> None:
    portal.sign_in(admin)
    answer = portal.submit(f"/people/{requester.id}/role", {"role": "agent"}, follow_redirects=True)
    assert "Anna Kowalczyk is an agent now." in answer.text
    with database.reading() as session:
        assert session.get_one(User, requester.id).role is Role.AGENT
    assert portal.submit(f"/people/{requester.id}/role", {"role": "king"}).status_code == 400
    assert portal.submit("/people/4711/role", {"role": "agent"}).status_code == 404


def test_somebody_is_disabled_and_let_in_again(visitor: Callable[[], Visitor], admin: User, requester: User) -> None:
    theirs, ours = visitor().sign_in(requester), visitor().sign_in(admin)
    answer = ours.submit(f"/people/{requester.id}/disable", follow_redirects=True)
    assert "is disabled and signed out everywhere" in answer.text
    assert theirs.get("/account").status_code == 303
    ours.submit(f"/people/{requester.id}/enable")
    assert theirs.get("/account").status_code == 303
    theirs.sign_in(requester)


@pytest.mark.parametrize("action", [("disable", {}), ("role", {"role": "agent"})])
def test_the_last_admin_stays(
    portal: Visitor, admin: User, database: Database, action: tuple[str, dict[str, str]]
) -> None:
    portal.sign_in(admin)
    answer = portal.submit(f"/people/{admin.id}/{action[0]}", action[1], follow_redirects=True)
    assert "That is the last administrator." in answer.text
    with database.reading() as session:
        kept = session.get_one(User, admin.id)
    assert kept.role is Role.ADMIN
    assert kept.disabled_at is None


def test_two_admins_who_disable_each_other_at_once_leave_one(
    database: Database, admin: User, account: Callable[..., User], clock: Clock
) -> None:
    other = account("other@desk.example", Role.ADMIN)

    def disable(number: int) -> bool:
        try:
            with database.transaction() as session:
                accounts.disable(session, session.get_one(User, number), now=clock())
        except accounts.LastAdminError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(disable, (admin.id, other.id))) == [False, True]
    with database.reading() as session:
        assert accounts.count_admins(session) == 1


def test_a_profile_is_changed_and_a_taken_username_is_said(portal: Visitor, requester: User, admin: User) -> None:
    portal.sign_in(requester)
    answer = portal.submit("/account", {"name": "Anna K.", "username": "ak"}, follow_redirects=True)
    assert "Saved." in answer.text
    assert 'value="Anna K."' in answer.text
    refused = portal.submit("/account", {"name": "Anna K.", "username": "Jonas"})
    assert refused.status_code == 422
    assert "That username is taken." in refused.text
    portal.submit("/logout")
    portal.sign_in("ak")


def test_a_username_can_be_given_up(portal: Visitor, requester: User, account: Callable[..., User]) -> None:
    portal.sign_in(requester)
    portal.submit("/account", {"name": "Anna", "username": ""})
    other = account("other@mail.example", username="anna")
    assert (requester.username, other.username) == ("anna", "anna")
    portal.submit("/logout")
    portal.sign_in("anna")
    assert "other@mail.example" in portal.get("/account").text


def test_another_password_ends_the_other_sessions_and_keeps_this_one(
    visitor: Callable[[], Visitor], requester: User
) -> None:
    here, elsewhere = visitor().sign_in(requester), visitor().sign_in(requester)
    new = "a better password"
    wrong = here.submit("/account/password", {"current": "no", "password": new, "again": new})
    assert wrong.status_code == 422
    assert "That is not the password that you have now." in wrong.text
    answer = here.submit("/account/password", {"current": PASSWORD, "password": new, "again": new})
    assert answer.status_code == 303
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    visitor().sign_in(requester, new)


def test_accounts_from_the_shell_are_made_once(database: Database, clock: Clock, admin: User) -> None:
    with database.transaction() as session, pytest.raises(AddressError):
        accounts.create(session, accounts.Details(email="JONAS@desk.example"), now=clock())
