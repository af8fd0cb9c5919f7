"""Register, as a requester or in two steps as an administrator, and confirm it through the mailed link."""

from __future__ import annotations

import hashlib
import hmac

from flask import Blueprint, flash, redirect, render_template, request, session, url_for

from portal.auth import Answer, sign_in
from portal.desk import desk, now
from portal.forms import CodeForm, ConfirmForm, RegisterForm, blame
from portal.mailing import check_client, mail_link, opened_link, said_sent
from portal.throttle import allow, forgive
from shared import accounts, registrations
from shared.accounts import Details
from shared.credentials import AccountError, UsernameTakenError, hash_password, is_password
from shared.models import Registration, RegistrationPurpose, Role, User
from shared.registrations import LinkError

blueprint = Blueprint("registering", __name__)

NOT_THE_CODE = "This is not the code."
NOT_NOW = "Too many tries. Wait a quarter of an hour."
NOT_THE_PASSWORD = "This is not the password that was chosen for this registration."
PENDING = "registration"  # in the session: the first step of an administrator


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> Answer:
    """Register as a requester. The answer is the same whether the address is known or not."""
    form = RegisterForm()
    registration = _register(form, Role.REQUESTER) if form.validate_on_submit() else None
    if registration is None:
        return _page("registering/register.html", form)
    return said_sent(registration.email)


@blueprint.route("/register/admin", methods=["GET", "POST"])
def register_admin() -> Answer:
    """Register as an administrator, first step: who you are. Closed where no code is set."""
    if not desk().settings.admin_code:
        return render_template("registering/closed.html"), 404
    form = RegisterForm()
    registration = _register(form, Role.ADMIN) if form.validate_on_submit() else None
    if registration is None:
        return _page("registering/admin.html", form)
    session[PENDING] = registration.id
    return redirect(url_for("registering.code"), 303)


def _register(form: RegisterForm, role: Role) -> Registration | None:
    """Keep what was entered; for a requester the mail is queued as well. None where a field is at fault."""
    check_client()
    details = Details(
        email=form.email.data,
        name=form.name.data,
        username=form.username.data,
        password_hash=hash_password(form.password.data, desk().settings.password_rounds),
        role=role,
    )
    try:
        with desk().database.transaction() as db:
            registration = registrations.register(db, details, now=now())
            if role is not Role.ADMIN:
                mail_link(db, registration)
    except AccountError as error:
        blame(form, error)
        return None
    return registration


@blueprint.route("/register/admin/code", methods=["GET", "POST"])
def code() -> Answer:
    """Register as an administrator, second step: the verification code, then the mail goes out."""
    expected = desk().settings.admin_code
    if not expected:
        return render_template("registering/closed.html"), 404
    registration = _pending()
    if registration is None:
        flash("Begin with your name and address.", "error")
        return redirect(url_for("registering.register_admin"), 303)
    form = CodeForm()
    if not form.validate_on_submit():
        return _page("registering/code.html", form, email=registration.email)
    fault = _fault_of(form.code.data, expected)
    if fault:
        form.code.errors = [fault]
        return _page("registering/code.html", form, email=registration.email)
    with desk().database.transaction() as db:
        mail_link(db, registration)
    session.pop(PENDING)
    return said_sent(registration.email)


def _pending() -> Registration | None:
    with desk().database.reading() as db:
        registration = db.get(Registration, session.get(PENDING, 0))
    open_still = registration is not None and registration.used_at is None and registration.expires_at > now()
    return registration if open_still else None


def _fault_of(given: str, expected: str) -> str | None:
    """What is wrong with a code, compared in constant time; a try is counted before it is looked at."""
    client = request.remote_addr or ""
    with desk().database.transaction() as db:
        counted = (allow(db, "code", client, now()), allow(db, "code-desk", "", now()))
    if not all(counted):
        return NOT_NOW
    if not hmac.compare_digest(_digest(given), _digest(expected)):
        return NOT_THE_CODE
    with desk().database.transaction() as db:
        forgive(db, "code", client, now())
    return None


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


@blueprint.get("/register/sent")
def sent() -> Answer:
    """A mail is under way, or would be."""
    return render_template("registering/sent.html", email=session.get("mailed", ""))


@blueprint.route("/confirm/<token>", methods=["GET", "POST"])
def confirm(token: str) -> Answer:
    """Behind the mailed link: the account begins.

    It asks for the password once more, so that nobody can have somebody
    else confirm an account for them.
    """
    form = ConfirmForm()
    try:
        registration = opened_link(token, RegistrationPurpose.REGISTER)
        if registration.role is Role.ADMIN and not desk().settings.admin_code:
            raise LinkError("Registering as an administrator has been closed meanwhile.")
        if not form.validate_on_submit():
            return _confirm_page(form, registration)
        user = _confirm(form, registration)
    except LinkError as error:
        return render_template("auth/link.html", sentence=str(error)), 410
    if user is None:
        return _confirm_page(form, registration)
    sign_in(user, stay=False)
    flash(f"Welcome, {user.label}. Your account is ready.", "success")
    return redirect(url_for("home"), 303)


def _confirm(form: ConfirmForm, registration: Registration) -> User | None:
    with desk().database.transaction() as db:
        allowed = allow(db, "link", str(registration.id), now())
    if not allowed or not is_password(registration.password_hash or "", form.password.data):
        form.password.errors = [NOT_THE_PASSWORD if allowed else NOT_NOW]
        return None
    chosen = form.username.data if form.username.raw_data else registration.username
    try:
        with desk().database.transaction() as db:
            user = registrations.confirm(db, registration, username=chosen, now=now())
            user.last_login_at = now()
            return user
    except AccountError as error:
        if isinstance(error, LinkError):
            raise
        blame(form, error)
        return None


def _confirm_page(form: ConfirmForm, registration: Registration) -> Answer:
    """The page of the link; a username that somebody took meanwhile can be changed there."""
    if not form.is_submitted() and registration.username:
        form.username.data = registration.username
        with desk().database.reading() as db:
            if not accounts.is_username_free(db, registration.username):
                blame(form, UsernameTakenError("That username was taken meanwhile. Choose another one, or none."))
    return _page("registering/confirm.html", form, registration=registration)


def _page(template: str, form: object, **values: object) -> Answer:
    return render_template(template, form=form, **values), 422 if request.method == "POST" else 200
