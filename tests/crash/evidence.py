"""What those know who dealt with a desk in a storm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.crash.mails import Mail
from tests.mail_sink import Caught


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the desk has to account for, and what arrived.

    `accepted` are the mails that got 250 or stand on the IMAP server; `replies` the texts that `agent` wrote;
    `statuses`, by ticket, what was set; `returned` the tickets of replies that came back; `caught` what the sink took.
    """

    accepted: Sequence[Mail]
    agent: str
    replies: Sequence[str]
    statuses: Mapping[int, str]
    returned: Sequence[int]
    caught: Sequence[Caught]
