"""A real browser for the tests and the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.desk import PASSWORD, Desk

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Debian's Chromium without a window; closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, desk: Desk, login: str) -> None:
    """Sign in as a person does, and wait until the tickets are there."""
    page.goto(f"{desk.url}/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.button--primary, form button.button--primary")
    page.wait_for_url("**/tickets**")
