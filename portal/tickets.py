"""Tickets: the list, a ticket's page, a new ticket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import and_, select
from sqlalchemy.orm import Session
from wtforms.fields.choices import SelectChoice

from portal import queries
from portal.access import actor, me
from portal.auth import Answer
from portal.desk import desk, now
from portal.event_words import CAUSE_WORDS, event_icon, event_words
from portal.paging import wanted
from portal.reading import clue_words, fate, plain_address
from portal.thread import read_thread
from portal.ticket_forms import (
    AnswerForm,
    AskForm,
    AssigneeForm,
    ComposerForm,
    OpenForm,
    ParticipantForm,
    PriorityForm,
    StatusForm,
    SubjectForm,
    addresses_in,
    blame,
    uploads,
)
from shared import outbox, tickets
from shared.addresses import address_key
from shared.models import Mailbox, Priority, Status, Ticket, User
from shared.people import find_or_create

blueprint = Blueprint("tickets", __name__, url_prefix="/tickets")

VIEW_HINTS = {
    "all": "No mail has arrived yet. The first letter becomes ticket 1.",
    "needs": "Nobody waits for an answer.",
    "mine": "Nothing is assigned to you.",
    "unassigned": "Every ticket has somebody who looks after it.",
    "asked": "You have not asked anything.",
}
OTHERS_SHOWN = 5


@blueprint.get("")
@login_required
def index() -> Answer:
    """The tickets that one may see: all of them by views for agents, their own for requesters."""
    person, asked = me(), wanted()
    view = request.args.get("view", "all")
    if not person.is_staff or view not in {*queries.VIEWS, "asked"}:
        view = "all"
    status = next((s for s in Status if s.value == request.args.get("status")), None)
    where = and_(queries.may_see(person), queries.in_view(view, person))
    narrowed = where if status is None else and_(where, Ticket.status == status)
    with desk().database.reading() as db:
        counts = queries.count_by_status(db, where)
        total = sum(counts.values()) if status is None else counts.get(status, 0)
        page = queries.ticket_page(db, narrowed, asked, total=total)
        views = queries.count_views(db, person) if person.is_staff else {}
    return render_template(
        "tickets/index.html",
        page=page,
        view=view,
        views=queries.VIEWS,
        view_counts=views,
        status=status,
        statuses=list(Status),
        counts=counts,
        hint=VIEW_HINTS[view],
    )


@blueprint.get("/mine")
@login_required
def mine() -> Answer:
    """What the person who is signed in asked or takes part in."""
    return redirect(url_for("tickets.index", view="asked") if me().is_staff else url_for("tickets.index"))


@blueprint.get("/<int(max=999999999999999):number>")
@login_required
def page(number: int) -> Answer:
    """A ticket with its whole thread."""
    return show(number)


def show(number: int, form: AnswerForm | None = None) -> str:
    """A ticket's page; `form` is an answer that could not be sent, with its faults."""
    if not me().is_staff:
        return _show_to_requester(number, form)
    with desk().database.reading() as db:
        ticket = found(db, number)
        thread = read_thread(db, ticket, for_staff=True, whole="all" in request.args)
        people = queries.staff(db)
        to, cc = outbox.recipients_of_reply(db, ticket)
        asked = Ticket.requester_id == ticket.requester_id
        others = db.scalars(
            select(Ticket).where(asked, Ticket.id != number).order_by(Ticket.id.desc()).limit(OTHERS_SHOWN)
        ).all()
        return render_template(
            "tickets/ticket.html",
            ticket=ticket,
            thread=thread,
            to=to,
            cc=cc,
            others=others,
            participants=queries.participants(db, ticket),
            addresses=list(ticket.requester.addresses),
            form=form or ComposerForm(formdata=None),
            status_form=StatusForm(formdata=None, status=ticket.status.value),
            priority_form=PriorityForm(formdata=None, priority=ticket.priority.value),
            assignee_form=assignee_form(ticket, people),
            subject_form=SubjectForm(formdata=None, subject=ticket.subject),
            participant_form=ParticipantForm(formdata=None),
            statuses=list(Status),
            views=queries.VIEWS,
            view_counts=queries.count_views(db, me()),
            view="",
        )


def _show_to_requester(number: int, form: AnswerForm | None) -> str:
    with desk().database.reading() as db:
        ticket = found(db, number)
        thread = read_thread(db, ticket, for_staff=False, whole="all" in request.args)
        people = queries.participants(db, ticket)
    return render_template(
        "tickets/own.html",
        ticket=ticket,
        thread=thread,
        participants=people,
        step=list(Status).index(ticket.status),
        form=form or AnswerForm(formdata=None),
    )


