"""Take the pictures in docs/screenshots again: `python -m tests.e2e.screenshots`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize

from tests.e2e.browser import running_browser, sign_in
from tests.e2e.desk import ROOT, Client, Desk, running_desk

FOLDER = ROOT / "docs" / "screenshots"
SAMPLES = 12
ADMIN = "jonas@desk.example"
WIDE = ViewportSize(width=1280, height=860)
PHONE = ViewportSize(width=390, height=844)
TICKET = "/tickets/1"
PICTURES = (  # name, page, size, dark
    ("tickets", "/tickets", WIDE, False),
    ("ticket", TICKET, WIDE, False),
    ("mail", "/mail", WIDE, False),
    ("ticket-phone", TICKET, PHONE, False),
    ("ticket-dark", TICKET, WIDE, True),
)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running_desk(Path(home) / "desk") as desk:
        _furnish(desk)
        with running_browser() as browser:
            _take_login(browser, desk)
            for name, path, size, dark in PICTURES:
                _take(browser, desk, name, path, size, dark=dark)


def _furnish(desk: Desk) -> None:
    """Sample mail, an administrator, and a first answer."""
    desk.add_user(ADMIN, "admin", "Jonas Okafor")
    desk.done("demo")
    desk.settled(SAMPLES)
    jonas = Client(desk)
    jonas.sign_in(ADMIN)
    words = "Guten Tag Frau Börner,\n\nam Nordeingang ist der Leser locker. Morgen um neun kommt jemand vorbei."
    jonas.submit(f"{TICKET}/answer", at=TICKET, kind="reply", text=words, then="pending")
    jonas.submit("/tickets/3/status", at="/tickets/3", status="resolved")
    desk.settled(SAMPLES)


def _take_login(browser: Browser, desk: Desk) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{desk.url}/login")
    page.screenshot(path=FOLDER / "login.png")
    page.close()


def _take(browser: Browser, desk: Desk, name: str, path: str, size: ViewportSize, *, dark: bool) -> None:
    page = browser.new_page(viewport=size, color_scheme="dark" if dark else "light")
    sign_in(page, desk, ADMIN)
    page.goto(desk.url + path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()
