"""How many files this process may have open: each connection is one, and without a free one nothing works any more."""

from __future__ import annotations

import resource

SPARE = 300  # for the database, mailboxes, outgoing servers and the disk
ENDLESS = resource.RLIM_INFINITY


def allow_connections(connections: int) -> str | None:
    """Let this process hold so many connections at once; a sentence where the system does not allow it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE
    most = wanted if hard == ENDLESS else min(wanted, hard)
    if soft != ENDLESS and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most == wanted:
        return None
    return (
        f"The system lets the desk open {hard} files, too few for {connections} connections: allow {wanted} "
        "(LimitNOFILE= in systemd, ulimit -n), or lower LETTERDESK_SMTP_MAX_CONNECTIONS."
    )
