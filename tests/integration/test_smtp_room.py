"""A disk that fills up: mail is put off with a sentence, the alert says which disk, and all goes on with room again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from intake.receiving.room import DiskRoom
from intake.receiving.spool import Spool
from shared.alerts import open_alerts
from shared.config import Settings
from shared.database import Database
from shared.schema import migrate
from tests.receiving import PLAIN, Dialogue, content_of, desk_mailbox, raw_mail, running_smtp, stored
from tests.small_disk import fill, small_disk

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MB = 1024 * 1024


class Disk:
    """A disk and a clock that a test turns."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.now = 100.0
        self.looks = 0

    def look(self, folder: Path) -> int:
        if not folder.exists():
            raise FileNotFoundError(folder)
        self.looks += 1
        return self.free

    def room(self, folder: Path = Path("/"), least: int = 100 * MB) -> DiskRoom:
        return DiskRoom([folder], least, free_bytes=self.look, clock=lambda: self.now)

    def pass_time(self, seconds: float = 1.0) -> None:
        self.now += seconds


def alerts(database: Database) -> list[str]:
    with database.reading() as session:
        return [alert.sentence for alert in open_alerts(session, NOW + timedelta(hours=1)) if alert.key == "disk"]


def test_the_disk_is_looked_at_once_a_second_at_most() -> None:
    disk = Disk(200 * MB)
    room = disk.room()
    assert all(room.has_room() for _ in range(1000))
    assert disk.looks == 1
    disk.free = 0
    disk.pass_time(0.9)
    assert room.has_room()
    disk.pass_time(0.1)
    assert not room.has_room()


def test_a_folder_that_is_not_made_yet_stands_on_its_parents_disk(tmp_path: Path) -> None:
    shortage = Disk(0).room(tmp_path / "not" / "yet").shortage()
    assert shortage is not None
    assert str(tmp_path / "not" / "yet") in shortage.sentence


def test_the_disks_of_a_desk_are_those_that_it_writes_to(settings: Settings, database: Database) -> None:
    room = DiskRoom.of(settings.model_copy(update={"min_free_bytes": 2**62}), database)
    shortage = room.shortage()
    assert shortage is not None
    assert shortage.folder == settings.data_dir
    assert DiskRoom.of(settings.model_copy(update={"min_free_bytes": 1}), database).has_room()


def test_mail_is_put_off_while_there_is_no_room_and_taken_again_after(database: Database) -> None:
    desk_mailbox(database)
    disk = Disk(200 * MB)
    with running_smtp(database, has_room=disk.room().has_room) as server, Dialogue(server.port) as client:
        client.say("EHLO c.example", "MAIL FROM:<a@example.org>", "RCPT TO:<support@desk.example>")
        disk.free = 10 * MB
        disk.pass_time()
        assert client.say("DATA")[0].startswith("452 4.3.1 There is not enough room")
        client.say("RSET")
        assert client.say("MAIL FROM:<a@example.org>")[0].startswith("452 4.3.1 ")
        disk.free = 200 * MB
        disk.pass_time()
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")


def test_a_mail_that_has_begun_is_still_taken(database: Database) -> None:
    desk_mailbox(database)
    disk = Disk(200 * MB)
    with running_smtp(database, has_room=disk.room().has_room) as server, Dialogue(server.port) as client:
        client.begin()
        disk.free = 10 * MB
        disk.pass_time()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")


def test_the_alert_names_the_folder_and_ends_by_itself(database: Database) -> None:
    disk = Disk(12 * MB)
    room = disk.room(Path("/"))
    room.report(database, NOW)
    [sentence] = alerts(database)
    assert sentence.startswith("The disk of / is nearly full: 12 MB are free, and 100 MB are needed. Mail is told to")
    disk.free = 300 * MB
    disk.pass_time()
    room.report(database, NOW)
    assert alerts(database) == []


def test_the_alert_of_a_process_that_died_is_ended_by_the_next(database: Database) -> None:
    Disk(0).room().report(database, NOW)
    Disk(300 * MB).room().report(database, NOW)
    assert alerts(database) == []


def test_an_alert_that_goes_on_is_written_again_every_minute(database: Database) -> None:
    disk = Disk(12 * MB)
    room = disk.room()
    room.report(database, NOW)
    Disk(300 * MB).room().report(database, NOW)  # another machine, whose disk is well
    disk.pass_time(59)
    room.report(database, NOW)
    assert alerts(database) == []
    disk.pass_time(1)
    disk.free = 7 * MB
    room.report(database, NOW)
    assert "7 MB are free" in alerts(database)[0]


def test_an_alert_that_cannot_be_written_stops_nothing_and_is_written_later(database: Database) -> None:
    disk = Disk(12 * MB)
    room = disk.room()
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE alert RENAME TO away")
    room.report(database, NOW)
    with database.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE away RENAME TO alert")
    room.report(database, NOW)
    assert len(alerts(database)) == 1


@pytest.fixture
def small(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[tuple[Path, Database]]:
    """A desk's SQLite file on a disk of 8 MB."""
    with small_disk(tmp_path / "disk", 8) as folder:
        desk = Database(f"sqlite:///{shutil.copy(_migrated_sqlite, folder / 'desk.db')}")
        migrate(desk)
        yield folder, desk
        desk.close()


def test_a_disk_that_is_really_full_is_later_and_never_a_loss(small: tuple[Path, Database]) -> None:
    folder, desk = small
    desk_mailbox(desk)
    noise = b"Subject: big\r\n\r\n" + bytes(b % 94 + 33 for b in random.Random(1).randbytes(400_000))
    with running_smtp(desk) as server, Dialogue(server.port) as client:
        client.begin()
        client.send(PLAIN + b".\r\n")
        assert client.answer().startswith("250 ")
        filler = fill(folder)
        client.begin()
        client.send(noise + b"\r\n.\r\n")
        assert client.answer().startswith("451 4.3.0 ")
        filler.unlink()
        client.begin()
        client.send(noise + b"\r\n.\r\n")
        assert client.answer().startswith("250 ")
    assert [content_of(row) for row in stored(desk)] == [PLAIN, noise + b"\r\n"]


def test_the_disk_of_a_desk_is_measured_where_it_is(small: tuple[Path, Database]) -> None:
    folder, desk = small
    ticks = iter(range(100))
    room = DiskRoom([folder], 2 * MB, clock=lambda: next(ticks) * 10.0)
    assert room.has_room()
    filler = fill(folder)
    assert not room.has_room()
    room.report(desk, NOW)  # there is no room for the alert either
    filler.unlink()
    assert room.has_room()
    room.report(desk, NOW)
    assert alerts(desk) == []


def test_a_full_disk_refuses_what_is_fetched_and_stores_nothing_of_it(small: tuple[Path, Database]) -> None:
    folder, desk = small
    mailbox = desk_mailbox(desk)
    filler = fill(folder)
    big = random.Random(2).randbytes(300_000)
    with pytest.raises(OperationalError, match="full"):
        Spool(desk).accept_now([raw_mail(mailbox, big, uid=1), raw_mail(mailbox, big, uid=2)])
    filler.unlink()
    assert Spool(desk).accept_now([raw_mail(mailbox, big, uid=1)]) != [None]
