"""Read mail files and say what is in them and what the desk would do. Writes nothing to the database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from intake.explain import describe
from intake.lookup import gather
from intake.parsing.message import parse
from intake.routing.decide import decide
from intake.types import ACTIONS, Arrival, Facts, ParsedMessage
from shared.addresses import address_key
from shared.errors import UserError
from shared.tokens import Tokens

STDIN = "-"
SUFFIX = ".eml"
FEW = 8  # so many are read sooner than further processes start


class ExamineError(UserError):
    """A file cannot be read. The message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What stands in one file: the contract's keys but `decision`, and the mail without its attachments' bytes."""

    told: dict[str, object]
    message: ParsedMessage


def files(paths: Sequence[str]) -> Iterator[str]:
    """Yield the files that the paths name: themselves, and every .eml below a folder, sorted."""
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            yield from sorted(str(file) for file in Path(path).rglob(f"*{SUFFIX}") if file.is_file())
        else:
            yield path


def read(
    paths: Sequence[str], own: frozenset[str], save_to: Path | None, trusted_hosts: frozenset[str] = frozenset()
) -> Iterator[Reading]:
    """Read mail files in order, many with several processes. `save_to` gets each attachment's bytes as SHA256.

    `trusted_hosts` are the servers whose mark of spam is believed.

    Raises ExamineError where a file cannot be read.
    """
    names = list(files(paths))
    if save_to is not None:
        _make(save_to)
    read_one = partial(_read, own=own, save_to=save_to, trusted_hosts=trusted_hosts)
    if len(names) < FEW or STDIN in names:
        yield from map(read_one, names)
        return
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read_one, names, chunksize=4)


def decision(session: Session | None, message: ParsedMessage, address: str, tokens: Tokens) -> dict[str, object]:
    """What the desk would do with a mail, by its database, or by an empty one where there is none."""
    arrival = Arrival(
        inbound_id=0, mailbox_id=0, mailbox=address, message=message, received_at=message.date or datetime.now(UTC)
    )
    facts = _facts(session, arrival, tokens)
    decided = decide(arrival, facts, tokens)
    clues = [asdict(clue) for clue in decided.clues]
    return {"action": ACTIONS[type(decided)], "reason": decided.reason, "clues": clues}


def _facts(session: Session | None, arrival: Arrival, tokens: Tokens) -> Facts:
    if session is None:
        return Facts(own=frozenset({address_key(arrival.mailbox)}))
    return gather(session, [arrival], tokens, lock=False)


def _read(name: str, *, own: frozenset[str], save_to: Path | None, trusted_hosts: frozenset[str]) -> Reading:
    message = parse(_content(name), own_addresses=own, trusted_hosts=trusted_hosts)
    told = describe(name, message)
    if save_to is not None:
        for attachment in message.attachments:
            (save_to / attachment.sha256).write_bytes(attachment.content)
    return Reading(told=told, message=replace(message, attachments=()))


def _content(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise ExamineError(f"{name} cannot be read: {error.strerror}.") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExamineError(f"{folder} cannot be made: {error.strerror}.") from None
