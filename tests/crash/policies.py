"""What mailboxes do with a mail that the desk has taken, and how one sees afterwards that they did."""

from __future__ import annotations

from collections.abc import Mapping

from tests.dovecot import Dovecot

UNAPPLIED = {  # what an IMAP SEARCH of INBOX must not find in the end, by policy
    "keep": "SEEN",
    "seen": "UNSEEN",
    "move:Archive": "ALL",
    "delete": "ALL",
}


def address_of(policy: str, number: int) -> str:
    """The address of a mailbox with this policy."""
    return f"{policy.partition(':')[0]}{number}@desk.example"


def unapplied(accounts: Mapping[str, Dovecot]) -> tuple[str, ...]:
    """The mails that are not what their policy makes of them. `accounts` are by address (`address_of`)."""
    return tuple(
        f"{address} UID {uid}"
        for address, account in accounts.items()
        for policy, criteria in UNAPPLIED.items()
        if address.startswith(policy.partition(":")[0])
        for uid in account.uids(criteria=criteria)
    )
