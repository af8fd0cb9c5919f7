"""The spool against a real database: stored before it says so, together where possible, never twice."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from intake.receiving.spool import Spool, SpoolClosedError
from intake.types import RawMessage
from shared.database import Database
from shared.models import InboundState
from tests.receiving import PLAIN, Wakes, content_of, desk_mailbox, raw_mail, stored

NOWHERE = 999


def accept_all(spool: Spool, mails: list[list[RawMessage]]) -> list[list[int] | BaseException]:
    async def accept() -> list[list[int] | BaseException]:
        return await asyncio.gather(*(spool.accept(copies) for copies in mails), return_exceptions=True)

    return asyncio.run(accept())


def test_an_accepted_mail_stands_in_the_ledger_with_its_bytes_and_envelope(database: Database) -> None:
    mailbox = desk_mailbox(database)
    mail = replace(raw_mail(mailbox), envelope_from="anna@example.org", envelope_to=("support@desk.example",))
    wakes = Wakes()
    spool = Spool(database, wakes)
    spool.start()
    [ids] = accept_all(spool, [[mail]])
    spool.stop()
    [row] = stored(database)
    assert ids == [row.id]
    assert (row.state, row.mailbox_id, row.size, row.attempts) == (InboundState.RECEIVED, mailbox, len(PLAIN), 0)
    assert (row.envelope_from, row.envelope_to) == ("anna@example.org", ["support@desk.example"])
    assert content_of(row) == PLAIN
    assert row.due_at is not None
    assert wakes.count == 1


def test_one_mail_for_two_mailboxes_is_one_row_in_each(database: Database) -> None:
    first, second = desk_mailbox(database), desk_mailbox(database, "sales@desk.example")
    spool = Spool(database)
    spool.start()
    [ids] = accept_all(spool, [[raw_mail(first), raw_mail(second)]])
    spool.stop()
    rows = stored(database)
    assert ids == [row.id for row in rows]
    assert [row.mailbox_id for row in rows] == [first, second]


def test_many_mails_at_once_are_all_stored_each_with_its_own_bytes(database: Database) -> None:
    mailbox = desk_mailbox(database)
    mails = [[raw_mail(mailbox, b"Subject: %d\r\n\r\n" % number + b"x" * number)] for number in range(450)]
    spool = Spool(database)
    spool.start()
    ids = accept_all(spool, mails)
    spool.stop()
    contents = {row.id: content_of(row) for row in stored(database)}
    assert [contents[given[0]] for given in ids if isinstance(given, list)] == [copies[0].content for copies in mails]


def test_of_a_group_only_the_mail_that_cannot_be_stored_is_refused(database: Database) -> None:
    mailbox = desk_mailbox(database)
    mails = [[raw_mail(NOWHERE if number == 7 else mailbox)] for number in range(20)]
    spool = Spool(database)
    spool.start()
    answers = accept_all(spool, mails)
    spool.stop()
    assert [isinstance(answer, IntegrityError) for answer in answers] == [number == 7 for number in range(20)]
    assert len(stored(database)) == 19


def test_a_broken_database_is_an_error_and_the_spool_goes_on_when_it_is_back(database: Database) -> None:
    mailbox = desk_mailbox(database)
    spool = Spool(database)
    spool.start()
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE inbound_raw RENAME TO away")
    [refused] = accept_all(spool, [[raw_mail(mailbox)]])
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE away RENAME TO inbound_raw")
    [ids] = accept_all(spool, [[raw_mail(mailbox)]])
    spool.stop()
    assert isinstance(refused, SQLAlchemyError)
    assert [row.id for row in stored(database)] == ids


def test_stopping_stores_what_was_accepted_and_takes_nothing_more(database: Database) -> None:
    mailbox = desk_mailbox(database)
    spool = Spool(database)
    spool.start()

    async def accept() -> list[list[int] | BaseException]:
        waiting = [asyncio.ensure_future(spool.accept([raw_mail(mailbox)])) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(spool.stop)
        return await asyncio.gather(*waiting, return_exceptions=True)

    answers = asyncio.run(accept())
    assert all(isinstance(answer, list) for answer in answers)
    assert len(stored(database)) == 50
    [late] = accept_all(spool, [[raw_mail(mailbox)]])
    assert isinstance(late, SpoolClosedError)


def test_a_position_on_an_imap_server_is_stored_once(database: Database) -> None:
    mailbox = desk_mailbox(database)
    wakes = Wakes()
    spool = Spool(database, wakes)
    first = spool.accept_now([raw_mail(mailbox, uid=uid) for uid in (1, 2, 3)])
    again = spool.accept_now([raw_mail(mailbox, uid=uid) for uid in (2, 3, 4)])
    nothing = spool.accept_now([raw_mail(mailbox, uid=4)])
    rows = stored(database)
    assert again[:2] == [None, None]
    assert nothing == [None]
    assert [*first, again[2]] == [row.id for row in rows]
    assert [row.uid for row in rows] == [1, 2, 3, 4]
    assert wakes.count == 2


def test_the_same_uid_elsewhere_is_another_mail(database: Database) -> None:
    mailbox, other = desk_mailbox(database), desk_mailbox(database, "sales@desk.example")
    spool = Spool(database)
    mails = [raw_mail(mailbox, uid=1), raw_mail(other, uid=1), raw_mail(mailbox, uid=1, folder="Archive")]
    assert None not in spool.accept_now(mails)


def test_two_processes_that_take_the_same_mails_store_them_once(database: Database) -> None:
    mailbox = desk_mailbox(database)
    mails = [raw_mail(mailbox, b"Subject: %d\r\n\r\n" % uid, uid=uid) for uid in range(1, 101)]

    def take(start: int) -> list[int | None]:
        return [Spool(database).accept_now([mail])[0] for mail in mails[start:] + mails[:start]]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(take, (0, 0, 30, 60)))
    assert sum(number is not None for answer in answers for number in answer) == 100
    assert len(stored(database)) == 100


def test_a_batch_that_fails_stores_nothing_of_it(database: Database) -> None:
    mailbox = desk_mailbox(database)
    with pytest.raises(IntegrityError):
        Spool(database).accept_now([raw_mail(mailbox, uid=1), raw_mail(NOWHERE, uid=2)])
    assert stored(database) == []
