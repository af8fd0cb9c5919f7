"""A backup holds the whole desk, taken while it works; put back, it is that desk again, or nothing has changed."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stdout
from datetime import datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, insert, select, text
from sqlalchemy.engine import make_url

from portal.app import create_app
from shared import accounts, blobs, mailboxes
from shared.backup import archive, commands
from shared.backup.archive import DATABASE, BackupError, Manifest
from shared.config import KEY_FILE, ConfigError, load_settings
from shared.credentials import hash_password
from shared.database import Base, Database
from shared.models import (
    Article,
    Counter,
    Delivery,
    DeliveryCause,
    DeliveryState,
    InboundMessage,
    InboundState,
    Mailbox,
    Role,
    Ticket,
)
from shared.tokens import Tokens
from tests.conftest import SECRET
from tests.mailroom import ANNA, BOB, Mailroom, mail
from tests.receiving import until
from tests.visitors import PASSWORD, Visitor

ADMIN = "jonas@desk.example"
IMAP_PASSWORD = "a word that only the server knows"
WITH_A_FILE = (Path(__file__).parents[1] / "mails" / "mime-attached-mail.eml").read_bytes()


class Place:
    """Where a desk is kept, as its commands know it: the environment."""

    def __init__(self, home: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.url, self.file = home, url, home.parent / "desk.backup"
        self.data_dir = home / "data"
        self._monkeypatch = monkeypatch
        home.mkdir(exist_ok=True)

    def run(self, *arguments: str, key: str = "", given: bytes = b"") -> Any:
        """Run `backup` or `restore` here; returns click's result. Raises BackupError."""
        self.enter(key)
        command = {"backup": commands.backup, "restore": commands.restore}[arguments[0]]
        ended = CliRunner().invoke(command, arguments[1:], input=given, catch_exceptions=True)
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert ended.exit_code == 0, ended.output
        return ended

    def enter(self, key: str = "") -> None:
        self._monkeypatch.chdir(self.home)
        for name, value in {"DATABASE_URL": self.url, "DATA_DIR": str(self.data_dir), "SECRET_KEY": key}.items():
            self._monkeypatch.setenv(f"LETTERDESK_{name}", value)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables."""
        database = Database(self.url)
        with database.reading() as session:
            found = {
                table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
                for table in Base.metadata.sorted_tables
            }
        database.close()
        return found


class WaitingOutput(BytesIO):
    """Keeps what is written, and waits for something before the first byte."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self._wait = wait

    def write(self, content: Any) -> int:
        if not self.tell():
            self._wait()
        return super().write(content)


