"""Signing in and out, sessions, headers, theme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select

from portal.access import is_own_path
from shared import accounts
from shared.config import Settings
from shared.database import Database
from shared.models import LoginThrottle, User
from tests.visitors import PASSWORD, Clock, Visitor

WRONG = "That address and password do not belong together."


@pytest.mark.parametrize("login", ["jonas@desk.example", "JONAS@Desk.Example", "jonas", "Jonas", " jonas "])
def test_a_person_signs_in_with_address_or_username_whatever_the_letter_case(
    portal: Visitor, admin: User, login: str
) -> None:
    portal.sign_in(login)
    assert admin.name in portal.get("/account").text


def test_a_wrong_login_does_not_say_which_half_was_wrong(portal: Visitor, admin: User) -> None:
    wrong_password = portal.submit("/login", {"login": admin.email, "password": "not the password"})
    unknown_person = portal.submit("/login", {"login": "nobody@desk.example", "password": "not the password"})
    assert wrong_password.status_code == unknown_person.status_code == 422
    assert WRONG in wrong_password.text
    assert wrong_password.text.count(WRONG) == unknown_person.text.count(WRONG) == 1


def test_a_person_known_from_mail_alone_cannot_sign_in_with_an_empty_password(
    portal: Visitor, database: Database, account: Callable[..., User]
) -> None:
    user = account("anna@brightmill.example")
    with database.transaction() as session:
        session.get_one(User, user.id).password_hash = None
    assert portal.submit("/login", {"login": user.email, "password": ""}).status_code == 422
    assert portal.submit("/login", {"login": user.email, "password": PASSWORD}).status_code == 422


def test_after_five_wrong_passwords_the_right_one_has_to_wait_five_minutes(
    portal: Visitor, admin: User, clock: Clock
) -> None:
    for _ in range(5):
        portal.submit("/login", {"login": admin.email, "password": "not the password"})
    refused = portal.submit("/login", {"login": admin.email, "password": PASSWORD})
    assert refused.status_code == 429
    assert "Too many tries" in refused.text
    clock.advance(minutes=6)
    portal.sign_in(admin)


def test_other_spellings_of_a_username_are_no_further_tries(portal: Visitor, admin: User) -> None:
    spellings = ["jonas", "JONAS", "jonaſ", "ｊｏｎａｓ", " Jonas"]
    for login in spellings:
        portal.submit("/login", {"login": login, "password": "not the password"})
    assert portal.submit("/login", {"login": "jonas", "password": PASSWORD}).status_code == 429


def test_a_right_password_forgives_the_wrong_ones_before_it(portal: Visitor, admin: User) -> None:
    for _ in range(3):
        for _ in range(3):
            portal.submit("/login", {"login": admin.email, "password": "not the password"})
        right = portal.submit("/login", {"login": admin.email, "password": PASSWORD})
        assert right.status_code == 303, "the wrong ones of earlier still count"
        portal.submit("/logout")


def test_the_throttle_keeps_no_name_and_no_client_address(portal: Visitor, admin: User, database: Database) -> None:
    portal.submit("/login", {"login": admin.email, "password": "not the password"})
    with database.reading() as session:
        keys = session.scalars(select(LoginThrottle.key)).all()
    assert keys
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)


def test_signing_out_ends_the_session(portal: Visitor, admin: User) -> None:
    portal.sign_in(admin)
    assert portal.submit("/logout").location == "/login"
    assert portal.get("/account").status_code == 303


def test_a_form_without_its_token_is_refused(portal: Visitor, admin: User) -> None:
    answer = portal.post("/login", data={"login": admin.email, "password": PASSWORD})
    assert answer.status_code == 400
    assert "no longer good" in answer.text


def test_a_page_that_needs_a_login_comes_back_to_itself_after_it(portal: Visitor, admin: User) -> None:
    asked = portal.get("/people?q=anna")
    assert asked.status_code == 303
    assert asked.location == "/login?next=/people?q%3Danna"
    answer = portal.submit(asked.location, {"login": admin.email, "password": PASSWORD})
    assert answer.location == "/people?q=anna"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", ""]
)
def test_a_login_never_leads_to_another_site(portal: Visitor, admin: User, target: str) -> None:
    assert not is_own_path(target)
    answer = portal.submit("/login?next=" + quote(target), {"login": admin.email, "password": PASSWORD})
    assert answer.location == "/"


def test_disabling_somebody_ends_their_session_at_once(
    portal: Visitor, requester: User, database: Database, clock: Clock
) -> None:
    portal.sign_in(requester)
    assert portal.get("/account").status_code == 200
    with database.transaction() as session:
        accounts.disable(session, session.get_one(User, requester.id), now=clock())
    assert portal.get("/account").status_code == 303
    assert portal.submit("/login", {"login": requester.email, "password": PASSWORD}).status_code == 422


def test_the_session_cookie_is_for_this_site_and_for_no_script(portal: Visitor) -> None:
    cookie = portal.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_tls_cookies_are_secure(make_portal: Callable[[Settings], Flask], portal_settings: Settings) -> None:
    app = make_portal(portal_settings.model_copy(update={"portal_url": "https://desk.example"}))
    answer = app.test_client().get("/login", base_url="https://desk.example")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_a_session_lasts_as_long_as_the_browser_unless_asked_to_stay(portal: Visitor, admin: User) -> None:
    portal.sign_in(admin)
    assert all(cookie.expires is None for cookie in [portal.get_cookie("letterdesk")] if cookie)
    portal.submit("/logout")
    portal.submit("/login", {"login": admin.email, "password": PASSWORD, "stay": "y"})
    stays = portal.get_cookie("letterdesk")
    assert stays is not None
    assert stays.expires is not None


def test_a_cookie_signed_with_a_former_key_is_still_good(
    make_portal: Callable[[Settings], Flask], portal_settings: Settings, admin: User
) -> None:
    before = make_portal(portal_settings).test_client()
    assert isinstance(before, Visitor)
    before.sign_in(admin)
    old = before.get_cookie("letterdesk")
    assert old is not None
    changed = {"secret_key": "another key of the desk", "secret_key_old": portal_settings.secret_key}
    after = make_portal(portal_settings.model_copy(update=changed)).test_client()
    after.set_cookie("letterdesk", old.value)
    assert after.get("/account").status_code == 200


def test_every_page_has_a_strict_policy_and_no_inline_script_or_style(portal: Visitor, admin: User) -> None:
    pages = [portal.get(path) for path in ("/login", "/register", "/forgotten", "/nothing-here")]
    portal.sign_in(admin)
    pages += [portal.get(path) for path in ("/people", f"/people/{admin.id}", "/account")]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script|<style| style=| on[a-z]+=", page.text)


def test_static_files_may_be_kept(portal: Visitor) -> None:
    found = re.search(r'href="(/static/portal\.css\?v=[0-9a-f]+)"', portal.get("/login").text)
    assert found
    with portal.get(found[1]) as answer:
        assert answer.status_code == 200
        assert "max-age" in answer.headers["Cache-Control"]


def test_the_theme_is_kept_in_a_cookie_and_written_on_the_page(portal: Visitor) -> None:
    assert "data-theme" not in portal.get("/login").text
    answer = portal.submit("/theme", {"theme": "dark", "next": "/login"})
    assert answer.location == "/login"
    assert 'data-theme="dark"' in portal.get("/login").text
    portal.submit("/theme", {"theme": "system"})
    assert "data-theme" not in portal.get("/login").text


def test_choosing_a_theme_never_leads_to_another_site(portal: Visitor) -> None:
    assert portal.submit("/theme", {"theme": "dark", "next": "//evil.example"}).location == "/"


def test_a_page_that_is_not_there_says_so_in_the_design(portal: Visitor) -> None:
    answer = portal.get("/nothing-here")
    assert answer.status_code == 404
    assert "Nothing here" in answer.text


def test_too_large_an_upload_is_a_page_and_not_a_crash(
    make_portal: Callable[[Settings], Flask], portal_settings: Settings
) -> None:
    client = make_portal(portal_settings.model_copy(update={"max_message_bytes": 100_000})).test_client()
    upload = io.BytesIO(b"login=" + b"x" * 200_000)
    answer = client.post(
        "/login", input_stream=upload, content_length=200_006, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 413
    assert "Too large" in answer.text
    assert upload.tell() == 200_006, "a browser that cannot finish sending shows no page"


def test_a_nul_in_a_field_is_refused(portal: Visitor) -> None:
    assert portal.submit("/login", {"login": "a\0b", "password": "x"}).status_code == 400
    assert portal.get("/login?next=%00").status_code == 400


def test_health_is_good_while_the_database_answers(portal: Visitor) -> None:
    assert portal.get("/healthz").status_code == 200
