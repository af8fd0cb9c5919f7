"""A storm: a whole desk under load, killed again and again, and what is true when it is over.

Mail servers deliver over SMTP and lay mail into IMAP mailboxes, an agent replies in the portal and an administrator
sets statuses, a sink takes what goes out and returns some of it; meanwhile processes of the desk are killed, at named
points or at any moment, and the database server too.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from shared.database import Database
from shared.mailbox_values import MIN_POLL_SECONDS
from shared.mailboxes import NewMailbox
from shared.tokens import Tokens
from tests.crash.crowd import ADMIN, ADMIN_NAME, AGENT, AGENT_NAME, Crowd
from tests.crash.kills import Kills, Plan
from tests.crash.mails import Mail
from tests.crash.peers import Gate
from tests.crash.policies import UNAPPLIED, address_of, unapplied
from tests.crash.processes import StormDesk
from tests.crash.verdict import Verdict, judge, missing, unfinished
from tests.crash.watch import LEASE, Watch, now
from tests.dovecot import PASSWORD as IMAP_PASSWORD
from tests.dovecot import Dovecot, running_dovecot
from tests.mail_sink import MailSink, mail_sink
from tests.postgres import Cluster
from tests.receiving import imap_mailbox

SETTLE_SECONDS = 300.0
APPLY_SECONDS = 60.0
SETTINGS = {
    "CAP_ADDRESS_HOUR": "1000000",  # caps are tested elsewhere: here nothing holds back automatic mail
    "CAP_TICKET_DAY": "1000000",
    "CAP_DESK_HOUR": "1000000",
    "UNDO_SECONDS": "0",
    "SECRET_KEY": "a key that all machines of this desk share",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a storm was and what it left behind.

    `missed` are kills that met nobody; `was_cut_short`: time ran out before all kills that were `planned`. `idle` is
    what nobody came to do from the first kill to the last.
    `longest_pause`: for how many seconds a desk at work left alone, at most, what was free after the end of a lease.
    """

    database: str
    planned: int
    kills: Mapping[str, int]
    missed: Mapping[str, int]
    was_cut_short: bool
    hits: Mapping[str, int]
    never_hit: tuple[str, ...]
    idle: tuple[str, ...]
    verdict: Verdict
    unapplied: tuple[str, ...]
    leases_too_long: tuple[str, ...]
    longest_pause: float
    seconds: float
    log: str = field(repr=False)

    @property
    def number_of_kills(self) -> int:
        return sum(self.kills.values())

    @property
    def faults(self) -> dict[str, tuple[str, ...]]:
        """What should not be, by name; empty after a good run."""
        too_few = self.number_of_kills < self.planned and not self.was_cut_short
        others = {
            "fewer kills than planned": (f"{self.number_of_kills} of {self.planned}",) if too_few else (),
            "kills that met nobody": tuple(f"{number} of {kind}" for kind, number in self.missed.items()),
            "never hit": self.never_hit,
            "policy not applied": self.unapplied,
            "leases too long": self.leases_too_long,
            "left lying": (f"{self.longest_pause:.1f} s",) if self.longest_pause > LEASE.total_seconds() else (),
        }
        return {**self.verdict.faults, **{name: found for name, found in others.items() if found}}


def storm(
    home: Path,
    plan: Plan,
    seed: int,
    cluster: Cluster | None = None,
    *,
    intake: Sequence[str] = ("intake",),
    minutes: float = inf,
) -> Result:
    """Run a storm in a folder of its own: on SQLite, or on a fresh database of `cluster`. `intake` is a command."""
    began = time.monotonic()
    with ExitStack() as stack:
        sink = stack.enter_context(mail_sink())
        dovecot = stack.enter_context(running_dovecot())
        desk = stack.enter_context(_running(home, sink, cluster, intake))
        database = Database(desk.database_url)
        stack.callback(database.close)
        accounts = _connect_mailboxes(database, dovecot)
        watch = Watch(database, desk.at_work)
        stack.callback(watch.stop)
        dot_sent = Gate()
        crowd = Crowd(desk, sink, accounts, seed, dot_sent)
        raging = Kills(desk, sink, dot_sent, cluster)
        crowd.get_to_work(desk)
        before = crowd.deeds()
        never_hit = raging.rage(plan, random.Random(seed), began + minutes * 60)
        idle = tuple(name for name, number in crowd.deeds().items() if number == before[name])
        crowd.let_finish(desk)
        evidence = crowd.evidence()
        _settle(database, desk, evidence.accepted)
        with database.reading() as session:
            verdict = judge(session, evidence, now())
        return Result(
            database="sqlite" if cluster is None else "postgresql",
            planned=plan.number,
            kills=raging.kills,
            missed=raging.missed,
            was_cut_short=raging.was_cut_short,
            hits=raging.hits,
            never_hit=never_hit,
            idle=idle,
            verdict=verdict,
            unapplied=_still_unapplied(accounts),
            leases_too_long=tuple(map(str, watch.too_long)),
            longest_pause=watch.longest,
            seconds=time.monotonic() - began,
            log=desk.log.read_text(errors="replace"),
        )


@contextmanager
def _running(home: Path, sink: MailSink, cluster: Cluster | None, intake: Sequence[str]) -> Iterator[StormDesk]:
    home.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS | {"OUTGOING": f"smtp://127.0.0.1:{sink.port}", "ADDRESS": "desk@desk.example"}
    url = cluster.fresh_database(migrated=False) if cluster else f"sqlite:///{home}/var/letterdesk.db"
    desk = StormDesk(home, *intake, DATABASE_URL=url, **settings)
    desk.done("migrate")
    desk.add_user(AGENT, "agent", AGENT_NAME)
    desk.add_user(ADMIN, "admin", ADMIN_NAME)
    desk.start()
    try:
        desk.wait_until_ready()
        yield desk
    finally:
        desk.stop()
        if cluster:
            cluster.drop_database(url)


def _connect_mailboxes(database: Database, dovecot: Dovecot) -> dict[str, Dovecot]:
    """Two mailboxes for each policy, polled as often as it may be."""
    accounts = {}
    for number, policy in enumerate((*UNAPPLIED, *UNAPPLIED), start=1):
        address = address_of(policy, number)
        account = accounts[address] = dovecot.fresh()
        with account.client() as client:
            client.create_folder("Archive")
        new = NewMailbox(
            address=address, imap_url=account.url, password=IMAP_PASSWORD, policy=policy, poll_seconds=MIN_POLL_SECONDS
        )
        imap_mailbox(database, Tokens(SETTINGS["SECRET_KEY"]), new)
    return accounts


def _settle(database: Database, desk: StormDesk, accepted: Sequence[Mail]) -> None:
    """Wait until nothing is left to do; what is left at the end of the patience is the verdict's business."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        with database.reading() as session:
            if not unfinished(session) and not missing(session, accepted):
                break
        desk.start()
        threading.Event().wait(1)
    time.sleep(1)


def _still_unapplied(accounts: Mapping[str, Dovecot]) -> tuple[str, ...]:
    """What the policies have not been applied to after some patience: a desk applies them with its next poll."""
    end = time.monotonic() + APPLY_SECONDS
    while (left := unapplied(accounts)) and time.monotonic() < end:
        time.sleep(0.5)
    return left
