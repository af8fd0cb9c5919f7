"""Visitors who click through the portal as a browser would, and a clock that is moved by hand."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.models import User

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
