"""A portal on the database of the test, and visitors who click through it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.app import create_app
from shared import accounts
from shared.addresses import address_key
from shared.config import Settings
from shared.credentials import hash_password
from shared.database import Database
from shared.models import Mailbox, Role, User

PASSWORD = "correct horse battery"
CODE = "K7W2-19QF-33AB"


class Clock:
    """The portal's clock, moved by hand."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Visitor(FlaskClient):
    """Somebody with a browser of their own."""

    def submit(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Post a form as the page would: with its CSRF token."""
        page = self.get("/account/csrf-probe")  # even the page for what is not there has a form
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert found
        return self.post(path, data={"csrf_token": found[1], **(data or {})}, **options)

    def sign_in(self, user: User | str, password: str = PASSWORD) -> Visitor:
        """Sign in, and be in."""
        login = user if isinstance(user, str) else user.email
        answer = self.submit("/login", {"login": login, "password": password})
        assert answer.status_code == 303, answer.text
        return self


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def portal_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"password_rounds": 1, "admin_code": CODE})


@pytest.fixture
def make_portal(database: Database, clock: Clock) -> Callable[[Settings], Flask]:
    """Make a portal with these settings; its mailbox is there."""

    def make(settings: Settings) -> Flask:
        with database.transaction() as session:
            key = address_key(settings.address)
            if session.scalar(select(Mailbox).where(Mailbox.address_key == key)) is None:
                session.add(Mailbox(address=settings.address, address_key=key, created_at=clock()))
        app = create_app(settings, database, extract=lambda raw, part: f"{part} of {len(raw)}".encode(), clock=clock)
        app.test_client_class = Visitor
        app.testing = True
        return app

    return make


@pytest.fixture
def portal_app(make_portal: Callable[[Settings], Flask], portal_settings: Settings) -> Flask:
    return make_portal(portal_settings)


@pytest.fixture
def visitor(portal_app: Flask) -> Callable[[], Visitor]:
    """Somebody new with a browser of their own: `visitor()`."""

    def make() -> Visitor:
        client = portal_app.test_client()
        assert isinstance(client, Visitor)
        return client

    return make


@pytest.fixture
def portal(visitor: Callable[[], Visitor]) -> Visitor:
    return visitor()


@pytest.fixture
def account(database: Database, clock: Clock) -> Callable[..., User]:
    """Make somebody who can sign in with PASSWORD: `account("jonas@desk.example", Role.ADMIN)`."""

    def make(email: str, role: Role = Role.REQUESTER, *, name: str = "", username: str | None = None) -> User:
        details = accounts.Details(
            email=email, name=name, username=username, role=role, password_hash=hash_password(PASSWORD, 1)
        )
        with database.transaction() as session:
            return accounts.create(session, details, now=clock())

    return make


@pytest.fixture
def admin(account: Callable[..., User]) -> User:
    return account("jonas@desk.example", Role.ADMIN, name="Jonas Okafor", username="jonas")


@pytest.fixture
def agent(account: Callable[..., User]) -> User:
    return account("mira@desk.example", Role.AGENT, name="Mira Steiner", username="mira")


@pytest.fixture
def requester(account: Callable[..., User]) -> User:
    return account("anna@brightmill.example", name="Anna Kowalczyk", username="anna")
