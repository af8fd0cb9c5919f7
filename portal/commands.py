"""The commands about people: `letterdesk user …`."""

from __future__ import annotations

import click
from sqlalchemy import select

from shared import accounts
from shared.credentials import AccountError, hash_password
from shared.models import Role, User
from shared.opening import ask_password, open_desk, utc_now
from shared.people import user_of_address


@click.group()
def user() -> None:
    """People, from the shell."""


@user.command("add")
@click.argument("email")
@click.option("--name", default="", help="The name to show.")
@click.option("--username", help="A name to sign in with, beside the address.")
@click.option("--role", type=click.Choice([r.value for r in Role]), default=Role.REQUESTER.value, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(*, email: str, name: str, username: str | None, role: str, password_stdin: bool) -> None:
    """Add somebody, or let somebody known from mail sign in."""
    with open_desk() as desk:
        hashed = hash_password(ask_password(stdin=password_stdin), desk.settings.password_rounds)
        details = accounts.Details(email=email, name=name, username=username, role=Role(role), password_hash=hashed)
        with desk.database.transaction() as session:
            made = accounts.create(session, details, now=utc_now())
        print(f"{made.email} can sign in as {made.role.value}.")


@user.command("list")
def list_users() -> None:
    """List all people."""
    with open_desk() as desk, desk.database.reading() as session:
        for row in session.scalars(select(User).order_by(User.role, User.email)):
            state = "disabled" if row.disabled_at else "can sign in" if row.password_hash else "known from mail"
            print("\t".join((row.email, row.role.value, row.username or "-", row.name or "-", state)))


@user.command("password")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def set_user_password(*, email: str, password_stdin: bool) -> None:
    """Give somebody a new password; all their sessions end."""
    with open_desk() as desk:
        hashed = hash_password(ask_password(stdin=password_stdin), desk.settings.password_rounds)
        with desk.database.transaction() as session:
            accounts.set_password(session, _find(user_of_address(session, email), email), hashed)
        print(f"{email} has a new password.")


@user.command("disable")
@click.argument("email")
def disable_user(*, email: str) -> None:
    """Shut somebody out at once; what they wrote stays."""
    with open_desk() as desk:
        with desk.database.transaction() as session:
            accounts.disable(session, _find(user_of_address(session, email), email), now=utc_now())
        print(f"{email} is disabled.")


def _find(found: User | None, email: str) -> User:
    if found is None:
        raise AccountError(f"Nobody has the address {email}; see: letterdesk user list")
    return found
