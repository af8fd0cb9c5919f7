"""Where is my mail? Every arrival, what became of it and why; what waits for a person; mail of ours that is stuck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response

from portal import arrivals, queries
from portal.access import actor, staff_only
from portal.auth import Answer
from portal.desk import desk, now
from portal.forms import EmptyForm
from portal.paging import wanted
from portal.reading import linked
from portal.ticket_forms import JoinForm
from shared import blobs, deliveries, inbound, ticket_properties
from shared.models import Article, Delivery, InboundMessage, InboundRaw, InboundState, Ticket, User
from shared.people import user_of_address

blueprint = Blueprint("mail", __name__, url_prefix="/mail")

CASES_SHOWN = 10
STUCK_SHOWN = 20
TEXT_SHOWN = 20_000  # characters of a mail's text on its page
SOURCE_SHOWN = 100_000  # bytes of a mail's source on its page
WAITING = (InboundState.HELD, InboundState.QUARANTINED)
NUMBER = "/<int(max=999999999999999):number>"
UNREAD: tuple[tuple[Callable[[InboundMessage], bool], str], ...] = (
    (
        lambda mail: mail.state is InboundState.RECEIVED and mail.kind is None,
        "It has not been read yet. Its source is below.",
    ),
    (
        lambda mail: mail.state is InboundState.RECEIVED,
        "It is about to be read again. Its source is below.",
    ),
    (
        lambda mail: mail.state is InboundState.QUARANTINED or mail.last_error is not None,
        "Reading it failed, and might hang the portal too, so it is not tried here. Its source is below.",
    ),
    (
        lambda mail: mail.kind is None,
        "It was put aside before it was read. Its source is below.",
    ),
)
"""Why the portal leaves the reading of a mail to the worker, which survives it."""


@blueprint.get("")
@staff_only
def index() -> Answer:
    """Mail that waits for a person, outgoing mail that is stuck, and the ledger, searched by words, days and state."""
    search = arrivals.search_of(request.args)
    with desk().database.reading() as db:
        found = arrivals.find(db, search, wanted())
        cases = _cases(db)
        waiting = db.scalar(select(func.count()).where(InboundMessage.state.in_(WAITING))) or 0
        stuck = db.scalars(select(Delivery).where(queries.STUCK).order_by(Delivery.id.desc()).limit(STUCK_SHOWN)).all()
        stuck_count = db.scalar(select(func.count()).select_from(Delivery).where(queries.STUCK)) or 0
        outgoing = deliveries.count_by_state(db)
    return render_template(
        "mail/index.html",
        page=found.page,
        search=search,
        states=list(InboundState),
        counts=found.counts,
        cases=cases,
        waiting=waiting,
        stuck=stuck,
        stuck_count=stuck_count,
        outgoing=outgoing,
    )


def _cases(db: Session) -> list[InboundMessage]:
    oldest = select(InboundMessage).where(InboundMessage.state.in_(WAITING)).order_by(InboundMessage.id)
    return list(db.scalars(oldest.options(selectinload(InboundMessage.mailbox)).limit(CASES_SHOWN)))


@blueprint.get(NUMBER)
@staff_only
def page(number: int) -> Answer:
    """One arrival: its envelope, the decision with its clues, what it says, and its source."""
    with desk().database.reading() as db:
        mail = _found(db, number)
        source = blobs.raw_mail(db, number) if db.get(InboundRaw, number) else b""
        return render_template(
            "mail/page.html",
            mail=mail,
            words=[linked(part) for part in _text(db, mail, source)[:TEXT_SHOWN].split("\n\n") if part.strip()],
            unread=_why_unread(mail),
            source=source[:SOURCE_SHOWN].decode("utf-8", "replace"),
            cut=len(source) > SOURCE_SHOWN,
            has_source=bool(source),
            timings=arrivals.timings(mail, now()),
            can_decide=mail.state in inbound.WAITING,
        )


def _text(db: Session, mail: InboundMessage, source: bytes) -> str:
    """What a mail says: its article's text; what has none is read, unless that may end or hang this process."""
    article = db.scalar(select(Article).where(Article.inbound_id == mail.id))
    if article is not None:
        return article.text
    return desk().read(source) if source and _why_unread(mail) is None else ""


def _why_unread(mail: InboundMessage) -> str | None:
    """Why a mail is not read here; None where it has been read to its end, and nothing went wrong since."""
    return next((why for is_so, why in UNREAD if is_so(mail)), None)


@blueprint.post(f"{NUMBER}/join")
@staff_only
def join(number: int) -> Answer:
    """Let held mail join a ticket, because a person agrees."""
    form = JoinForm()
    if not form.validate_on_submit() and form.csrf_token.errors:
        abort(400)
    ticket = (form.ticket.data or "").lstrip("#№ ")
    if not (ticket.isascii() and ticket.isdigit() and len(ticket) <= 15):
        flash("Which ticket? Type its number.", "error")
        return _back(number)

    def order(db: Session, mail: InboundMessage, user: User) -> str:
        inbound.join(db, mail, int(ticket), actor=user, now=now())
        return f"It joins ticket {int(ticket)} in a moment.{_stays_off(db, mail, int(ticket))}"

    return _decide(number, order)


def _stays_off(db: Session, mail: InboundMessage, number: int) -> str:
    """Say that approving a letter puts nobody on a ticket, where its sender is not on it."""
    sender = user_of_address(db, mail.from_address or "")
    if sender is not None and ticket_properties.is_participant(db, db.get_one(Ticket, number), sender):
        return ""
    return " Its sender is not on that ticket and gets no replies; a button beside the letter puts them in copy."


@blueprint.post(f"{NUMBER}/ticket")
@staff_only
def make_ticket(number: int) -> Answer:
    """Let mail open a ticket of its own."""
    return _press(number, inbound.make_ticket, "It opens a ticket in a moment.")


@blueprint.post(f"{NUMBER}/again")
@staff_only
def again(number: int) -> Answer:
    """Read stored mail once more: by the rules where it waits, else its article anew."""
    return _press(number, inbound.again, "It is read again in a moment.", url_for("mail.page", number=number))


@blueprint.post(f"{NUMBER}/discard")
@staff_only
def discard(number: int) -> Answer:
    """Put mail aside; its bytes stay."""
    return _press(number, inbound.discard, "Discarded. It stays in the ledger and can be read again.")


def _press(number: int, operation: Callable[..., None], said: str, then: str | None = None) -> Response:
    if not EmptyForm().validate_on_submit():
        abort(400)

    def order(db: Session, mail: InboundMessage, user: User) -> str:
        operation(db, mail, actor=user, now=now())
        return said

    return _decide(number, order, then)


def _decide(number: int, order: Callable[[Session, InboundMessage, User], str], then: str | None = None) -> Response:
    try:
        with desk().database.transaction() as db:
            mail = _found(db, number, with_for_update=True)
            said = order(db, mail, actor(db))
    except inbound.InboundError as error:
        flash(str(error), "error")
        return _back(number)
    flash(said, "success")
    return redirect(then or url_for("mail.index"), 303)


def _found(db: Session, number: int, **options: Any) -> InboundMessage:
    mail = db.get(InboundMessage, number, **options)
    if mail is None:
        abort(404)
    return mail


def _back(number: int) -> Response:
    return redirect(url_for("mail.page", number=number), 303)
