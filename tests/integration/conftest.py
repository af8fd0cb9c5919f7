"""A portal on the database of the test and visitors who click through it; mail servers that take mail, and keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.app import create_app
from shared import accounts, tickets
from shared.addresses import address_key
from shared.config import Settings
from shared.credentials import hash_password
from shared.database import Database
from shared.models import Mailbox, Role, Ticket, User
from shared.tokens import Tokens
from tests.dovecot import Dovecot, running_dovecot
from tests.mail_sink import MailSink, mail_sink
from tests.visitors import CODE, PASSWORD, Clock, Visitor


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


@pytest.fixture
def opened(database: Database, portal: Visitor, tokens: Tokens, clock: Clock) -> Callable[..., Ticket]:
    """Open a ticket: `opened(requester, "Subject", text="…", cc=[…])`."""

    def make(requester: User, subject: str, *, text: str = "Good morning", **options: Any) -> Ticket:
        with database.transaction() as session:
            user = session.get_one(User, requester.id)
            mailbox = session.scalars(select(Mailbox)).first()
            assert mailbox
            options.setdefault("acknowledge", False)
            return tickets.open_ticket(
                session, requester=user, author=user, subject=subject, text=text, mailbox=mailbox,
                now=clock(), tokens=tokens, **options,
            )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def server() -> Iterator[Dovecot]:
    with running_dovecot() as running:
        yield running


@pytest.fixture
def dovecot(server: Dovecot) -> Dovecot:
    """An account that nobody had before."""
    return server.fresh()


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with mail_sink() as caught:
        yield caught
