"""Those who work in the portal during a storm: an agent who answers tickets, and an administrator who sets statuses.

Each looks whether what they did is there, and if not does it again.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from http.client import HTTPException
from itertools import count
from typing import TypeVar

from tests.e2e.desk import Client, Desk

Answer = TypeVar("Answer")

PAUSE = 0.3  # seconds before something is tried again
GAP = 0.6  # seconds between two things that somebody does, on average
STATUSES = ("pending", "resolved")  # nobody else sets these, and an answer to such a ticket still joins it


class Browser:
    """Somebody's browser, used by one thread, which never takes a broken connection for an answer."""

    def __init__(self, desk: Desk, login: str, chance: random.Random) -> None:
        self.chance = chance
        self._client = Client(desk)
        self._login = login
        self._picked: set[str] = set()
        self._wait = threading.Event()

    def pick_ticket(self) -> str | None:
        """After a little while, one of the last active tickets that was not picked before; None where there is none."""
        self._wait.wait(self.chance.uniform(0, 2 * GAP))
        found = self._ask(lambda: re.findall(r'href="/tickets/(\d+)"', self._client.get("/tickets").text))
        tickets = sorted(set(found or ()) - self._picked)
        if not tickets:
            self._ask(lambda: self._client.sign_in(self._login))
            return None
        ticket: str = self.chance.choice(tickets)
        self._picked.add(ticket)
        return ticket

    def insist(self, ticket: str, action: str, shown: str, **fields: str) -> None:
        """Submit a form of the ticket's page until the page shows these words."""
        page = f"/tickets/{ticket}"
        while shown not in self._look(page):
            self._ask(lambda: self._client.submit(f"{page}/{action}", at=page, **fields))

    def _look(self, path: str) -> str:
        """The page; asks until there is one."""
        while True:
            page = self._ask(lambda: self._client.get(path))
            if page is not None and page.status == 200 and page.path == path:
                return page.text
            if page is not None and page.path.startswith("/login"):
                self._ask(lambda: self._client.sign_in(self._login))
            self._wait.wait(PAUSE)

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        """The answer, or None where the portal is not there, or has trouble of its own."""
        try:
            return question()
        except (OSError, HTTPException, AssertionError, ValueError):
            self._wait.wait(PAUSE)
            return None


class Agent:
    """Answers each ticket once. `replies` are the texts that the desk must have sent, or not know about."""

    def __init__(self, browser: Browser) -> None:
        self.replies: list[str] = []
        self._browser = browser
        self._numbers = count(1)

    def answer_one(self) -> None:
        ticket = self._browser.pick_ticket()
        if ticket is not None:
            text = f"This is reply {next(self._numbers)} of ours; please pull the plug."
            self._browser.insist(ticket, "answer", text, kind="reply", text=text, then="")
            self.replies.append(text)


class Administrator:
    """Sets the status of each ticket once. `statuses` are those of which the requesters must be told, by ticket.

    That it is set is read in the ticket's history, since an answer of the requester may have changed it again.
    """

    def __init__(self, browser: Browser, name: str) -> None:
        self.statuses: dict[int, str] = {}
        self._browser = browser
        self._line = f"by <b><bdi>{name}</bdi></b>"

    def set_one(self) -> None:
        ticket = self._browser.pick_ticket()
        if ticket is not None:
            status = self._browser.chance.choice(STATUSES)
            self._browser.insist(ticket, "status", self._line, status=status)
            self.statuses[int(ticket)] = status
