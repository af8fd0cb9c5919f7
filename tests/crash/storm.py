"""A storm: a whole desk under load, killed again and again, and what is true when it is over.

Mail servers deliver over SMTP and lay mail into IMAP mailboxes, a person replies in the portal, a sink takes what goes
out; meanwhile processes of the desk are killed, at named points or at any moment, and the database server too.
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
from tests.crash.kills import Kills, Plan
from tests.crash.mails import Mail
from tests.crash.peers import Gate, MailServer, Peer, Person
from tests.crash.processes import StormDesk
from tests.crash.verdict import Evidence, Verdict, judge, missing, unfinished
from tests.crash.watch import LEASE, Watch, now
from tests.dovecot import PASSWORD as IMAP_PASSWORD
from tests.dovecot import Dovecot, running_dovecot
from tests.mail_sink import MailSink, mail_sink
from tests.postgres import Cluster
from tests.receiving import imap_mailbox

AGENT = "mira@desk.example"
SERVERS = 4
POLICIES = ("keep", "seen", "move:Archive", "delete")
LEAVING = ("move", "delete")  # what is taken in is gone from INBOX in the end
SETTLE_SECONDS = 300.0
SETTINGS = {
    "CAP_DESK_HOUR": "1000000",  # caps are tested elsewhere: here every first mail has its acknowledgement
    "UNDO_SECONDS": "0",
    "SECRET_KEY": "a key that all machines of this desk share",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a storm was and what it left behind.

    `longest_pause`: for how many seconds a desk at work left alone, at most, what was free after the end of a lease.
    """

    database: str
    kills: Mapping[str, int]
    hits: Mapping[str, int]
    never_hit: tuple[str, ...]
    verdict: Verdict
    left_on_server: tuple[str, ...]
    leases_too_long: tuple[str, ...]
    longest_pause: float
    seconds: float
    log: str = field(repr=False)

    @property
    def faults(self) -> dict[str, tuple[str, ...]]:
        """What should not be, by name; empty after a good run."""
        others = {
            "never hit": self.never_hit,
            "policy not applied": self.left_on_server,
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
    chance = random.Random(seed)
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
        servers = [MailServer(f"s{n}", desk, accounts, random.Random(seed + n), dot_sent) for n in range(SERVERS)]
        person = Person(desk, AGENT, random.Random(seed - 1))
        peers = [Peer(f"server-{n}", server.send_one) for n, server in enumerate(servers)]
        peers.append(Peer("person", person.answer_one))
        raging = Kills(desk, sink, dot_sent, cluster)
        never_hit = raging.rage(plan, chance, began + minutes * 60)
        _let_finish(peers, desk)
        accepted = [mail for server in servers for mail in server.accepted]
        _settle(database, desk, accepted)
        with database.reading() as session:
            verdict = judge(session, Evidence(accepted=accepted, replies=person.replies, caught=sink.mails), now())
        return Result(
            database="sqlite" if cluster is None else "postgresql",
            kills=raging.kills,
            hits=raging.hits,
            never_hit=never_hit,
            verdict=verdict,
            left_on_server=_left(accounts),
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
    desk.add_user(AGENT, "agent", "Mira Steiner")
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
    for number, policy in enumerate(POLICIES * 2, start=1):
        address = f"{policy.partition(':')[0]}{number}@desk.example"
        account = accounts[address] = dovecot.fresh()
        with account.client() as client:
            client.create_folder("Archive")
        new = NewMailbox(
            address=address, imap_url=account.url, password=IMAP_PASSWORD, policy=policy, poll_seconds=MIN_POLL_SECONDS
        )
        imap_mailbox(database, Tokens(SETTINGS["SECRET_KEY"]), new)
    return accounts


def _let_finish(peers: Sequence[Peer], desk: StormDesk) -> None:
    """Let everybody finish what they have begun, while the desk is started again should it not run."""
    for peer in peers:
        peer.stopping.set()
    end = time.monotonic() + SETTLE_SECONDS
    while not all(peer.end(0.5) for peer in peers):
        desk.start()
        if time.monotonic() > end:
            raise AssertionError("a mail that was begun did not get its 250, or a reply its page")
    for peer in peers:
        if peer.fault:
            raise AssertionError(f"somebody who deals with the desk gave up: {peer.fault!r}") from peer.fault


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


def _left(accounts: Mapping[str, Dovecot]) -> tuple[str, ...]:
    """Mails whose policy would have taken them out of INBOX, and that are still there."""
    leaving = [address for address in accounts if address.startswith(LEAVING)]
    end = time.monotonic() + 60
    left: tuple[str, ...] = ("?",)
    while left and time.monotonic() < end:
        left = tuple(f"{address} UID {uid}" for address in leaving for uid in accounts[address].uids())
        time.sleep(0.5 if left else 0)
    return left
