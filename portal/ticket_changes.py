"""What is done to a ticket: answers and notes, status, properties, people, deleting. One transaction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import queries
from portal.access import actor, admin_only, me, staff_only
from portal.auth import Answer
from portal.desk import desk, now
from portal.forms import EmptyForm
from portal.ticket_forms import (
    AnswerForm,
    ComposerForm,
    ParticipantForm,
    PriorityForm,
    StatusForm,
    SubjectForm,
    uploads,
)
from portal.tickets import assignee_form, found, show
from shared import articles, outbox, ticket_properties, tickets
from shared.articles import Upload
from shared.models import Article, ArticleKind, Priority, Status, Ticket, User
from shared.people import block_of, find_or_create, suspension_of

blueprint = Blueprint("ticket_changes", __name__, url_prefix="/tickets/<int(max=999999999999999):number>")


@blueprint.post("/answer")
@login_required
def answer(number: int) -> Answer:
    """Send what an agent wrote (a reply, or a note between ourselves), or what a requester answers."""
    form = ComposerForm() if me().is_staff else AnswerForm()
    if not form.validate_on_submit():
        _check_csrf(form)
        return show(number, form), 422
    files = uploads(form.files)
    try:
        with desk().database.transaction() as db:
            articles.store(db, files)
            article, said = _write(db, _ticket_to_answer(db, number), form, files)
    except tickets.NotAllowed as error:
        flash(str(error), "error")
        return show(number, form), 403
    except tickets.TicketError as error:
        form.text.errors = [*form.text.errors, str(error)]
        return show(number, form), 422
    _say(article, said)
    return redirect(url_for("tickets.page", number=article.ticket_id, _anchor=f"a{article.id}"), 303)


def _say(article: Article, said: str) -> None:
    if article.kind is not ArticleKind.REPLY or not desk().undo_for:
        flash(said, "success")
        return
    undo = url_for("deliveries.take_back", number=article.ticket_id, article_id=article.id)
    seconds = f"{desk().settings.undo_seconds:g}"
    flash({"words": f"{said} You can take it back for {seconds} seconds.", "undo": undo}, "undo")  # type: ignore[arg-type]


def _ticket_to_answer(db: Session, number: int) -> Ticket:
    """The locked ticket. A requester's answer may open another one: then the counter's lock comes first."""
    if not me().is_staff:
        tickets.last_number(db)
    return found(db, number, to_change=True)


def _write(db: Session, ticket: Ticket, form: AnswerForm, files: Sequence[Upload]) -> tuple[Article, str]:
    common: dict[str, Any] = {"author": actor(db), "text": form.text.data, "now": now()}
    if not isinstance(form, ComposerForm):
        article = tickets.answer(db, ticket, files=files, tokens=desk().tokens, caps=desk().caps, **common)
        opened = article.ticket_id != ticket.id
        return article, f"This ticket is closed, so ticket {article.ticket_id} goes on with it." if opened else "Sent."
    if form.kind.data == "note":
        if files:
            raise tickets.TicketError("A note carries no files. Take them away, or send a reply.")
        return tickets.note(db, ticket, **common), "Noted. Nobody outside sees it."
    then = Status(form.then.data) if form.then.data else None
    article = tickets.reply(
        db, ticket, files=files, tokens=desk().tokens, then=then, undo_for=desk().undo_for, **common
    )
    names = ", ".join(name or address for address, name in [*article.to, *article.cc])
    return article, f"Going out to {names}." + (f" The ticket is {then.value}." if then else "")


@blueprint.post("/status")
@login_required
def status(number: int) -> Answer:
    """Set the status; for administrators, everybody else gets a 403. The requester is told by mail."""
    if not me().is_admin:
        abort(403)
    form = StatusForm()
    if not form.validate_on_submit():
        return _not_so(number, form)
    wanted = Status(form.status.data)

    def change(db: Session, ticket: Ticket, user: User) -> str:
        if ticket.status is wanted:
            return f"The ticket is {wanted.value} already."
        told = tickets.set_status(db, ticket, wanted, actor=user, now=now(), tokens=desk().tokens, caps=desk().caps)
        whom = f"{ticket.requester.label} is told by mail." if told else _why_not_told(ticket)
        return f"The ticket is {wanted.value} now. {whom}"

    return _change(number, change)


def _why_not_told(ticket: Ticket) -> str:
    if suspension_of(ticket.requester) is not None:
        return f"They are not told: mail to {ticket.requester.email} came back, so no automatic mail goes there."
    if block_of(ticket.requester) is not None:
        return f"They are not told: {ticket.requester.email} is blocked as spam."
    if not outbox.is_reachable(ticket.requester, ticket.requester.email):
        return "No mail reaches the requester."
    return "They are not told: too much automatic mail went out already, as the ticket says."


@blueprint.post("/priority")
@staff_only
def priority(number: int) -> Answer:
    """Say how much it presses."""
    form = PriorityForm()
    if not form.validate_on_submit():
        return _not_so(number, form)
    wanted = Priority(form.priority.data)

    def change(db: Session, ticket: Ticket, user: User) -> str:
        ticket_properties.set_priority(db, ticket, wanted, actor=user, now=now())
        return f"The priority is {wanted.value} now."

    return _change(number, change)


@blueprint.post("/assignee")
@staff_only
def assignee(number: int) -> Answer:
    """Give the ticket to somebody, or to nobody."""
    with desk().database.reading() as db:
        form = assignee_form(found(db, number), queries.staff(db), formdata=request.form)
    if not form.validate_on_submit():
        return _not_so(number, form)

    def change(db: Session, ticket: Ticket, user: User) -> str:
        chosen = db.get(User, form.assignee.data) if form.assignee.data else None
        ticket_properties.assign(db, ticket, chosen, actor=user, now=now())
        return f"Assigned to {chosen.label}." if chosen else "Assigned to nobody."

    return _change(number, change)


@blueprint.post("/subject")
@staff_only
def subject(number: int) -> Answer:
    """Give the ticket another subject."""
    form = SubjectForm()
    if not form.validate_on_submit():
        return _not_so(number, form)

    def change(db: Session, ticket: Ticket, user: User) -> str:
        ticket_properties.set_subject(db, ticket, form.subject.data, actor=user, now=now())
        return "The subject is changed."

    return _change(number, change)


@blueprint.post("/participants")
@staff_only
def add_participant(number: int) -> Answer:
    """Keep somebody informed from now on."""
    form = ParticipantForm()
    if not form.validate_on_submit():
        return _not_so(number, form)

    def change(db: Session, ticket: Ticket, user: User) -> str:
        person = find_or_create(db, form.email.data, "", now())
        ticket_properties.add_participant(db, ticket, person, actor=user, now=now())
        return f"{person.label} gets a copy of each reply from now on."

    return _change(number, change)


@blueprint.post("/participants/<int(max=999999999999999):user_id>/remove")
@staff_only
def remove_participant(number: int, user_id: int) -> Answer:
    """Take somebody off the ticket."""
    _check_csrf(EmptyForm())

    def change(db: Session, ticket: Ticket, user: User) -> str:
        person = db.get(User, user_id)
        if person is None:
            abort(404)
        ticket_properties.remove_participant(db, ticket, person, actor=user, now=now())
        return f"{person.label} is off the ticket. Their links to it stop working."

    return _change(number, change)


@blueprint.route("/delete", methods=["GET", "POST"])
@admin_only
def delete(number: int) -> Answer:
    """Ask once more, then delete the ticket. Its number is never used again."""
    form = EmptyForm()
    if not form.validate_on_submit():
        with desk().database.reading() as db:
            ticket = found(db, number)
        return render_template("tickets/delete.html", ticket=ticket, form=form)
    with desk().database.transaction() as db:
        tickets.delete(db, found(db, number, to_change=True), actor=actor(db), now=now())
    flash(f"Ticket {number} is deleted. The mails that it was made of stay in the ledger.", "success")
    return redirect(url_for("tickets.index"), 303)


def _change(number: int, change: Callable[[Session, Ticket, User], str]) -> Response:
    try:
        with desk().database.transaction() as db:
            said = change(db, found(db, number, to_change=True), actor(db))
    except tickets.TicketError as error:
        flash(str(error), "error")
    else:
        flash(said, "success")
    return redirect(url_for("tickets.page", number=number), 303)


def _not_so(number: int, form: FlaskForm) -> Response:
    """Say on the ticket's page what was wrong with a small form of it."""
    _check_csrf(form)
    fault = next(sentence for field in form for sentence in field.errors)
    flash(str(fault), "error")
    return redirect(url_for("tickets.page", number=number), 303)


def _check_csrf(form: FlaskForm) -> None:
    """A 400 for a form that was not ours."""
    if not form.validate_on_submit() and form.csrf_token.errors:
        abort(400)
