"""The forms about people: what each takes, and the words beside a field that is not right."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, EqualTo, Length, StopValidation

from portal.access import ROLE_WORDS
from shared.addresses import is_address
from shared.credentials import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    AccountError,
    UsernameError,
    clean_username,
)

MAX_LOGIN = 254


def strip(value: str | None) -> str | None:
    """Without the blanks around it, which nobody means."""
    return value.strip() if value else value


def mail_address(_form: FlaskForm, field: Field) -> None:
    """Refuse what is no plain mail address."""
    if not is_address(field.data or ""):
        raise StopValidation("That is not a mail address, like anna@example.org.")


def username(_form: FlaskForm, field: Field) -> None:
    """Refuse what cannot be a username; an empty one is none."""
    try:
        clean_username(field.data or "")
    except UsernameError as error:
        raise StopValidation(str(error)) from None


def _password(label: str = "Password") -> PasswordField:
    words = f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters."
    checks = [DataRequired("Choose a password."), Length(MIN_PASSWORD, MAX_PASSWORD, words)]
    return PasswordField(label, validators=checks)


def _again(name: str) -> PasswordField:
    checks = [DataRequired("Type it once more."), EqualTo(name, "The two passwords differ.")]
    return PasswordField("The same password again", validators=checks)


def _username(label: str = "Username") -> StringField:
    return StringField(label, filters=[strip], validators=[username])


def _name(required: str) -> StringField:
    return StringField("Name", filters=[strip], validators=[DataRequired(required), Length(max=200)])


def _address() -> StringField:
    return StringField("Address", filters=[strip], validators=[DataRequired("Which address?"), mail_address])


class LoginForm(FlaskForm):
    """Sign in with an address or a username."""

    login = StringField(
        "Address or username",
        filters=[strip],
        validators=[DataRequired("Your address or your username."), Length(max=MAX_LOGIN)],
    )
    password = PasswordField("Password", validators=[DataRequired("Your password.")])
    stay = BooleanField("Stay signed in on this computer")


class RegisterForm(FlaskForm):
    """Register: as a requester, or the first step of an administrator."""

    name = _name("Your name, as it will stand in mail.")
    email = _address()
    username = _username()
    password = _password()
    again = _again("password")


class CodeForm(FlaskForm):
    """The second step of an administrator."""

    code = StringField("Administrator code", filters=[strip], validators=[DataRequired("Type the code.")])


class ConfirmForm(FlaskForm):
    """Behind the mailed link: the password that was chosen, and another username where that one is gone."""

    password = PasswordField("Password", validators=[DataRequired("The password that you chose.")])
    username = _username()


class ForgottenForm(FlaskForm):
    """Have a link for a new password mailed."""

    email = _address()


class ResetForm(FlaskForm):
    """A new password, behind the mailed link."""

    password = _password("New password")
    again = _again("password")


class ProfileForm(FlaskForm):
    """One's own name and username."""

    name = _name("Your name, as it stands in mail.")
    username = _username()


class PasswordForm(FlaskForm):
    """Another password for oneself."""

    current = PasswordField("Password now", validators=[DataRequired("The password that you have now.")])
    password = _password("New password")
    again = _again("password")


class RoleForm(FlaskForm):
    """Another role for somebody."""

    role = SelectField("Role", choices=[SelectChoice(role.value, words) for role, words in ROLE_WORDS.items()])


class EmptyForm(FlaskForm):
    """Nothing but a button."""


def blame(form: FlaskForm, error: AccountError) -> None:
    """Put a fault that came to light later beside the field it is about, or the first one."""
    field = form[error.field] if error.field in form else next(iter(form))
    field.errors = [*field.errors, str(error)]
