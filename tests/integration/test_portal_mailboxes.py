"""The page of the mailboxes, and the banner above every page of the staff while something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.alerts import end_alert, raise_alert
from shared.database import Database
from shared.mailboxes import NewMailbox, add_mailbox
from shared.models import Mailbox, User
from shared.oauth import Grant, OAuthClient, OAuthSecret
from shared.tokens import Tokens
from tests.visitors import Clock, Visitor

SALES = NewMailbox(
    address="sales@desk.example",
    imap_url="imaps://sales@imap.example.org",
    password="correct horse",
    folders=("INBOX", "Aufträge & mehr"),
    policy="move:Done",
)
INFO = NewMailbox(
    address="info@desk.example",
    imap_url="imaps://info@outlook.example.org",
    oauth=OAuthClient(provider="microsoft", client_id="x", tenant="example.org", grant=Grant.CLIENT),
    secret=OAuthSecret(client_secret="client secret"),
)


@pytest.fixture
def boxes(database: Database, portal: Visitor, tokens: Tokens, clock: Clock) -> Callable[..., None]:
    """Add the mailboxes, with what is otherwise about sales@."""

    def make(**fields: object) -> None:
        with database.transaction() as session:
            for new in (SALES, INFO):
                box = add_mailbox(session, tokens, new, clock())
                box.last_poll_at = box.last_ok_at = clock()
                for name, value in fields.items() if new is SALES else ():
                    setattr(box, name, value)

    return make


def test_administrators_see_how_every_mailbox_is(
    boxes: Callable[..., None], portal: Visitor, admin: User, database: Database, clock: Clock
) -> None:
    boxes()
    page = portal.sign_in(admin).get("/mailboxes").text
    for words in ("sales@desk.example", "imap.example.org", "Aufträge &amp; mehr", "moved to Done", "password"):
        assert words in page
    assert "access tokens of Microsoft" in page
    assert "support@desk.example" in page
    assert "Mailboxes that need you" not in page
    assert 'href="/mailboxes" aria-current="page"' in page
    assert not any(secret in page for secret in ("correct horse", "client secret"))


def test_a_failing_mailbox_comes_first_with_its_servers_words(
    boxes: Callable[..., None], portal: Visitor, admin: User, clock: Clock
) -> None:
    fault = "imap.example.org:993 refused the user name or the password: <b>no</b>"
    boxes(failing_since=clock(), last_error=fault, failures=7)
    clock.advance(hours=20)
    page = portal.sign_in(admin).get("/mailboxes").text
    assert "Mailboxes that need you" in page
    assert "since yesterday, 08:30" in page
    assert "refused the user name or the password: &lt;b&gt;no&lt;/b&gt;." in page
    assert "letterdesk mailbox test sales@desk.example" in page


NOT_HANDED_OUT = "The server does not hand out 1 mail in the folder “INBOX” (UID 7)"


@pytest.mark.parametrize(
    ("trouble", "headline", "word"),
    [
        ("incomplete_since", "What is missing waits on its server; all else comes in.", "Incomplete"),
        ("unsettled_since", "All its mail comes in, but its server refuses what shall", "Policy fails"),
    ],
)
def test_a_mailbox_that_is_read_but_not_well_says_what_is_wrong_and_not_that_all_its_mail_waits(
    boxes: Callable[..., None], portal: Visitor, admin: User, clock: Clock, trouble: str, headline: str, word: str
) -> None:
    boxes(last_error=NOT_HANDED_OUT, **{trouble: clock()})
    page = portal.sign_in(admin).get("/mailboxes").text
    assert headline in page
    assert page.count(f"{NOT_HANDED_OUT}.") == 2  # above, and in the table
    assert f"{word}</span>" in page
    assert "What comes waits on its server" not in page


def test_what_a_poll_has_to_say_stands_in_the_table_although_all_is_well(
    boxes: Callable[..., None], portal: Visitor, admin: User
) -> None:
    boxes(last_error="1 mail in the folder “INBOX” was not in the ledger and is fetched now")
    page = portal.sign_in(admin).get("/mailboxes").text
    assert page.count("was not in the ledger and is fetched now.") == 1
    assert "Mailboxes that need you" not in page


def test_a_secret_that_ends_soon_is_said_on_the_page(
    boxes: Callable[..., None], portal: Visitor, admin: User, clock: Clock
) -> None:
    boxes(secret_expires_at=clock() + timedelta(days=3))
    page = portal.sign_in(admin).get("/mailboxes").text
    assert "The password for sales@desk.example ends on 24 November 2026" in page
    assert "until 24 November 2026" in page


def test_a_mailbox_that_is_switched_off_needs_nobody(
    boxes: Callable[..., None], portal: Visitor, admin: User, clock: Clock
) -> None:
    boxes(is_active=False, failing_since=clock())
    page = portal.sign_in(admin).get("/mailboxes").text
    assert "Switched off" in page
    assert "Mailboxes that need you" not in page


def test_the_page_is_for_administrators_alone(visitor: Callable[[], Visitor], agent: User, requester: User) -> None:
    for person in (agent, requester):
        somebody = visitor().sign_in(person)
        assert somebody.get("/mailboxes").status_code == 403
        assert 'href="/mailboxes"' not in somebody.get("/tickets").text
    assert visitor().get("/mailboxes").status_code == 303


def test_what_is_wrong_stands_above_every_page_of_the_staff_until_it_is_well(
    visitor: Callable[[], Visitor], admin: User, agent: User, requester: User, database: Database, clock: Clock
) -> None:
    jonas, mira, anna = (visitor().sign_in(person) for person in (admin, agent, requester))
    with database.transaction() as session:
        raise_alert(session, "mailbox:1", "No mail for <support@desk.example> has come in.", clock())
        raise_alert(session, "disk", "The disk is nearly full.", clock())
    clock.advance(minutes=5)
    for path in ("/tickets", "/mail", "/people", "/account"):
        for staff in (jonas, mira):
            page = staff.get(path).text
            assert "No mail for &lt;support@desk.example&gt; has come in." in page, path
            assert page.count("since 08:30") == 1  # the sentence about a mailbox says it by itself
            assert '<section class="alarms" role="status"' in page
    assert '<a class="button button--sm" href="/mailboxes">Mailboxes</a>' in jonas.get("/tickets").text
    assert 'href="/mailboxes"' not in mira.get("/tickets").text
    assert "has come in" not in anna.get("/tickets").text
    with database.transaction() as session:
        for key in ("mailbox:1", "disk"):
            end_alert(session, key, clock())
    assert 'class="alarms"' not in jonas.get("/tickets").text


def test_many_alarms_leave_room_for_the_page(portal: Visitor, admin: User, database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        for number in range(7):
            raise_alert(session, f"mailbox:{number}", f"Mailbox {number} fails.", clock())
        raise_alert(session, "cap:desk", "The cap is reached.", clock(), until=clock() + timedelta(hours=1))
    page = portal.sign_in(admin).get("/tickets").text
    assert page.count('<div class="banner banner--red">') == 7
    assert page.count('<div class="banner banner--amber">') == 1
    assert "<summary>5 more</summary>" in page


def test_caps_of_many_addresses_are_one_alarm(portal: Visitor, admin: User, database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        for number in range(1, 24):
            until = clock() + timedelta(minutes=number)
            raise_alert(session, f"cap:address:a{number}@example.org", "The cap is reached.", clock(), until=until)
    page = portal.sign_in(admin).get("/tickets").text
    assert page.count('<div class="banner banner--amber">') == 1
    assert "23 addresses have had as many automatic mails as a cap allows: until 21 Nov 08:53 UTC" in page


def test_the_banner_links_to_the_mail_page_for_what_is_about_mail(
    portal: Visitor, agent: User, database: Database, clock: Clock
) -> None:
    with database.transaction() as session:
        raise_alert(session, "queue", "Mail waits for over 15 minutes.", clock())
    page = portal.sign_in(agent).get("/tickets").text
    assert '<a class="button button--sm" href="/mail">Where is my mail?</a>' in page


def test_the_desks_own_mailbox_is_a_line_like_the_others(portal: Visitor, admin: User, database: Database) -> None:
    page = portal.sign_in(admin).get("/mailboxes").text
    with database.reading() as session:
        assert session.query(Mailbox).count() == 1
    assert page.count('<tr role="row">') == 2
    assert "SMTP" in page
