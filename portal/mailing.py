"""Mailed links: asking for one, and opening it."""

from __future__ import annotations

from flask import abort, redirect, request, session, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal.desk import desk, now
from portal.throttle import allow
from shared import registrations
from shared.addresses import address_key
from shared.models import Mailbox, Registration, RegistrationPurpose
from shared.outbox import queue_account_mail
from shared.people import user_of_address


def check_client() -> None:
    """Count that this client asks for a mail; answers 429 where it asks for many. In a transaction of its own."""
    with desk().database.transaction() as db:
        allowed = allow(db, "mail-by", request.remote_addr or "", now())
    if not allowed:
        abort(429)


def mail_link(db: Session, registration: Registration) -> None:
    """Queue what the address is to get: a link, the word that there is an account already, or nothing.

    Nobody at the screen sees which. One address gets a few of these mails in an hour.
    """
    template = _template(db, registration)
    if template is None or not allow(db, "mail-to", address_key(registration.email), now()):
        return
    queue_account_mail(
        db,
        tokens=desk().tokens,
        mailbox=_mailbox(db),
        registration=registration,
        template=template,
        now=now(),
    )


def _template(db: Session, registration: Registration) -> str | None:
    user = user_of_address(db, registration.email)
    if user is not None and user.disabled_at is not None:
        return None
    if registration.purpose is RegistrationPurpose.RESET:
        return "reset" if user is not None else None
    return "already_registered" if user is not None and user.password_hash is not None else "confirm"


def _mailbox(db: Session) -> Mailbox:
    """The desk's own mailbox; where its address has none, the oldest one."""
    own = Mailbox.address_key == address_key(desk().settings.address)
    return db.scalars(select(Mailbox).where(Mailbox.is_active).order_by(own.desc(), Mailbox.id).limit(1)).one()


def said_sent(email: str) -> Response:
    """Go to the page that says a mail is under way, whether it is or not."""
    session["mailed"] = email
    return redirect(url_for("registering.sent"), 303)


def opened_link(token: str, purpose: RegistrationPurpose) -> Registration:
    """What a mailed link is for; raises LinkError where we did not sign it, or it is used up or too old."""
    with desk().database.reading() as db:
        return registrations.open_link(db, desk().tokens, token, purpose, now=now())
