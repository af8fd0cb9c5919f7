"""What a person does with mail of ours: takes a reply back before it leaves, sends again what did not arrive."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from portal import queries
from portal.access import actor, is_own_path, staff_only
from portal.auth import Answer
from portal.desk import desk, now
from portal.forms import EmptyForm
from portal.ticket_forms import ComposerForm
from portal.tickets import found, show
from shared import deliveries, tickets, undo
from shared.models import Article, Delivery, DeliveryState

blueprint = Blueprint("deliveries", __name__)

NUMBER = "<int(max=999999999999999):number>"


@blueprint.post(f"/tickets/{NUMBER}/articles/<int(max=999999999999999):article_id>/undo")
@staff_only
def take_back(number: int, article_id: int) -> Answer:
    """Take a reply back; its words stand in the composer again."""
    _check_form()
    try:
        with desk().database.transaction() as db:
            ticket = found(db, number, to_change=True)
            article = db.get(Article, article_id)
            if article is None or article.ticket_id != number:
                raise tickets.TicketError("That reply is not there any more.")
            text, had_files = article.text, bool(article.attachments)
            undo.take_back(db, ticket, article, actor=actor(db), now=now())
    except tickets.TicketError as error:
        flash(str(error), "error")
        return redirect(url_for("tickets.page", number=number, _anchor=f"a{article_id}"), 303)
    files = " Its files have to be added again." if had_files else ""
    flash(f"Taken back: nobody got it. Its words are below.{files}", "success")
    return show(number, ComposerForm(formdata=None, text=text))


@blueprint.post(f"/deliveries/{NUMBER}/<any(again, arrived):decision>")
@staff_only
def decide(number: int, decision: str) -> Answer:
    """Send mail of ours again that failed or whose fate is unknown, or believe that it arrived."""
    _check_form()
    with desk().database.transaction() as db:
        stuck = select(Delivery).where(Delivery.id == number, queries.STUCK).with_for_update()
        delivery = db.scalar(stuck)
        if delivery is None:
            flash("That mail does not wait for a decision any more.", "error")
        elif decision == "again":
            deliveries.send_again(delivery, now())
            flash(f"Going out to {delivery.recipient} again.", "success")
        elif delivery.state is DeliveryState.UNKNOWN:
            deliveries.mark_sent(delivery, now())
            flash(f"Noted: {delivery.recipient} has it.", "success")
    return _back()


RETRIES: dict[str, tuple[Callable[..., int], str]] = {
    "failed": (deliveries.retry_failed, "that failed"),
    "deferred": (deliveries.hurry_deferred, "that waited for its next try"),
    "unknown": (deliveries.retry_unknown, "whose fate was unknown"),
}


@blueprint.post("/deliveries/<any(failed, deferred, unknown):which>/again")
@staff_only
def retry(which: str) -> Answer:
    """Send all mail again that failed, try now what waits, or send again what may have arrived (which is asked)."""
    _check_form()
    if which == "unknown" and request.form.get("sure") != "yes":
        flash("Say that some of them may get it twice: tick the box.", "error")
        return _back()
    again, words = RETRIES[which]
    with desk().database.transaction() as db:
        count = again(db, now())
    flash(f"Going out: {count} {'mail' if count == 1 else 'mails'} {words}.", "success")
    return _back()


def _check_form() -> None:
    """A 400 for a form that was not ours."""
    if not EmptyForm().validate_on_submit():
        abort(400)


def _back() -> Response:
    target = request.form.get("next", "")
    return redirect(target if is_own_path(target) else url_for("mail.index"), 303)
