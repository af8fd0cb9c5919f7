"""What happens to a mail on the IMAP server once it is safely stored: nothing, seen, moved or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from imapclient import DELETED, SEEN, IMAPClient

from shared.models import Policy

AT_ONCE = 200


def apply_policy(client: IMAPClient, policy: Policy, move_to: str | None, uids: Sequence[int]) -> None:
    """Apply a policy to mails of the selected folder. Repeating it does no harm: gone mails are ignored.

    Raises IMAPClientError where the server refuses.
    """
    for part in _parts(uids):
        POLICIES[policy](client, part, move_to or "")


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
