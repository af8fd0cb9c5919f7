"""People: who wrote to the desk and who works on it; their tickets, roles and access."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from portal import queries
from portal.access import ROLE_WORDS, actor, admin_only, is_own_path, staff_only
from portal.auth import Answer
from portal.desk import desk, now
from portal.forms import EmptyForm, RoleForm
from portal.paging import page_of, wanted
from shared import accounts, returned
from shared.addresses import address_key
from shared.credentials import AccountError, username_key
from shared.models import Address, Role, Ticket, User

blueprint = Blueprint("people", __name__, url_prefix="/people")

MAX_QUERY = 100
BLOCKED = "blocked"
IS_BLOCKED = and_(
    User.role == Role.REQUESTER, exists().where(Address.user_id == User.id, Address.blocked_at.is_not(None))
)
ACCESS_WORDS = {"disable": "is disabled and signed out everywhere.", "enable": "may sign in again."}


@blueprint.get("")
@staff_only
def index() -> Answer:
    """Everybody, by name; `q` finds in names, usernames and addresses, `role` keeps one role, or who is blocked."""
    query = request.args.get("q", "").strip()[:MAX_QUERY]
    role = request.args.get("role", "")
    where = _matching(query, role)
    asked = wanted()
    tickets = select(func.count()).where(Ticket.requester_id == User.id).scalar_subquery()
    with desk().database.reading() as db:
        total = db.scalar(select(func.count()).select_from(User).where(*where)) or 0
        rows = db.execute(
            select(User, tickets)
            .where(*where)
            .order_by(func.lower(func.coalesce(func.nullif(User.name, ""), User.email)), User.id)
            .limit(asked.size)
            .offset(asked.offset)
        )
        people = [(user, count) for user, count in rows]
        blocked = set(db.scalars(select(User.id).where(User.id.in_([user.id for user, _ in people]), IS_BLOCKED)))
    page = page_of(people, total, asked)
    return render_template(
        "people/index.html", page=page, query=query, role=role, roles=ROLE_WORDS, blocked=blocked, BLOCKED=BLOCKED
    )


def _matching(query: str, role: str) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if role in {r.value for r in Role}:
        where.append(User.role == Role(role))
    if role == BLOCKED:
        where.append(IS_BLOCKED)
    for word in query.split():
        has_address = exists().where(Address.user_id == User.id, Address.key.contains(word.lower(), autoescape=True))
        where.append(
            or_(
                User.name.icontains(word, autoescape=True),
                User.username_key.contains(username_key(word), autoescape=True),
                has_address,
            )
        )
    return where


@blueprint.get("/<int(max=999999999999):number>")
@staff_only
def person(number: int) -> Answer:
    """One person: addresses, role, and the tickets that they asked."""
    asked = wanted()
    with desk().database.reading() as db:
        user = _found(db, number)
        page = queries.ticket_page(db, Ticket.requester_id == user.id, asked)
        addresses = sorted(user.addresses, key=lambda address: address.email != user.email)
        return render_template(
            "people/person.html",
            user=user,
            addresses=addresses,
            page=page,
            role_form=RoleForm(role=user.role.value),
            roles=ROLE_WORDS,
        )


@blueprint.post("/<int(max=999999999999):number>/role")
@admin_only
def change_role(number: int) -> Answer:
    """Give somebody another role."""
    form = RoleForm()
    if not form.validate_on_submit():
        abort(400)
    role = Role(form.role.data)
    try:
        with desk().database.transaction() as db:
            user = _found(db, number)
            accounts.set_role(db, user, role)
    except AccountError as error:
        return _refused(number, error)
    flash(f"{user.label} is {_with_article(ROLE_WORDS[role].lower())} now.", "success")
    return _to_person(number)


@blueprint.post("/<int(max=999999999999):number>/<any(disable, enable):change>")
@admin_only
def change_access(number: int, change: str) -> Answer:
    """Shut somebody out at once, or let them in again."""
    _check_button()
    try:
        with desk().database.transaction() as db:
            user = _found(db, number)
            if change == "disable":
                accounts.disable(db, user, now=now())
            else:
                accounts.enable(db, user)
    except AccountError as error:
        return _refused(number, error)
    flash(f"{user.label} {ACCESS_WORDS[change]}", "success")
    return _to_person(number)


@blueprint.post("/<int(max=999999999999):number>/resume")
@staff_only
def resume(number: int) -> Answer:
    """Let automatic mail go to an address again that mail came back from."""
    _check_button()
    with desk().database.transaction() as db:
        user = _found(db, number)
        key = address_key(request.form.get("address", ""))
        address = next((own for own in user.addresses if own.key == key), None)
        if address is None:
            abort(404)
        resumed = returned.resume(db, address, actor=actor(db), now=now())
        email = address.email
    flash(f"Automatic mail goes to {email} again." if resumed else "It goes there already.", "success")
    target = request.form.get("next", "")
    return redirect(target, 303) if is_own_path(target) else _to_person(number)


def _found(db: Session, number: int) -> User:
    user = db.get(User, number)
    if user is None:
        abort(404)
    return user


def _check_button() -> None:
    if not EmptyForm().validate_on_submit():
        abort(400)


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _refused(number: int, error: AccountError) -> Response:
    flash(str(error), "error")
    return _to_person(number)


def _to_person(number: int) -> Response:
    return redirect(url_for("people.person", number=number), 303)
