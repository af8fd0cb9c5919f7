"""Try a mailbox: log in, look, change nothing, and say what was seen."""

from __future__ import annotations

import ssl

from imapclient import IMAPClient

from intake.receiving.imap_connection import TokenSource
from intake.receiving.imap_folder import Folder, FolderFault
from intake.receiving.imap_ledger import Account
from intake.receiving.imap_login import logged_in
from shared.mailboxes import Security
from shared.models import Policy

PROTECTION = {
    Security.TLS: "protected by TLS",
    Security.STARTTLS: "protected by STARTTLS",
    Security.PLAIN: "not protected",
}


Finding = tuple[bool, str]  # whether it is well, and what was seen


def probe(account: Account, proof: str | TokenSource, tls: ssl.SSLContext | None = None) -> tuple[Finding, ...]:
    """What a poll of this mailbox would find, one sentence each; all folders are looked at.

    Raises ImapFault where nothing can be seen at all.
    """
    server = account.server
    with logged_in(account, proof, tls) as client:
        return (
            (True, f"Logged in to {server.host}:{server.port} as {server.user}, {PROTECTION[server.security]}."),
            *(_folder(client, name) for name in account.folders),
            *((True, said) for said in (*_idle_sentences(client), *_policy_sentences(client, account))),
        )


def _folder(client: IMAPClient, name: str) -> Finding:
    try:
        folder = Folder(client, name, readonly=True)
    except FolderFault as error:
        return False, str(error)
    return True, f"The folder “{folder.name}” holds {_mails(folder.exists)}."


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count} mails"


def _idle_sentences(client: IMAPClient) -> list[str]:
    if client.has_capability("IDLE"):
        return []
    return ["The server does not tell of new mail (IDLE), so mail is seen at the next poll."]


def _policy_sentences(client: IMAPClient, account: Account) -> list[str]:
    said = []
    if account.policy is Policy.MOVE and not client.folder_exists(account.move_to or ""):
        said.append(f"The folder “{account.move_to}” will be made.")
    if account.policy is Policy.MOVE and not client.has_capability("MOVE"):
        said.append("The server cannot move mail; it will be copied and deleted.")
    if account.policy in {Policy.MOVE, Policy.DELETE} and not client.has_capability("UIDPLUS"):
        said.append("The server cannot delete single mails; they stay marked as deleted until it expunges them.")
    return said