@pytest.fixture
def here(database: Database, tmp_path: Path, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The desk of the test, with a key that is kept in its data folder."""
    place = Place(tmp_path / "here", database.url.render_as_string(hide_password=False), monkeypatch)
    place.data_dir.mkdir()
    return place


@pytest.fixture
def there(
    here: Place, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Another machine, with an empty database of the same kind."""
    home = tmp_path / "there"
    if here.url.startswith("sqlite"):
        yield Place(home, f"sqlite:///{home / 'deep' / 'desk.db'}", monkeypatch)
        return
    postgres = request.getfixturevalue("postgres")
    url = postgres.fresh_database(migrated=False)
    yield Place(home, url, monkeypatch)
    postgres.drop_database(url)


@pytest.fixture
def room(database: Database, tokens: Tokens, now: datetime) -> Mailroom:
    """A desk with a bit of everything."""
    room = Mailroom(database, tokens, now)
    with database.transaction() as session:
        fetched = mailboxes.NewMailbox(address="fetched@desk.example", imap_url="imaps://fetched@imap.example.org",
                                       password=IMAP_PASSWORD)  # fmt: skip
        mailboxes.add_mailbox(session, tokens, fetched, now)
        details = accounts.Details(email=ADMIN, role=Role.ADMIN, password_hash=hash_password(PASSWORD, 1))
        accounts.create(session, details, now=now)
        blobs.keep(session, "0" * 64, bytes(range(256)) * 1000)
    room.take(mail("Good morning"))
    room.take(WITH_A_FILE)
    held = room.take(mail("Me too", sender=BOB, subject="[#1] The printer is on fire"))
    assert held.state is InboundState.HELD
    return room


def backed_up(place: Place) -> Path:
    place.run("backup", str(place.file), key=SECRET)
    return place.file


def restored(place: Place, file: Path, *options: str, key: str | None = None) -> Database:
    """Put a backup back; a desk on PostgreSQL is always given a key."""
    given = key if key is not None else "" if place.url.startswith("sqlite") else SECRET
    place.run("restore", str(file), *options, key=given)
    return Database(place.url)


# ------------------------------------------------------------------ whole


def test_a_desk_that_was_moved_is_the_same_in_every_row(here: Place, there: Place, room: Mailroom) -> None:
    before = here.rows()
    restored(there, backed_up(here), "--moved").close()
    assert there.rows() == before
    assert before["blob"]
    assert before["attachment"]


def test_a_backup_is_for_nobody_but_its_owner(here: Place, room: Mailroom) -> None:
    assert stat.S_IMODE(backed_up(here).stat().st_mode) == 0o600
    assert [path.name for path in here.file.parent.iterdir() if path.name.startswith(".")] == []


def test_what_was_acknowledged_before_a_backup_is_in_it_while_more_comes_in(
    here: Place, there: Place, room: Mailroom
) -> None:
    earlier = [row.id for row in room.every(InboundMessage)]
    over, taken = threading.Event(), list[int]()

    def receive() -> None:
        while not over.is_set():
            taken.extend(room.put(mail("x" * 2000)))
            room.work()

    writer = threading.Thread(target=receive)
    writer.start()
    try:
        while len(taken) < 20:
            over.wait(0.01)
        before = len(taken)
        here.enter(SECRET)
        output = WaitingOutput(lambda: until(lambda: len(taken) > before))  # more is acknowledged before it ends
        with redirect_stdout(TextIOWrapper(output)) as printed:
            commands.backup.main(["-"], standalone_mode=False)
            here.file.write_bytes(output.getvalue())
        printed.close()
    finally:
        over.set()
        writer.join()

    database = restored(there, here.file)
    with database.reading() as session:
        copied = session.execute(select(InboundMessage.id, InboundMessage.state).order_by(InboundMessage.id)).all()
        filed = session.scalars(select(Article.inbound_id).where(Article.inbound_id.in_(taken)).order_by(Article.id))
        articles = filed.all()
    database.close()
    new = copied[len(earlier) :]
    assert before <= len(new)
    assert [row.id for row in new] == taken[: len(new)], "the copy is not of one moment"
    assert articles == [row.id for row in new if row.state is InboundState.PROCESSED]
    assert len(new) - len(articles) <= 1, "each mail was processed before the next one came"


def test_a_desk_that_was_put_back_goes_on(here: Place, there: Place, room: Mailroom, now: datetime) -> None:
    database = restored(there, backed_up(here), "--moved")
    settings = load_settings()
    tokens = Tokens(settings.secret_key, *settings.old_keys)
    with database.reading() as session:
        secret = session.scalars(select(Mailbox.imap_secret).where(Mailbox.imap_secret.is_not(None))).one()
        last = session.scalar(select(func.max(Ticket.id)))
    assert secret
    assert tokens.decrypt(secret) == IMAP_PASSWORD
    assert last

    app = create_app(settings, database, extract=lambda raw, _: raw, clock=lambda: now)
    app.test_client_class = Visitor
    visitor = app.test_client()
    assert isinstance(visitor, Visitor)
    assert visitor.sign_in(ADMIN).get("/tickets/1").status_code == 200

    second = Mailroom(database, tokens, now)
    answer = second.take(mail("And now?"), to=room.plus_address(1, ANNA))
    fresh = second.take(mail("Another thing", subject="Coffee"))
    assert (answer.action, answer.ticket_number) == ("append_article", 1)
    assert fresh.ticket_number == last + 1
    database.close()


# ------------------------------------------------------------------ time went on


def test_what_waited_to_go_out_does_not_go_out_again_in_silence(here: Place, there: Place, room: Mailroom) -> None:
    waiting = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED)
    with room.database.transaction() as session:
        first = session.scalars(select(Delivery)).first()
        assert first
        values = {"mailbox_id": first.mailbox_id, "recipient": ANNA, "created_at": room.clock(), "due_at": room.clock()}
        for cause in (DeliveryCause.REPLY, DeliveryCause.NOTICE):
            for number, state in enumerate((*waiting, DeliveryState.SENT)):
                row = {"cause": cause, "state": state, "message_id": f"{cause}{number}@x.example", **values}
                session.execute(insert(Delivery).values(**row))

    told = there.run("restore", str(backed_up(here)), key=SECRET).output
    database = Database(there.url)
    with database.reading() as session:
        found = session.execute(select(Delivery.cause, Delivery.state, Delivery.last_error).order_by(Delivery.id)).all()
    database.close()
    after = {(row.cause, row.state) for row in found}
    assert {state for cause, state in after if cause is DeliveryCause.REPLY} == {
        DeliveryState.UNKNOWN,
        DeliveryState.SENT,
    }
    assert {state for _, state in after} == {DeliveryState.UNKNOWN, DeliveryState.FAILED, DeliveryState.SENT}
    assert all(row.last_error for row in found if row.state is not DeliveryState.SENT)
    assert "3 replies" in told


