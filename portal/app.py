"""Makes the portal: a Flask application on one desk, with its headers, sessions and error pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from portal import (
    account,
    attachments,
    auth,
    mail,
    mailboxes,
    outgoing,
    people,
    registering,
    spam,
    ticket_changes,
    tickets,
)
from portal.access import init_access, is_own_path
from portal.appearance import THEME_COOKIE, THEMES, init_appearance
from portal.desk import EXTENSION, Desk, desk
from shared.config import Settings
from shared.database import Database
from shared.database_faults import fault_of
from shared.tokens import Tokens

logger = logging.getLogger(__name__)

BLUEPRINTS = (
    auth.blueprint,
    registering.blueprint,
    account.blueprint,
    people.blueprint,
    tickets.blueprint,
    ticket_changes.blueprint,
    outgoing.blueprint,
    attachments.blueprint,
    mail.blueprint,
    spam.blueprint,
    mailboxes.blueprint,
)
STAY_SIGNED_IN = timedelta(days=30)
A_YEAR = 365 * 24 * 3600
MAX_FORM_BYTES = 2 * 1024 * 1024  # what is not a file: the words of a reply

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_LET_OUT = 128 * 1024 * 1024
FAULTS = {
    400: ("That could not be read", "Something in the request was not as it should be. Go back and try again."),
    403: ("Not for your role", "You are signed in, and this is for others. An administrator can change your role."),
    404: ("Nothing here", "There is no such page, or it is not yours to see."),
    405: ("Not in this way", "This page takes no such request."),
    409: (
        "Not to be had now",
        "The mail with this file could not be read the last time. Staff can download all of it, or have it read again.",
    ),
    413: ("Too large", "That is more than this desk takes at once. Send less, or smaller files."),
    429: ("Too many tries", "Wait a few minutes, then try again."),
    500: ("We could not do that", "The fault is ours and has been written down. Go back and try again."),
    503: (
        "The database does not answer",
        "Nothing is lost: new mail waits with its senders and comes again. Try once more in a minute.",
    ),
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    database: Database,
    *,
    extract: Callable[[bytes, str], bytes],
    read: Callable[[bytes], str] = lambda raw: raw.decode("utf-8", "replace"),
    clock: Callable[[], datetime] = utc_now,
) -> Flask:
    """Make the application. `extract(raw, part)` gives a stored mail's attachment, `read(raw)` its text."""
    app = Flask(__name__)
    tokens = Tokens(settings.secret_key, *settings.old_keys)
    secure = settings.portal_base_url.startswith("https:")
    app.config.update(
        SECRET_KEY=tokens.session_key(),
        SECRET_KEY_FALLBACKS=[Tokens(key).session_key() for key in settings.old_keys],
        SESSION_COOKIE_NAME="letterdesk",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        PERMANENT_SESSION_LIFETIME=STAY_SIGNED_IN,
        SEND_FILE_MAX_AGE_DEFAULT=A_YEAR,
        MAX_CONTENT_LENGTH=settings.max_message_bytes,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.extensions[EXTENSION] = Desk(
        settings=settings, database=database, tokens=tokens, extract=extract, read=read, clock=clock
    )
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    CSRFProtect(app)
    init_access(app)
    init_appearance(app)
    _init_routes(app)
    _init_faults(app)
    app.before_request(_refuse_nul)
    app.after_request(_add_headers)
    return app


def _init_routes(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.add_url_rule("/", "home", lambda: redirect(url_for("tickets.index")))
    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/theme", "theme", choose_theme, methods=["POST"])


def _init_faults(app: Flask) -> None:
    for code in FAULTS:
        app.register_error_handler(code, _fault)
    app.register_error_handler(CSRFError, _stale_form)
    for fault in (OperationalError, InterfaceError, NoFreeConnectionError):
        app.register_error_handler(fault, _database_fault)


def healthz() -> tuple[Response, int]:
    """200 when the database answers, 503 with the reason otherwise."""
    try:
        with desk().database.reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        logger.warning("the database does not answer", exc_info=error)
        return Response("the database does not answer\n", mimetype="text/plain"), 503
    return Response("ok\n", mimetype="text/plain"), 200


def choose_theme() -> AnyResponse:
    """Keep the chosen theme in a cookie and go back to where the choice was made."""
    target = request.form.get("next", "/")
    answer = redirect(target if is_own_path(target) else "/", 303)
    chosen = request.form.get("theme", "")
    if chosen in THEMES and chosen != "system":
        secure = desk().settings.portal_base_url.startswith("https:")
        answer.set_cookie(THEME_COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=secure)
    else:
        answer.delete_cookie(THEME_COOKIE)
    return answer


def _fault(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        _let_out()
    heading, sentence = FAULTS[code]
    return render_template("fault.html", heading=heading, sentence=sentence, code=code), code


def _database_fault(error: SQLAlchemyError) -> tuple[str, int]:
    """A database that is gone or too busy is said so; every other fault of it is ours, a 500."""
    if not fault_of(error).passes:
        raise error
    logger.error("the database does not answer: %s", error.__cause__ or error)
    g.database_is_away = True
    return _fault(ServiceUnavailable())


def _let_out() -> None:
    """Read the rest of what is too large: a browser that cannot finish sending never shows the answer."""
    left = MAX_LET_OUT
    while left > 0 and (chunk := request.environ["wsgi.input"].read(min(left, 64 * 1024))):
        left -= len(chunk)


def _stale_form(error: CSRFError) -> tuple[str, int]:
    logger.info("a form was refused: %s", error.description)
    sentence = "The page was open for too long, or you signed in or out meanwhile. Go back, load it again and send it."
    return render_template("fault.html", heading="That form is no longer good", sentence=sentence, code=400), 400


def _refuse_nul() -> None:
    """No field takes a NUL, and PostgreSQL cannot store one."""
    if any("\0" in value for values in (request.args, request.form) for _, value in values.items(multi=True)):
        abort(400)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if desk().settings.portal_base_url.startswith("https:"):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR}")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
