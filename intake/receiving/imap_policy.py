"""What happens to a mail on the IMAP server once it is safely stored: nothing, seen, moved or deleted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from imapclient import DELETED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from shared.models import Policy

AT_ONCE = 200
MOST_REFUSALS = 40


@dataclass(slots=True, kw_only=True)
class Settled:
    """The mails whose policy was applied, and the server's last refusal where it refused one."""

    uids: set[int] = field(default_factory=set)
    refusal: IMAPClientError | None = None
    refusals: int = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether the server seems to refuse whatever it is asked for."""
        return self.refusals >= (MOST_REFUSALS if self.uids else MOST_REFUSALS // 4)


def settle(client: IMAPClient, policy: Policy, move_to: str | None, uids: Sequence[int]) -> Settled:
    """Apply a policy to mails of the selected folder, as far as the server lets us.

    Repeating it does no harm: gone mails are ignored. Where the server refuses, halves of the mails are tried, so
    that one that it refuses does not hold up the others; in an order by chance, so that the same ones do not
    hold up the same others at every poll. Raises where the connection breaks.
    """
    outcome = Settled()
    for part in _parts(random.sample(uids, len(uids))):
        _settle(outcome, lambda some: POLICIES[policy](client, some, move_to or ""), part)
    return outcome


def _settle(outcome: Settled, apply: Callable[[Sequence[int]], None], uids: Sequence[int]) -> None:
    if not uids or outcome.is_hopeless:
        return
    try:
        apply(sorted(uids))
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        outcome.refusal = error
        outcome.refusals += 1
        if len(uids) > 1:
            middle = len(uids) // 2
            _settle(outcome, apply, uids[:middle])
            _settle(outcome, apply, uids[middle:])
    else:
        outcome.uids.update(uids)


def _keep(_client: IMAPClient, _uids: Sequence[int], _folder: str) -> None:
    """Leave the mail as it is."""


def _seen(client: IMAPClient, uids: Sequence[int], _folder: str) -> None:
    client.add_flags(uids, [SEEN], silent=True)


def _move(client: IMAPClient, uids: Sequence[int], folder: str) -> None:
    """Move by MOVE (RFC 6851), else copy and delete; the folder is made where it is missing."""
    if not client.folder_exists(folder):
        client.create_folder(folder)
    if client.has_capability("MOVE"):
        client.move(uids, folder)
    elif present := client.search(["UID", ",".join(map(str, uids)), "UNDELETED"]):
        client.copy(present, folder)
        _delete(client, present, folder)


def _delete(client: IMAPClient, uids: Sequence[int], _folder: str) -> None:
    """Delete these mails only: without UIDPLUS (RFC 4315) they stay marked until the server expunges."""
    client.add_flags(uids, [DELETED], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)


POLICIES: Mapping[Policy, Callable[[IMAPClient, Sequence[int], str], None]] = {
    Policy.KEEP: _keep,
    Policy.SEEN: _seen,
    Policy.MOVE: _move,
    Policy.DELETE: _delete,
}


def _parts(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), AT_ONCE):
        yield uids[start : start + AT_ONCE]
