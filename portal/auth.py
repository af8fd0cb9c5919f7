"""Sign in and out, have a new password mailed."""

from __future__ import annotations

from functools import cache

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from portal.access import SignedIn, is_own_path
from portal.desk import desk, now
from portal.forms import ForgottenForm, LoginForm, ResetForm, blame
from portal.mailing import check_client, mail_link, opened_link, said_sent
from portal.throttle import allow, forgive
from shared import accounts, registrations
from shared.credentials import AccountError, hash_password, is_password
from shared.models import RegistrationPurpose, User
from shared.registrations import LinkError

blueprint = Blueprint("auth", __name__)

WRONG = "That address and password do not belong together."
TOO_MANY = "Too many tries. Wait five minutes, or have a new password mailed."
Answer = str | Response | tuple[str, int]


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> Answer:
    """One field for address or username, one for the password; a wrong pair never says which half was wrong."""
    if current_user.is_authenticated:
        return redirect(_next())
    form = LoginForm()
    if request.method == "GET":
        return render_template("auth/login.html", form=form)
    if not form.validate_on_submit():
        return render_template("auth/login.html", form=form), 422
    if not _may_try(form.login.data):
        flash(TOO_MANY, "error")
        return render_template("auth/login.html", form=form), 429
    user = _user_of(form.login.data, form.password.data)
    if user is None:
        flash(WRONG, "error")
        return render_template("auth/login.html", form=form), 422
    _note_login(user, form.login.data)
    sign_in(user, stay=form.stay.data)
    return redirect(_next(), 303)


@blueprint.post("/logout")
def logout() -> Response:
    """End this session."""
    logout_user()
    session.clear()
    flash("You are signed out.", "success")
    return redirect(url_for("auth.login"), 303)


def sign_in(user: User, *, stay: bool) -> None:
    """Begin a session for a user; with `stay` it outlives the browser."""
    session.clear()
    login_user(SignedIn(user))
    session.permanent = stay


def _next() -> str:
    target = request.args.get("next", "")
    return target if is_own_path(target) else url_for("home")


def _may_try(login: str) -> bool:
    """Count one try under the account and the client, before anything is looked at."""
    client = request.remote_addr or ""
    account = accounts.login_key(login)
    with desk().database.transaction() as db:
        counted = (
            allow(db, "client", client, now()),
            allow(db, "account", f"{client} {account}", now()),
            allow(db, "everywhere", account, now()),
        )
    return all(counted)


def _user_of(login: str, password: str) -> User | None:
    """The user with this login and this password; takes as long when there is none."""
    with desk().database.reading() as db:
        user = accounts.find_by_login(db, login)
    stored = user.password_hash if user else None
    right = is_password(stored or _nobody(desk().settings.password_rounds), password)
    return user if right and user and stored and user.disabled_at is None else None


@cache
def _nobody(rounds: int) -> str:
    """The hash that is compared where there is no account, so that it takes the same time."""
    return hash_password("nobody has this password", rounds)


def _note_login(user: User, login: str) -> None:
    with desk().database.transaction() as db:
        account = accounts.login_key(login)
        forgive(db, "account", f"{request.remote_addr or ''} {account}", now())
        forgive(db, "everywhere", account, now())
        db.get_one(User, user.id).last_login_at = now()


@blueprint.route("/forgotten", methods=["GET", "POST"])
def forgotten() -> Answer:
    """Have a link for a new password mailed; the answer is the same for every address."""
    form = ForgottenForm()
    if not form.validate_on_submit():
        return render_template("auth/forgotten.html", form=form), 422 if form.is_submitted() else 200
    check_client()
    try:
        with desk().database.transaction() as db:
            registration = registrations.ask_reset(db, form.email.data, now=now())
            mail_link(db, registration)
    except AccountError as error:
        blame(form, error)
        return render_template("auth/forgotten.html", form=form), 422
    return said_sent(form.email.data)


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
def reset(token: str) -> Answer:
    """Choose a new password, behind the mailed link."""
    form = ResetForm()
    try:
        registration = opened_link(token, RegistrationPurpose.RESET)
        if not form.validate_on_submit():
            return render_template("auth/reset.html", form=form, email=registration.email), (
                422 if form.is_submitted() else 200
            )
        password_hash = hash_password(form.password.data, desk().settings.password_rounds)
        with desk().database.transaction() as db:
            user = registrations.reset_password(db, registration, password_hash, now=now())
            user.last_login_at = now()
    except LinkError as error:
        return render_template("auth/link.html", sentence=str(error)), 410
    sign_in(user, stay=False)
    flash("Your new password is set. Everywhere else you are signed out.", "success")
    return redirect(url_for("home"), 303)
