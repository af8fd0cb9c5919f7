"""All who deal with a desk in a storm, brought together."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

from tests.crash.evidence import Evidence
from tests.crash.peers import Gate, MailServer, Peer, Postmaster, SmtpClient
from tests.crash.people import Administrator, Agent, Browser
from tests.crash.processes import StormDesk
from tests.dovecot import Dovecot
from tests.mail_sink import MailSink

AGENT, AGENT_NAME = "mira@desk.example", "Mira Steiner"
ADMIN, ADMIN_NAME = "olga@desk.example", "Olga Brandt"
SERVERS = 4
FINISH_SECONDS = 300.0


class Crowd:
    """Mail servers, a postmaster who returns replies, an agent and an administrator, each in a thread."""

    def __init__(
        self, desk: StormDesk, sink: MailSink, accounts: Mapping[str, Dovecot], seed: int, dot_sent: Gate
    ) -> None:
        smtp = SmtpClient(desk.smtp_port, dot_sent)
        self._sink = sink
        self._servers = [MailServer(f"s{n}", smtp, accounts, random.Random(seed + n)) for n in range(SERVERS)]
        self._postmaster = Postmaster(smtp, sink)
        self._agent = Agent(Browser(desk, AGENT, random.Random(seed - 1)))
        self._administrator = Administrator(Browser(desk, ADMIN, random.Random(seed - 2)), ADMIN_NAME)
        self._peers = [Peer(f"server-{n}", server.send_one) for n, server in enumerate(self._servers)]
        self._peers += [
            Peer("postmaster", self._postmaster.return_some),
            Peer("agent", self._agent.answer_one),
            Peer("administrator", self._administrator.set_one),
        ]

    def deeds(self) -> dict[str, int]:
        """How much they have done so far, by what it is."""
        return {
            "mail was sent": sum(len(server.accepted) for server in self._servers),
            "a reply was written": len(self._agent.replies),
            "a status was set": len(self._administrator.statuses),
            "a reply was returned": len(self._postmaster.returned),
        }

    def get_to_work(self, desk: StormDesk) -> None:
        """Return once everybody has done something: so there is no storm in which they never came to it."""
        end = time.monotonic() + FINISH_SECONDS
        while not all((deeds := self.deeds()).values()):
            self._look_for_faults()
            desk.start()
            if time.monotonic() > end:
                raise AssertionError(f"not everybody who deals with the desk got to work: {deeds}")
            time.sleep(0.1)

    def let_finish(self, desk: StormDesk) -> None:
        """Let everybody finish what they have begun, while the desk is started again should it not run."""
        for peer in self._peers:
            peer.stopping.set()
        end = time.monotonic() + FINISH_SECONDS
        while not all(peer.end(0.5) for peer in self._peers):
            desk.start()
            if time.monotonic() > end:
                raise AssertionError("a mail that was begun did not get its 250, or somebody in the portal their page")
        self._look_for_faults()

    def evidence(self) -> Evidence:
        """What they know; all of it once they have finished and the desk has settled."""
        return Evidence(
            accepted=[mail for server in self._servers for mail in server.accepted],
            agent=AGENT,
            replies=self._agent.replies,
            statuses=self._administrator.statuses,
            returned=self._postmaster.returned,
            caught=self._sink.mails,
        )

    def _look_for_faults(self) -> None:
        for peer in self._peers:
            if peer.fault:
                raise AssertionError(f"somebody who deals with the desk gave up: {peer.fault!r}") from peer.fault
