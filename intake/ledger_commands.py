"""The command about stored mail: `letterdesk replay`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import datetime

import click
from sqlalchemy import ColumnElement

from intake.asking import day
from intake.pipeline import open_pipeline
from intake.replaying import QUARANTINED, Fate, Replay, ReplayError, processed
from shared.opening import open_desk, utc_now

NUMBER = click.IntRange(1, 10**15)


@click.command("replay")
@click.argument("ids", metavar="ID…", nargs=-1, type=NUMBER)
@click.option("--quarantined", is_flag=True, help="All mail that could not be processed.")
@click.option("--processed", "is_processed", is_flag=True, help="Read all mail again that was processed.")
@click.option("--since", type=day, help="With --processed: received since that day (UTC).")
@click.option("--from", "first", type=NUMBER, default=1, help="With --processed: from that mail on.")
def replay(*, ids: tuple[int, ...], quarantined: bool, is_processed: bool, since: datetime | None, first: int) -> None:
    """Process stored mail again: mail that waits by the rules; what was processed is only read anew.

    Reading anew writes the text and the attachments of an article again, after an upgrade for instance. Its ticket
    stays as it is, and nobody is mailed. It works whether or not the desk is running.
    """
    if sum((bool(ids), quarantined, is_processed)) != 1:
        raise click.UsageError("Name mails by their numbers, or give --quarantined, or --processed.")
    if not is_processed and (since is not None or first != 1):
        raise click.UsageError("--since and --from go with --processed.")
    logging.getLogger().addHandler(logging.NullHandler())  # each fault is one of the sentences that are printed
    with open_desk() as desk:
        replaying = Replay(desk.database, open_pipeline(desk.settings, desk.database, desk.tokens), utc_now)
        if ids:
            _tell(replaying, replaying.known(ids))
        elif quarantined:
            _tell(replaying, [number for batch in replaying.every(QUARANTINED) for number in batch])
        else:
            _read_again(replaying, processed(since=since, first=first))


def _tell(replaying: Replay, ids: Sequence[int]) -> None:
    """Process mails and say of each in one line what became of it."""
    if not ids:
        print("No mail is quarantined.")
    failed = 0
    for fate in replaying.again(ids):
        print(_line(fate), flush=True)
        failed += not fate.is_well
    _complain(failed, len(ids))


def _read_again(replaying: Replay, where: ColumnElement[bool]) -> None:
    """Read many mails again, with a line that tells how far it is; names those that failed."""
    total, done, failed = replaying.count(where), 0, 0
    for ids in replaying.every(where):
        try:
            fates = list(replaying.again(ids))
        except KeyboardInterrupt:
            raise ReplayError(f"Stopped; to go on: letterdesk replay --processed --from {ids[0]}") from None
        for fate in fates:
            if not fate.is_well:
                print(_line(fate))
        failed += sum(not fate.is_well for fate in fates)
        done += len(ids)
        print(f"{done:,} of {total:,} mails, up to mail {ids[-1]}", file=sys.stderr, flush=True)
    print(f"{done - failed:,} {'mail was' if done - failed == 1 else 'mails were'} read again.")
    _complain(failed, done)


def _line(fate: Fate) -> str:
    return f"mail {fate.inbound_id}: {fate.sentence}"


def _complain(failed: int, count: int) -> None:
    if failed:
        raise ReplayError(f"{failed:,} of {count:,} mails could not be processed; each is named above.")
