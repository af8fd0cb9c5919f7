"""The forms about tickets: what each takes, and the words beside a field that is not right."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, MultipleFileField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, StopValidation

from portal.forms import mail_address, strip
from shared.addresses import address_key, is_address
from shared.models import Priority, Status
from shared.tickets import SUBJECT_LIMIT, OwnAddressError, TicketError, Upload

MAX_TEXT = 500_000
STATUS_CHOICES = [SelectChoice(status.value, status.value.capitalize()) for status in Status]
PRIORITY_CHOICES = [SelectChoice(priority.value, priority.value.capitalize()) for priority in Priority]
KIND_CHOICES = [SelectChoice("reply", "Reply"), SelectChoice("note", "Internal note")]
WORDS_MISSING = "Write a few words."


def one_line(value: str | None) -> str | None:
    """Blanks and line ends as single blanks."""
    return " ".join(value.split()) if value else value


def addresses_in(value: str | None) -> list[str]:
    """The mail addresses of a field that takes several, parted by commas, semicolons or blanks."""
    return (value or "").replace(",", " ").replace(";", " ").split()


def mail_addresses(_form: FlaskForm, field: Field) -> None:
    """Refuse a list with something in it that is no mail address."""
    wrong = next((word for word in addresses_in(field.data) if not is_address(word)), None)
    if wrong is not None:
        raise StopValidation(f"“{wrong}” is not a mail address.")


def _subject() -> StringField:
    return StringField(
        "Subject", filters=[one_line], validators=[DataRequired("What is it about?"), Length(max=SUBJECT_LIMIT)]
    )


def _text(label: str) -> TextAreaField:
    checks = [DataRequired(WORDS_MISSING), Length(max=MAX_TEXT, message="That is too long for one letter.")]
    return TextAreaField(label, validators=checks)


class AnswerForm(FlaskForm):
    """A requester's answer, with files."""

    text = _text("Your answer")
    files = MultipleFileField("Files")


class ComposerForm(AnswerForm):
    """An agent's reply or note."""

    kind = RadioField("Kind", choices=KIND_CHOICES, default="reply")
    then = SelectField("Status", choices=[SelectChoice("", ""), *STATUS_CHOICES], default="")


class AskForm(FlaskForm):
    """A new ticket of one's own."""

    subject = _subject()
    text = _text("What is it about")
    files = MultipleFileField("Files")


class OpenForm(AskForm):
    """A new ticket on behalf of somebody."""

    requester = StringField(
        "Requester’s address", filters=[strip], validators=[DataRequired("For whom?"), mail_address]
    )
    name = StringField("Name", filters=[one_line], validators=[Length(max=200)])
    cc = StringField("Cc", filters=[strip], validators=[Length(max=2000), mail_addresses])
    mailbox = SelectField("Mailbox", coerce=int)
    priority = SelectField("Priority", choices=PRIORITY_CHOICES, default=Priority.NORMAL.value)
    acknowledge = BooleanField("Tell them by mail that the ticket is there", default=True)


class StatusForm(FlaskForm):
    """Another status."""

    status = SelectField("Status", choices=STATUS_CHOICES)


class PriorityForm(FlaskForm):
    """Another priority."""

    priority = SelectField("Priority", choices=PRIORITY_CHOICES)


class AssigneeForm(FlaskForm):
    """Another assignee; 0 is nobody."""

    assignee = SelectField("Assignee", coerce=int)


class SubjectForm(FlaskForm):
    """Another subject."""

    subject = _subject()


class ParticipantForm(FlaskForm):
    """Somebody to keep informed."""

    email = StringField("Address", filters=[strip], validators=[DataRequired("Which address?"), mail_address])


class JoinForm(FlaskForm):
    """The ticket that held mail is to join."""

    ticket = StringField("Ticket", filters=[strip], validators=[DataRequired("Which ticket?")])


def blame(form: AskForm, error: TicketError) -> None:
    """Put what came to light later beside the field that it is about."""
    field: Field = form.text
    if isinstance(error, OwnAddressError) and isinstance(form, OpenForm):
        field = form.requester if address_key(error.address) == address_key(form.requester.data) else form.cc
    field.errors = [*field.errors, str(error)]


def uploads(field: Field) -> list[Upload]:
    """The files that were really chosen."""
    chosen: list[Any] = [file for file in field.data or [] if getattr(file, "filename", "")]
    return [
        Upload(
            filename=file.filename.replace("\\", "/").rpartition("/")[2],
            content_type=file.mimetype or "application/octet-stream",
            content=file.read(),
        )
        for file in chosen
    ]
