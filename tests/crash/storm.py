"""A storm: a whole desk under load, killed again and again, and what is true when it is over.

Mail servers deliver over SMTP and lay mail into IMAP mailboxes, a person replies in the portal, a sink takes what goes
out; meanwhile processes of the desk are killed, at named points or at any moment, and the database server too.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from shared.database import Database
from shared.mailbox_values import MIN_POLL_SECONDS
from shared.mailboxes import NewMailbox
from shared.tokens import Tokens
from tests.crash.mails import Mail
from tests.crash.peers import Gate, MailServer, Peer, Person
from tests.crash.points import DOT_SENT, HIT, NAMES, SEEN_FROM_OUTSIDE
from tests.crash.processes import StormDesk, kill_with_children
from tests.crash.verdict import Evidence, Verdict, judge, missing, unfinished
from tests.crash.watch import Watch, now
from tests.dovecot import PASSWORD as IMAP_PASSWORD
from tests.dovecot import Dovecot, running_dovecot
from tests.mail_sink import MailSink, mail_sink
from tests.postgres import Cluster
from tests.receiving import imap_mailbox

AGENT = "mira@desk.example"
SERVERS = 4
POLICIES = ("keep", "seen", "move:Archive", "delete")
LEAVING = ("move", "delete")  # what is taken in is gone from INBOX in the end
REACH_SECONDS = 10.0  # for so long a point is waited for, then the desk is killed wherever it is
LAST_REACH_SECONDS = 60.0  # and at the end, for a point that was never met
WHILE_IT_STARTS = 0.1  # the share of kills at any moment that need not wait until the desk takes mail
SETTLE_SECONDS = 300.0
SETTINGS = {
    "CAP_DESK_HOUR": "1000000",  # caps are tested elsewhere: here every first mail has its acknowledgement
    "UNDO_SECONDS": "0",
    "SECRET_KEY": "a key that all machines of this desk share",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many kills of each kind; `points` are the named ones, each as often as it is wanted."""

    points: Sequence[str]
    intake: int = 0
    machine: int = 0
    worker: int = 0
    portal: int = 0
    postgres: int = 0

    def kinds(self, chance: random.Random) -> list[str]:
        """All kills, mixed."""
        numbers = {name: getattr(self, name) for name in ("intake", "machine", "worker", "portal", "postgres")}
        kinds = [*("point" for _ in self.points), *(name for name, number in numbers.items() for _ in range(number))]
        chance.shuffle(kinds)
        return kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a storm was and what it left behind."""

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
        }
        return {**self.verdict.faults, **{name: found for name, found in others.items() if found}}


class Storm:
    """The kills, one after the other. `cluster` is the database server, where there is one."""

    def __init__(self, desk: StormDesk, sink: MailSink, dot_sent: Gate, watch: Watch, cluster: Cluster | None) -> None:
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self._desk = desk
        self._sink = sink
        self._dot_sent = dot_sent
        self._watch = watch
        self._cluster = cluster

    def rage(self, plan: Plan, chance: random.Random, end: float) -> tuple[str, ...]:
        """Carry out the plan, or what of it can be until `end`; returns the points that were never reached."""
        wanted = Counter(plan.points)
        for kind in plan.kinds(chance):
            if time.monotonic() > end:
                break
            if kind != "point":
                self._at_any_moment(kind, chance)
            elif not self._at_one_of(_points_of_a_stage(wanted, chance), REACH_SECONDS, wanted):
                self._at_any_moment("intake", chance)
            self._desk.start()
        for name in dict.fromkeys(plan.points):
            if not self.hits[name]:
                self._at_one_of([name], LAST_REACH_SECONDS, wanted)
                self._desk.start()
        return tuple(name for name in dict.fromkeys(plan.points) if not self.hits[name])

    def _at_any_moment(self, kind: str, chance: random.Random) -> None:
        if chance.random() > WHILE_IT_STARTS:
            self._desk.wait_until_it_takes_mail()
        time.sleep(chance.uniform(0, 3))
        kinds: dict[str, Callable[[], bool]] = {
            "intake": self._desk.kill_intake,
            "machine": self._desk.kill_machine,
            "worker": self._desk.kill_worker,
            "portal": self._desk.kill_portal,
            "postgres": lambda: self._kill_postgres(chance),
        }
        self._count(kind, killed=kinds[kind]())

    def _kill_postgres(self, chance: random.Random) -> bool:
        if self._cluster is None or self._cluster.pid is None:
            return False
        kill_with_children(self._cluster.pid)
        self._cluster.kill()  # notices that it is dead
        time.sleep(chance.uniform(0, 2))
        self._cluster.start()
        return True

    def _at_one_of(self, names: Sequence[str], seconds: float, wanted: Counter[str]) -> bool:
        """Let somebody die at whichever of these points is reached first; False where none was."""
        died = self._outside(names[0], seconds) if names[0] in SEEN_FROM_OUTSIDE else self._inside(names, seconds)
        for name in died:
            self.hits[name] += 1
            wanted[name] -= 1
            self._count("point", killed=True)
        return bool(died)

    def _outside(self, name: str, seconds: float) -> list[str]:
        self._desk.wait_until_it_takes_mail()
        reach = self._dot_sent.armed if name == DOT_SENT else self._sink.held
        with reach() as has_come:
            return [name] if has_come.wait(seconds) and self._desk.kill_intake() else []

    def _inside(self, names: Sequence[str], seconds: float) -> list[str]:
        """Arm these points; now and then two are hit, by two processes at one moment."""
        self._desk.wait_until_it_takes_mail()
        folder = self._desk.points
        for name in names:
            (folder / name).touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(folder.glob(f"*{HIT}")):
            self._desk.start()  # as whatever keeps services running would: a start may fail
            time.sleep(0.02)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        hits = list(folder.glob(f"*{HIT}"))
        for file in hits:
            file.unlink()
        return [file.name.removesuffix(HIT) for file in hits]

    def _count(self, kind: str, *, killed: bool) -> None:
        if killed:
            self.kills[kind] += 1
            time.sleep(0.05)  # until the kernel has taken the process away
            if not self._desk.is_intake_alive:
                self._watch.note_death(now())


def storm(home: Path, plan: Plan, seed: int, cluster: Cluster | None = None, minutes: float = inf) -> Result:
    """Run a storm in a folder of its own: on SQLite, or on a fresh database of `cluster`."""
    began = time.monotonic()
    chance = random.Random(seed)
    with ExitStack() as stack:
        sink = stack.enter_context(mail_sink())
        dovecot = stack.enter_context(running_dovecot())
        desk = stack.enter_context(_running(home, sink, cluster))
        database = Database(desk.database_url)
        stack.callback(database.close)
        accounts = _connect_mailboxes(database, dovecot)
        watch = Watch(database)
        stack.callback(watch.stop)
        dot_sent = Gate()
        servers = [MailServer(f"s{n}", desk, accounts, random.Random(seed + n), dot_sent) for n in range(SERVERS)]
        person = Person(desk, AGENT, random.Random(seed - 1))
        peers = [Peer(f"server-{n}", server.send_one) for n, server in enumerate(servers)]
        peers.append(Peer("person", person.answer_one))
        raging = Storm(desk, sink, dot_sent, watch, cluster)
        never_hit = raging.rage(plan, chance, began + minutes * 60)
        _let_finish(peers)
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
            leases_too_long=tuple(watch.too_long),
            longest_pause=watch.longest,
            seconds=time.monotonic() - began,
            log=desk.log.read_text(errors="replace"),
        )


@contextmanager
def _running(home: Path, sink: MailSink, cluster: Cluster | None) -> Iterator[StormDesk]:
    home.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS | {"OUTGOING": f"smtp://127.0.0.1:{sink.port}", "ADDRESS": "desk@desk.example"}
    url = cluster.fresh_database(migrated=False) if cluster else f"sqlite:///{home}/var/letterdesk.db"
    desk = StormDesk(home, on_postgresql=cluster is not None, DATABASE_URL=url, **settings)
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


def _let_finish(peers: Sequence[Peer]) -> None:
    for peer in peers:
        peer.stopping.set()
    for peer in peers:
        if not peer.end(SETTLE_SECONDS):
            raise AssertionError("a mail that was begun did not get its 250, or a reply its page")
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


def _points_of_a_stage(wanted: Counter[str], chance: random.Random) -> list[str]:
    """All points of one stage that are still wanted, or one that is seen from outside."""
    first = chance.choice([name for name, times in wanted.items() if times > 0] or list(wanted))
    if first in SEEN_FROM_OUTSIDE:
        return [first]
    stage = first.partition(":")[0]
    return [
        name
        for name, times in wanted.items()
        if name.startswith(f"{stage}:") and name not in SEEN_FROM_OUTSIDE and (times > 0 or name == first)
    ]


def every_point(times: int, chance: random.Random) -> list[str]:
    """All named points so many times, mixed."""
    points = [name for name in NAMES for _ in range(times)]
    chance.shuffle(points)
    return points