def test_numbers_that_may_have_been_given_since_are_left_out(
    here: Place, there: Place, room: Mailroom, tokens: Tokens, now: datetime
) -> None:
    with room.database.reading() as session:
        last = {name: session.scalar(text(f"SELECT max(id) FROM {name}")) or 0 for name in ("delivery", "article")}
        number = session.scalar(select(Counter.value).where(Counter.name == "ticket")) or 0
    database = restored(there, backed_up(here), "--skip-numbers", "50", key=SECRET)
    second = Mailroom(database, tokens, now)
    fresh = second.take(mail("Another thing", subject="Coffee"))
    assert fresh.ticket_number == number + 51
    assert second.every(Delivery)[-1].id > last["delivery"] + 1000
    assert second.every(Article)[-1].id > last["article"] + 1000
    database.close()


# ------------------------------------------------------------------ keys


def test_the_key_is_put_where_the_desk_keeps_it(here: Place, there: Place, room: Mailroom) -> None:
    if here.url.startswith("postgresql"):
        told = there.run("restore", str(backed_up(here)), key="another key of this machine").output
        assert "LETTERDESK_SECRET_KEY" in told
    else:
        restored(there, backed_up(here)).close()
    kept = there.data_dir / KEY_FILE
    assert kept.read_text() == SECRET
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_key_that_the_settings_have_is_not_written_down(here: Place, there: Place, room: Mailroom) -> None:
    told = there.run("restore", str(backed_up(here)), key=SECRET).output
    assert not (there.data_dir / KEY_FILE).exists()
    assert "LETTERDESK_SECRET_KEY" not in told


def test_a_desk_without_its_key_makes_no_backup(here: Place, room: Mailroom) -> None:
    with pytest.raises((BackupError, ConfigError), match="LETTERDESK_SECRET_KEY"):
        here.run("backup", str(here.file))
    assert not here.file.exists()
    assert not (here.data_dir / KEY_FILE).exists()


# ------------------------------------------------------------------ refused


def test_a_file_that_is_there_is_replaced_only_when_asked(here: Place, room: Mailroom) -> None:
    here.file.write_text("mine")
    with pytest.raises(BackupError, match="--force"):
        here.run("backup", str(here.file), key=SECRET)
    assert here.file.read_text() == "mine"
    here.run("backup", str(here.file), "--force", key=SECRET)
    assert here.file.read_bytes() != b"mine"


def test_a_desk_that_is_not_empty_is_replaced_only_when_asked(
    here: Place, there: Place, room: Mailroom, now: datetime
) -> None:
    file = backed_up(here)
    room.take(mail("Since then", subject="Something new"))
    before = here.rows()
    room.database.close()
    with pytest.raises(BackupError, match=r"3 tickets, 4 mails and 1 account.*--replace"):
        here.run("restore", str(file), key=SECRET)
    assert here.rows() == before

    told = here.run("restore", str(file), "--replace", "--moved", key=SECRET).output
    assert "This is replaced" in told
    assert len(here.rows()["inbound_message"]) == len(before["inbound_message"]) - 1
    if here.url.startswith("sqlite"):
        (former,) = Path(make_url(here.url).database or "").parent.glob("desk.db.replaced-*")
        with closing(sqlite3.connect(former)) as connection:
            count = connection.execute("SELECT count(*) FROM inbound_message").fetchone()[0]
        assert count == len(before["inbound_message"])


def test_a_database_that_somebody_uses_is_left_alone(here: Place, room: Mailroom) -> None:
    file = backed_up(here)
    before = here.rows()
    with room.database.reading() as session:
        session.scalar(select(Ticket.id))
        with pytest.raises(BackupError, match="stop the desk first"):
            here.run("restore", str(file), "--replace", key=SECRET)
    assert here.rows() == before


@pytest.mark.parametrize("length", [0, 1000, -1000])
def test_a_backup_that_was_cut_off_changes_nothing(here: Place, there: Place, room: Mailroom, length: int) -> None:
    file = backed_up(here)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(BackupError, match=r"damaged|not whole|no backup"):
        there.run("restore", str(file), key=SECRET)
    assert list(there.home.rglob("*.db*")) == []
    assert not (there.data_dir / KEY_FILE).exists()


def test_a_database_that_is_damaged_inside_the_backup_changes_nothing(
    here: Place, room: Mailroom, tmp_path: Path
) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with backed_up(here).open("rb") as file:
        manifest = archive.unpack(file, folder)
    content = (folder / DATABASE).read_bytes()
    kept = len(content) // 2 if manifest.database == "sqlite" else -2000  # what pg_restore reads last
    (folder / DATABASE).write_bytes(content[:kept])
    members = {name: archive.describe(folder / name) for name in manifest.members}
    with here.file.open("wb") as damaged:
        archive.pack(damaged, Manifest(**{**_fields(manifest), "members": members}), folder)
    before = here.rows()
    room.database.close()
    with pytest.raises(BackupError, match=r"cannot be used|left as it was"):
        here.run("restore", str(here.file), "--replace", key=SECRET)
    assert here.rows() == before


def _fields(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
