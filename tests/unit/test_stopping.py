"""Whoever stops the desk as its guides say waits for as long as the desk needs to finish what it has accepted."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from intake import apart
from intake.apart import KEEP_SECONDS
from intake.outbound.deliver import GRACE_SECONDS
from intake.receiving.pollers import STOP_SECONDS
from intake.receiving.smtp import STORE_SECONDS, Limits
from shared.children import GRACE
from shared.web import CONNECT_SECONDS, WHOLE_SECONDS

ROOT = Path(__file__).parents[2]
RECEIVING = max(Limits().grace_seconds + STORE_SECONDS, STOP_SECONDS)  # front door and mailboxes side by side
POSTING = 2 * CONNECT_SECONDS + WHOLE_SECONDS
PROCESSING = KEEP_SECONDS + apart.GRACE_SECONDS  # a mail that is read in a child process is left
LONGEST = RECEIVING + PROCESSING + GRACE_SECONDS + POSTING + GRACE


def test_systemd_waits_for_a_desk_that_is_stopped() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert int(seconds) > LONGEST


def test_containers_wait_for_a_desk_that_is_stopped() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    waits = {name: each["stop_grace_period"] for name, each in services.items() if each.get("image") == "letterdesk"}
    assert {"intake", "portal"} <= waits.keys()
    assert all(int(wait.removesuffix("s")) > LONGEST for wait in waits.values())
