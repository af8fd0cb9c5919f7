"""The commands about outgoing mail: `letterdesk outbox list` and `letterdesk outbox retry`."""

from __future__ import annotations

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared import deliveries
from shared.errors import UserError
from shared.mailbox_health import moment_of
from shared.models import Delivery, DeliveryState
from shared.opening import open_desk, utc_now

NUMBER = click.IntRange(1, 10**15)
SHOWN = (DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.DEFERRED)


@click.group()
def outbox() -> None:
    """Mail of the desk's own: what did not go out, and why."""


@outbox.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
def list_stuck(*, limit: int) -> None:
    """List what failed, what may have arrived, and what waits for its next try, the newest first."""
    with open_desk() as desk, desk.database.reading() as session:
        stuck = select(Delivery).where(Delivery.state.in_(SHOWN)).order_by(Delivery.id.desc()).limit(limit)
        for row in session.scalars(stuck):
            print(_line(row))
        print(_counts(session))


@outbox.command("retry")
@click.argument("ids", metavar="[ID]…", nargs=-1, type=NUMBER)
@click.option("--all", "is_all", is_flag=True, help="All that failed or waits for its next try.")
@click.option("--unknown", is_flag=True, help="Also what may have arrived: some people may get it twice.")
def retry(*, ids: tuple[int, ...], is_all: bool, unknown: bool) -> None:
    """Send mail again that failed, under its old Message-ID, and try now what waits for its next try."""
    if bool(ids) == is_all:
        raise click.UsageError("Name mails by their numbers (see: letterdesk outbox list), or give --all.")
    chosen = None if is_all else ids
    with open_desk() as desk, desk.database.transaction() as session:
        now = utc_now()
        idle = _idle(_named(session, ids))
        count = deliveries.retry_failed(session, now, chosen) + deliveries.hurry_deferred(session, now, chosen)
        if unknown:
            count += deliveries.retry_unknown(session, now, chosen)
        left = 0 if unknown else _unknown(session, chosen)
    print(f"{count} {'mail is' if count == 1 else 'mails are'} tried again.")
    for sentence in idle:
        print(sentence)
    if left:
        print(f"{left} may have arrived; to send them again all the same, give --unknown.")


def _named(session: Session, ids: tuple[int, ...]) -> list[Delivery]:
    """The mails of these numbers, in this order. Raises UserError where one is not there; then nothing was done."""
    rows = {row.id: row for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids)))}
    for number in ids:
        if number not in rows:
            raise UserError(f"There is no outgoing mail {number}; nothing was done.")
    return [rows[number] for number in ids]


def _idle(rows: list[Delivery]) -> list[str]:
    """Why those that cannot be tried again are not, one sentence each."""
    said = ((row.id, _why_not(row)) for row in rows)
    return [f"Mail {number} {why}." for number, why in said if why]


def _why_not(row: Delivery) -> str:
    match row:
        case Delivery(state=DeliveryState.SENT):
            return f"was sent on {moment_of(row.sent_at)}" if row.sent_at else "was sent already"
        case Delivery(state=DeliveryState.QUEUED):
            return "waits to go out already"
        case Delivery(state=DeliveryState.SENDING):
            return "is going out now"
    return ""


def _line(row: Delivery) -> str:
    about = f" ticket {row.ticket_id}" if row.ticket_id else ""
    when = f"{row.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{row.id}  {row.state.value}  {row.recipient}  {row.cause.value}{about}, {when}: {row.last_error or ''}"


def _counts(session: Session) -> str:
    counts = deliveries.count_by_state(session)
    return ", ".join(f"{counts.get(state, 0)} {state.value}" for state in DeliveryState)


def _unknown(session: Session, ids: tuple[int, ...] | None) -> int:
    doubtful = select(func.count()).select_from(Delivery).where(Delivery.state == DeliveryState.UNKNOWN)
    return session.scalar(doubtful if ids is None else doubtful.where(Delivery.id.in_(ids))) or 0
