"""One's own account: name, username and password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import login_required

from portal.access import actor, me
from portal.auth import Answer, sign_in
from portal.desk import desk, now
from portal.forms import PasswordForm, ProfileForm, blame
from portal.throttle import allow, forgive
from shared import accounts
from shared.credentials import AccountError, hash_password, is_password
from shared.models import User

blueprint = Blueprint("account", __name__)


@blueprint.route("/account", methods=["GET", "POST"])
@login_required
def profile() -> Answer:
    """See and change one's name and username."""
    form = ProfileForm(name=me().name, username=me().username)
    if not form.validate_on_submit():
        return _page(form, PasswordForm(formdata=None))
    try:
        with desk().database.transaction() as db:
            user = actor(db)
            accounts.set_name(user, form.name.data)
            accounts.set_username(db, user, form.username.data)
    except AccountError as error:
        blame(form, error)
        return _page(form, PasswordForm(formdata=None))
    flash("Saved.", "success")
    return redirect(url_for("account.profile"), 303)


@blueprint.post("/account/password")
@login_required
def password() -> Answer:
    """Choose another password; it ends all other sessions."""
    form = PasswordForm()
    if not form.validate_on_submit() or not _knows_password(form):
        return _page(ProfileForm(formdata=None, name=me().name, username=me().username), form)
    stay = session.permanent
    password_hash = hash_password(form.password.data, desk().settings.password_rounds)
    with desk().database.transaction() as db:
        user = actor(db)
        accounts.set_password(db, user, password_hash)
    sign_in(user, stay=stay)
    flash("Your new password is set. Everywhere else you are signed out.", "success")
    return redirect(url_for("account.profile"), 303)


def _knows_password(form: PasswordForm) -> bool:
    """Whether the present password was given; tries are counted as at the login."""
    what = f"own {me().id}"
    with desk().database.transaction() as db:
        allowed = allow(db, "account", what, now())
        stored = actor(db).password_hash
    if not allowed:
        form.current.errors = ["Too many tries. Wait five minutes."]
        return False
    if not is_password(stored or "", form.current.data):
        form.current.errors = ["That is not the password that you have now."]
        return False
    with desk().database.transaction() as db:
        forgive(db, "account", what, now())
    return True


def _page(profile_form: ProfileForm, password_form: PasswordForm) -> Answer:
    with desk().database.reading() as db:
        user = db.get_one(User, me().id)
        addresses = [address.email for address in user.addresses]
    page = render_template(
        "account/profile.html", form=profile_form, password_form=password_form, addresses=addresses, user=user
    )
    return page, 422 if request.method == "POST" else 200