def assignee_form(ticket: Ticket | None, people: Sequence[User], **options: object) -> AssigneeForm:
    """The form of all who may look after a ticket."""
    options.setdefault("formdata", None)
    form = AssigneeForm(assignee=ticket.assignee_id or 0 if ticket else 0, **options)
    own = me().id
    names = [(person.id, f"{person.label} (you)" if person.id == own else person.label) for person in people]
    if ticket and ticket.assignee and ticket.assignee_id not in dict(names):
        names.append((ticket.assignee.id, ticket.assignee.label))
    form.assignee.choices = [SelectChoice(number, words) for number, words in [(0, "Nobody yet"), *names]]
    return form


def found(db: Session, number: int, *, to_change: bool = False) -> Ticket:
    """The ticket, if it is there and the person who is signed in may see it; otherwise a 404 that says neither.

    `to_change`: nobody else changes it until the transaction ends, neither a person nor a mail.
    """
    ticket = queries.ticket_of(db, number, me(), to_change=to_change)
    if ticket is None:
        abort(404)
    return ticket


@blueprint.route("/new", methods=["GET", "POST"])
@login_required
def new() -> Answer:
    """Open a ticket: for oneself, or as an agent on behalf of somebody."""
    with desk().database.reading() as db:
        mailboxes = mailboxes_of(db)
    form = _open_form(mailboxes) if me().is_staff else AskForm()
    if not form.validate_on_submit():
        code = 422 if form.is_submitted() else 200
        return render_template("tickets/new.html", form=form, mailboxes=mailboxes), code
    try:
        with desk().database.transaction() as db:
            ticket = _open(db, form)
    except tickets.TicketError as error:
        blame(form, error)
        return render_template("tickets/new.html", form=form, mailboxes=mailboxes), 422
    flash(f"Opened ticket {ticket.id}.", "success")
    return redirect(url_for("tickets.page", number=ticket.id), 303)


def _open_form(mailboxes: Sequence[Mailbox]) -> OpenForm:
    form = OpenForm(requester=request.args.get("for", ""))
    form.mailbox.choices = [SelectChoice(mailbox.id, mailbox.address) for mailbox in mailboxes]
    return form


def _open(db: Session, form: AskForm) -> Ticket:
    tickets.last_number(db)  # its lock comes before those of people who are made here
    author = actor(db)
    common = {
        "author": author,
        "subject": form.subject.data,
        "text": form.text.data,
        "files": uploads(form.files),
        "now": now(),
        "tokens": desk().tokens,
        "caps": desk().caps,
    }
    if not isinstance(form, OpenForm):
        return tickets.open_ticket(db, requester=author, mailbox=mailboxes_of(db)[0], **common)
    cc = [find_or_create(db, address, "", now()) for address in dict.fromkeys(addresses_in(form.cc.data))]
    return tickets.open_ticket(
        db,
        requester=find_or_create(db, form.requester.data, form.name.data or "", now()),
        mailbox=db.get_one(Mailbox, form.mailbox.data),
        cc=list({user.id: user for user in cc}.values()),
        priority=Priority(form.priority.data),
        acknowledge=form.acknowledge.data,
        **common,
    )


def mailboxes_of(db: Session) -> Sequence[Mailbox]:
    """The addresses of the desk, its own first."""
    own = Mailbox.address_key == address_key(desk().settings.address)
    boxes = db.scalars(select(Mailbox).where(Mailbox.is_active).order_by(own.desc(), Mailbox.id)).all()
    if not boxes:
        abort(500)
    return boxes


@blueprint.app_template_filter("day_name")
def day_name(moment: datetime) -> str:
    """A day as people say it: Today, Yesterday, Thursday 19 November, with the year where it is another (UTC)."""
    today, day = now().astimezone(UTC).date(), moment.astimezone(UTC).date()
    if (today - day).days in {0, 1}:
        return ("Today", "Yesterday")[(today - day).days]
    return f"{day:%A} {day.day} {day:%B}" + ("" if day.year == today.year else f" {day.year}")


blueprint.add_app_template_filter(plain_address, "plain_address")


@blueprint.app_context_processor
def _words() -> dict[str, object]:
    return {
        "event_words": event_words,
        "event_icon": event_icon,
        "clue_words": clue_words,
        "cause_words": CAUSE_WORDS,
        "fate": fate,
    }
