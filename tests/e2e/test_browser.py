"""An administrator at work in a browser."""

from __future__ import annotations

import pytest

from tests.e2e.browser import running_browser, sign_in
from tests.e2e.conftest import ADMIN
from tests.e2e.desk import Desk, mail, text_of

ANNA = "anna@brightmill.example"
FIRST = "<kettle.1@brightmill.example>"


@pytest.mark.e2e
def test_an_administrator_signs_in_answers_a_ticket_and_resolves_it(desk: Desk) -> None:
    desk.add_user(ADMIN, "admin", "Jonas Okafor")
    desk.send(mail(f"Anna Kowalczyk <{ANNA}>", "The kettle does not switch off", Message_ID=FIRST), ANNA)
    desk.mail_to(ANNA)
    with running_browser() as browser:
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        sign_in(page, desk, ADMIN)
        page.get_by_role("link", name="The kettle does not switch off").first.click()
        page.wait_for_url("**/tickets/1*")
        page.fill("textarea[name=text]", "Pull the plug, please.")
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_text("Going out to").first.wait_for()
        reply = desk.mail_to(ANNA, 2)
        page.select_option("select[name=status]", "resolved")
        page.get_by_role("button", name="Set status").click()
        page.get_by_text("The ticket is resolved now").first.wait_for()
        notice = desk.mail_to(ANNA, 3)
    assert "Pull the plug, please." in text_of(reply)
    assert FIRST in reply["References"]
    assert reply["Message-ID"] in notice["References"]
    assert notice["Auto-Submitted"] == "auto-generated"
    assert complaints == []
    assert desk.settled(1)["tickets"]["resolved"] == 1
