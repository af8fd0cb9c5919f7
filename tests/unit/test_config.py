"""Settings from the environment: what is wrong stops with one sentence that names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.config import (
    DEFAULT_ADDRESS,
    KEY_FILE,
    MIN_SECRET,
    ConfigError,
    host_and_port,
    load_settings,
    unknown_settings,
)

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and nothing of the machine's environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith("LETTERDESK_"):
            monkeypatch.delenv(name)


def refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    monkeypatch.setenv(f"LETTERDESK_{name}", value)
    with pytest.raises(ConfigError) as error:
        load_settings()
    return str(error.value)


def test_with_nothing_set_the_desk_is_on_this_machine_alone_and_mails_nobody() -> None:
    settings = load_settings()

    assert settings.database_url == "sqlite:///var/letterdesk.db"
    assert settings.address == DEFAULT_ADDRESS
    assert [settings.smtp_listen, settings.portal_listen, settings.ops_listen] == [
        "127.0.0.1:8025",
        "127.0.0.1:8000",
        "127.0.0.1:9000",
    ]
    assert settings.lmtp_listen == ""
    assert not settings.sends_for_real
    assert settings.outgoing_url == (Path.cwd() / "var" / "outgoing").as_uri()
    assert settings.portal_base_url == "http://127.0.0.1:8000"


WRONG = [
    ("DATABASE_URL", "letterdesk.db"),
    ("DATABASE_URL", "mysql://desk@localhost/desk"),
    ("DATABASE_URL", f"postgresql://desk:{SECRET}@localhost:port/desk"),
    ("DATABASE_URL", f"postgresql//desk:{SECRET}@localhost/desk"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///file::memory:?cache=shared&uri=true"),
    ("SECRET_KEY", "short"),
    ("SECRET_KEY_OLD", f"{SECRET},short"),
    ("ADDRESS", "support"),
    ("ADDRESS", "Support <support@desk.example>"),
    ("DESK_NAME", "x" * 101),
    ("OUTGOING", "mail.example.org:587"),
    ("OUTGOING", "smtp://"),
    ("OUTGOING", f"smtp://desk:{SECRET}@"),
    ("OUTGOING", f"smtp://desk:{SECRET}@mail.example.org:smtp"),
    ("OUTGOING", f"smtp://desk:{SECRET}@mail.example.org:99999"),
    ("OUTGOING", f"smtp://desk:{SECRET}@mail.example.org:0"),
    ("OUTGOING", f"smtp://desk:{SECRET}@[::1"),
    ("OUTGOING", f"smtp://desk:{SECRET}/{SECRET}@mail.example.org"),
    ("OUTGOING", f" smtp://desk:{SECRET}@mail.example.org"),
    ("OUTGOING", "file://"),
    ("OUTGOING", "file://host/folder"),
    ("OUTGOING", "http://mail.example.org"),
    ("PORTAL_URL", "desk.example.org"),
    ("PORTAL_URL", "ftp://desk.example.org"),
    ("PORTAL_URL", "https://"),
    ("PORTAL_URL", "https:///tickets"),
    ("PORTAL_URL", "https://desk.example.org:port"),
    ("PORTAL_URL", "https://desk.example.org/?page=1"),
    ("PORTAL_URL", "javascript:alert(1)"),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", "many"),
    ("MAX_MESSAGE_BYTES", "100"),
    ("MAX_MESSAGE_BYTES", "25 MB"),
    ("PASSWORD_ROUNDS", "0"),
    *(
        (name, value)
        for name in ("HOLD_HOURS", "CLOSE_AFTER_DAYS")
        for value in ("0", "-1", "inf", "nan", "1e300", "x")
    ),
    *(
        (name, value)
        for name in ("SMTP_LISTEN", "LMTP_LISTEN", "PORTAL_LISTEN", "OPS_LISTEN")
        for value in ("8025", "localhost", "localhost:", ":8025", "localhost:65536", "localhost:²", "localhost:-1")
    ),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_stops_with_one_sentence_that_names_it_and_tells_no_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    said = refused(monkeypatch, name, value)

    assert f"LETTERDESK_{name} " in said
    assert "\n" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("UNDO_SECONDS", "601", "it must be at most 600"),
        ("HOLD_HOURS", "0", "it must be more than 0"),
        ("HOLD_HOURS", "soon", "it must be a number"),
        ("HOLD_HOURS", "inf", "it must be a number"),
        ("TRUSTED_PROXIES", "-1", "it must be at least 0"),
        ("TRUSTED_PROXIES", "many", "it must be a whole number"),
        ("DESK_NAME", "x" * 101, "it must have at most 100 characters"),
    ],
)
def test_a_value_out_of_its_bounds_is_told_the_bound(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    assert refused(monkeypatch, name, value) == f"LETTERDESK_{name} is wrong: {sentence}"


def test_mail_that_is_sent_for_real_needs_an_address_of_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "LETTERDESK_ADDRESS" in refused(monkeypatch, "OUTGOING", "smtp://mail.example.org")
    assert "LETTERDESK_ADDRESS" in refused(monkeypatch, "OUTGOING", "SMTPS://mail.example.org")
    monkeypatch.setenv("LETTERDESK_ADDRESS", "help@example.org")
    assert load_settings().outgoing_url == "smtps://mail.example.org"


def test_postgresql_needs_a_secret_key_that_all_machines_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "LETTERDESK_SECRET_KEY" in refused(monkeypatch, "DATABASE_URL", f"postgresql://desk:{SECRET}@db/desk")
    monkeypatch.setenv("LETTERDESK_SECRET_KEY", SECRET)
    assert load_settings().secret_key == SECRET
    assert not Path("var", KEY_FILE).exists()


def test_settings_may_stand_in_an_env_file_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LETTERDESK_ADDRESS=file@example.org\nLETTERDESK_DESK_NAME=Grüße\nOTHER=1\n", "utf-8")
    monkeypatch.setenv("LETTERDESK_ADDRESS", "help@example.org")
    settings = load_settings()

    assert (settings.address, settings.desk_name) == ("help@example.org", "Grüße")


def test_an_env_file_that_is_no_utf_8_stops_with_a_sentence() -> None:
    Path(".env").write_bytes(b"LETTERDESK_DESK_NAME=Gr\xfc\xdfe\n")
    with pytest.raises(ConfigError, match=r"\.env"):
        load_settings()


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERDESK_ADDRESS", "")
    assert load_settings().address == DEFAULT_ADDRESS


# ------------------------------------------------------------------ the key that is kept


def test_a_key_is_made_once_and_kept_where_nobody_else_reads_it() -> None:
    first, second = load_settings().secret_key, load_settings().secret_key

    assert first == second
    assert len(first) >= 64
    assert Path("var", KEY_FILE).stat().st_mode & 0o077 == 0
    assert [path.name for path in Path("var").iterdir()] == [KEY_FILE]


def test_who_only_looks_makes_no_key() -> None:
    assert load_settings(keep_key=False).secret_key == ""
    assert not Path("var").exists()


@pytest.mark.parametrize("keep_key", [True, False])
@pytest.mark.parametrize("content", [b"", b" \n", b"a" * (MIN_SECRET - 1), b"\xff" * 64, "ä".encode() * 40], ids=len)
def test_a_kept_key_that_is_none_is_never_used_and_left_as_it_is(content: bytes, keep_key: bool) -> None:
    path = Path("var", KEY_FILE)
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="LETTERDESK_DATA_DIR"):
        load_settings(keep_key=keep_key)
    assert path.read_bytes() == content


def test_a_data_folder_that_cannot_be_one_stops_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("taken").write_text("a file")
    assert "LETTERDESK_DATA_DIR" in refused(monkeypatch, "DATA_DIR", "taken")


# ------------------------------------------------------------------ small things


@pytest.mark.parametrize(
    ("value", "parts"), [("127.0.0.1:8025", ("127.0.0.1", 8025)), ("[::1]:25", ("::1", 25)), ("mx:0", ("mx", 0))]
)
def test_a_listening_address_is_split_into_host_and_port(value: str, parts: tuple[str, int]) -> None:
    assert host_and_port(value) == parts


def test_links_in_mails_begin_without_a_double_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERDESK_PORTAL_URL", "https://desk.example.org/help/")
    assert load_settings().portal_base_url == "https://desk.example.org/help"


def test_a_data_folder_that_is_made_is_its_owners_alone() -> None:
    load_settings()
    assert Path("var").stat().st_mode & 0o777 == 0o700


def test_a_misspelt_setting_is_said_with_the_one_that_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERDESK_ADRESS", "help@fernhill.example")
    monkeypatch.setenv("LETTERDESK_DESK_NAME", "Fernhill")
    Path(".env").write_text("letterdesk_outgoin=smtp://mail.example\nLETTERDESK_ZZZ=1\nPOSTGRES_PASSWORD=x\n")

    assert list(unknown_settings()) == [
        "LETTERDESK_ADRESS is no setting; is LETTERDESK_ADDRESS meant?",
        "LETTERDESK_OUTGOIN is no setting; is LETTERDESK_OUTGOING meant?",
        "LETTERDESK_ZZZ is no setting.",
    ]


def test_what_can_be_set_is_no_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERDESK_OUTGOING", "smtp://mail.example")
    monkeypatch.setenv("letterdesk_address", "help@fernhill.example")

    assert list(unknown_settings()) == []
