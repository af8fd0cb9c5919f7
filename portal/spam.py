"""What people call spam: held mail and tickets are put aside and their sender is blocked, each with a way back."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from sqlalchemy.orm import Session

from portal.access import actor, admin_only, is_own_path, staff_only
from portal.auth import Answer
from portal.desk import desk, now
from portal.forms import EmptyForm
from portal.tickets import found
from shared import spam, tickets
from shared.addresses import address_key
from shared.inbound import InboundError
from shared.models import Address, InboundMessage

blueprint = Blueprint("spam", __name__)

NUMBER = "<int(max=999999999999999):number>"


@blueprint.post(f"/mail/{NUMBER}/spam")
@staff_only
def discard_mail(number: int) -> Answer:
    """Discard held mail and block its sender."""
    _check_button()
    try:
        with desk().database.transaction() as db:
            mail = _mail(db, number)
            blocked = spam.discard_mail(db, mail, actor=actor(db), now=now())
    except InboundError as error:
        flash(str(error), "error")
        return redirect(url_for("mail.page", number=number), 303)
    if blocked is None:
        flash(f"Discarded. {mail.from_address} was blocked before.", "success")
    else:
        _offer_undo(
            f"Discarded. What {blocked.email} sends from now on is too.", url_for("spam.undo_mail", number=number)
        )
    return redirect(url_for("mail.index"), 303)


@blueprint.post(f"/mail/{NUMBER}/spam/undo")
@staff_only
def undo_mail(number: int) -> Answer:
    """Lift the block again, and let the mail go by the rules."""
    _check_button()
    try:
        with desk().database.transaction() as db:
            mail = _mail(db, number)
            spam.put_mail_back(db, mail, actor=actor(db), now=now(), tokens=desk().tokens, caps=desk().caps)
    except InboundError as error:
        flash(str(error), "error")
    else:
        flash(f"Taken back. {mail.from_address} is not blocked, and the mail is held again in a moment.", "success")
    return redirect(url_for("mail.page", number=number), 303)


@blueprint.post(f"/tickets/{NUMBER}/spam")
@admin_only
def close_ticket(number: int) -> Answer:
    """Close a ticket as spam and block its requester."""
    _check_button()
    try:
        with desk().database.transaction() as db:
            addresses = spam.close_ticket(db, found(db, number, to_change=True), actor=actor(db), now=now())
    except tickets.TicketError as error:
        flash(str(error), "error")
    else:
        said = f"Closed. What {', '.join(addresses)} sends from now on is discarded."
        _offer_undo(said, url_for("spam.undo_ticket", number=number))
    return redirect(url_for("tickets.page", number=number), 303)


@blueprint.post(f"/tickets/{NUMBER}/spam/undo")
@admin_only
def undo_ticket(number: int) -> Answer:
    """Let the ticket stand as before, and lift the block."""
    _check_button()
    try:
        with desk().database.transaction() as db:
            ticket = found(db, number, to_change=True)
            spam.put_ticket_back(db, ticket, actor=actor(db), now=now(), tokens=desk().tokens, caps=desk().caps)
    except tickets.TicketError as error:
        flash(str(error), "error")
    else:
        flash(f"Taken back. The ticket is {ticket.status.value}, as it was.", "success")
    return redirect(url_for("tickets.page", number=number), 303)


@blueprint.post("/people/<int(max=999999999999):number>/unblock")
@staff_only
def unblock(number: int) -> Answer:
    """Let mail come from an address again."""
    _check_button()
    with desk().database.transaction() as db:
        address = db.get(Address, address_key(request.form.get("address", "")))
        if address is None or address.user_id != number:
            abort(404)
        unblocked = spam.unblock(db, address, actor=actor(db), now=now())
        email = address.email
    flash(f"Mail from {email} comes in again." if unblocked else f"{email} is not blocked.", "success")
    target = request.form.get("next", "")
    return redirect(target if is_own_path(target) else url_for("people.person", number=number), 303)


def _offer_undo(words: str, undo: str) -> None:
    flash({"words": words, "undo": undo, "icon": "shield"}, "undo")  # type: ignore[arg-type]


def _check_button() -> None:
    if not EmptyForm().validate_on_submit():
        abort(400)


def _mail(db: Session, number: int) -> InboundMessage:
    mail = db.get(InboundMessage, number, with_for_update=True)
    if mail is None:
        abort(404)
    return mail
