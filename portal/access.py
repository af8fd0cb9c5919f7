"""Who is signed in, and what they may open."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from flask import Flask, abort, flash, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.desk import desk
from shared.models import Role, User

View = Callable[..., Any]
ROLE_WORDS = {Role.REQUESTER: "Requester", Role.AGENT: "Agent", Role.ADMIN: "Administrator"}


class SignedIn(UserMixin):
    """The person of this session: a copy of their row, read once for each request."""

    def __init__(self, user: User) -> None:
        self.id = user.id
        self.name = user.name
        self.email = user.email
        self.username = user.username
        self.role = user.role
        self.role_words = ROLE_WORDS[user.role]
        self.label = user.label
        self.is_staff = user.is_staff
        self.is_admin = user.role is Role.ADMIN
        self.session_version = user.session_version

    def get_id(self) -> str:
        return f"{self.id}.{self.session_version}"


def me() -> SignedIn:
    """The person who is signed in. Call it only in views behind `login_required`, `staff_only` or `admin_only`."""
    return cast(SignedIn, current_user)


def actor(session: Session) -> User:
    """The row of the person who is signed in, in this session: who an operation is done by."""
    return session.get_one(User, me().id)


def staff_only(view: View) -> View:
    """Let agents and administrators in; a requester gets a 403."""
    return _guarded(view, lambda person: person.is_staff)


def admin_only(view: View) -> View:
    """Let administrators in; everybody else gets a 403."""
    return _guarded(view, lambda person: person.is_admin)


def _guarded(view: View, allowed: Callable[[SignedIn], bool]) -> View:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not allowed(me()):
            abort(403)
        return view(*args, **kwargs)

    return cast(View, login_required(guarded))


def is_own_path(target: str) -> bool:
    """Whether a `next` parameter stays on this site: one path, no host, nothing a browser would fold into one."""
    return target.startswith("/") and target[1:2] not in {"/", "\\"} and target.isprintable() and "\\" not in target


def init_access(app: Flask) -> None:
    """Make sessions work: who is signed in, and where the others are sent."""
    login = LoginManager(app)
    login.user_loader(load_person)
    login.unauthorized_handler(_to_login)


def load_person(session_id: str) -> SignedIn | None:
    """The person of a session; None once they were disabled or their sessions were ended.

    On the page that says that the database does not answer it is nobody: the database would have to be asked.
    """
    if g.get("database_is_away"):
        return None
    number, _, version = session_id.partition(".")
    if not (number.isascii() and number.isdigit() and version.isascii() and version.isdigit()):
        return None
    with desk().database.reading() as session:
        user = session.get(User, int(number))
    if user is None or user.disabled_at is not None or user.session_version != int(version):
        return None
    return SignedIn(user)


def _to_login() -> Response:
    """Ask to sign in; a page that was asked for is shown afterwards, a form that was sent is not sent again."""
    if request.method == "GET":
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?")), 303)
    flash("You are signed out. Sign in, then send it again.", "error")
    return redirect(url_for("auth.login"), 303)
