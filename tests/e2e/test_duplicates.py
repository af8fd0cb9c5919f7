"""The same mails by every way at once, twice: each is one article."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from sqlalchemy import select

from shared.database import Database
from shared.models import Article
from tests.dovecot import PASSWORD, Dovecot, running_dovecot
from tests.e2e.desk import ADDRESS, PATIENCE, Desk, mail, running_desk
from tests.postgres import Cluster

CLIENTS = 4
QUIET = {"CAP_DESK_HOUR": "0"}  # acknowledgements are not what this is about


@pytest.fixture(params=[("sqlite", 1000), ("postgresql", 1000)], ids=lambda param: param[0])
def desk_and_number(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Desk, str, int]]:
    """A desk of the test's own, the URL of its database, and how many mails it gets."""
    kind, number = request.param
    home = tmp_path / "desk"
    if kind == "sqlite":
        with running_desk(home, **QUIET) as desk:
            yield desk, f"sqlite:///{home}/var/letterdesk.db", number
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    url = cluster.fresh_database()
    with running_desk(home, DATABASE_URL=url, SECRET_KEY="a key that all machines share", **QUIET) as desk:
        yield desk, url, number
    cluster.drop_database(url)


@pytest.fixture
def mailbox() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


def written(number: int) -> list[bytes]:
    return [
        mail(
            f"person{n}@brightmill.example",
            f"Kettle {n}",
            f"This is kettle {n}.\n",
            Message_ID=f"<{n}@kettles.example>",
        )
        for n in range(number)
    ]


def deliver(desk: Desk, mails: Sequence[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, local_hostname="mx.example", timeout=PATIENCE) as client:
        for content in mails:
            client.sendmail("anna@brightmill.example", [ADDRESS], content)


def lay_in(mailbox: Dovecot, mails: Sequence[bytes]) -> None:
    with mailbox.client() as client:
        for content in mails:
            client.append("INBOX", content)


def articles(url: str) -> list[str | None]:
    with closing(Database(url)) as database, database.reading() as session:
        return list(session.scalars(select(Article.message_id)))


def test_the_same_mails_over_smtp_and_imap_at_once_and_twice_are_one_article_each(
    desk_and_number: tuple[Desk, str, int], mailbox: Dovecot
) -> None:
    desk, url, number = desk_and_number
    desk.done(
        *("mailbox", "add", ADDRESS, "--imap", mailbox.url, "--password-stdin", "--interval", "5"),
        given=f"{PASSWORD}\n",
    )
    mails = written(number)
    with ThreadPoolExecutor(CLIENTS + 2) as pool:
        servers = [pool.submit(deliver, desk, [*mails[n::CLIENTS], *mails[n::CLIENTS]]) for n in range(CLIENTS)]
        clients = [pool.submit(lay_in, mailbox, mails) for _ in range(2)]
        for each in chain(servers, clients):
            each.result()
    counts = desk.settled(4 * number)
    assert (counts["inbound"]["processed"], counts["inbound"]["discarded"]) == (number, 3 * number)
    assert sorted(articles(url), key=str) == sorted((f"{n}@kettles.example" for n in range(number)), key=str)
