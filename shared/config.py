"""The settings: read once from the environment or a `.env` file, checked before anything starts."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shared.addresses import is_address

DEFAULT_ADDRESS = "support@desk.example"
MIN_SECRET = 16
KEY_FILE = "secret.key"
MAX_PORT = 65535
MAX_HOURS = 10_000.0
MAX_DAYS = 3650.0

_PORT = re.compile(r"[0-9]{1,5}")


class ConfigError(Exception):
    """A setting is wrong. The message is one sentence that names it and says what to do."""


def host_and_port(value: str) -> tuple[str, int]:
    """Split `127.0.0.1:8025` or `[::1]:8025`; raises ValueError where it is neither."""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise ValueError(f"“{value}” is not HOST:PORT, for example 127.0.0.1:8025")
    return host.strip("[]"), int(port)


def _listen(value: str) -> str:
    if value:
        host_and_port(value)
    return value


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError(f"“{value}” is not a mail address, for example support@example.org")
    return value


def _outgoing(value: str) -> str:
    if value:
        parts = _url(value)
        if parts.scheme not in {"file", "smtp", "smtps"}:
            raise ValueError("it starts with file:///, smtp:// or smtps://")
        if parts.scheme != "file" and not parts.hostname:
            raise ValueError("it names no host, for example smtp://user:password@mail.example.org:587")
        if parts.scheme == "file" and (parts.netloc or not parts.path):
            raise ValueError("it names no folder, for example file:///var/spool/letterdesk")
        return parts.scheme + value[len(parts.scheme) :]
    return value


def _portal_url(value: str) -> str:
    if value:
        parts = _url(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it is no address of a web site, for example https://desk.example.org")
        if parts.query or parts.fragment:
            raise ValueError("it has a ? or a #, behind which no page can be")
    return value


def _url(value: str) -> SplitResult:
    """Split a URL; raises ValueError without repeating any of it, since it may hold a password."""
    try:
        parts = urlsplit(value)
        wrong = parts.port == 0
    except ValueError:
        wrong = True
    if wrong or not value.isprintable() or value != value.strip():
        raise ValueError("it is no URL: host or port cannot be read") from None
    return parts


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("it is no database URL, for example postgresql://user:password@host/letterdesk") from None
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ValueError(f"“{backend}” is not supported; use sqlite or postgresql")
    if backend == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise ValueError("it names no file, for example sqlite:///var/letterdesk.db")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    """All settings; their names in the environment have the prefix LETTERDESK_."""

    model_config = SettingsConfigDict(
        env_prefix="LETTERDESK_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = "sqlite:///var/letterdesk.db"
    data_dir: Path = Path("var")
    secret_key: str = ""
    secret_key_old: str = ""
    address: Address = DEFAULT_ADDRESS
    desk_name: str = Field(default="Letterdesk", min_length=1, max_length=100)
    smtp_listen: Listen = "127.0.0.1:8025"
    lmtp_listen: Listen = ""
    portal_listen: Listen = "127.0.0.1:8000"
    portal_url: Annotated[str, AfterValidator(_portal_url)] = ""
    ops_listen: Listen = "127.0.0.1:9000"
    outgoing: Annotated[str, AfterValidator(_outgoing)] = ""
    admin_code: str = ""
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    max_message_bytes: int = Field(default=25 * 1024 * 1024, ge=64 * 1024)
    hold_hours: float = Field(default=24, gt=0, le=MAX_HOURS, allow_inf_nan=False)
    close_after_days: float = Field(default=14, gt=0, le=MAX_DAYS, allow_inf_nan=False)
    password_rounds: int = Field(default=600_000, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.secret_key and len(self.secret_key) < MIN_SECRET:
            raise ValueError(f"LETTERDESK_SECRET_KEY is shorter than {MIN_SECRET} characters; make a longer one")
        if any(len(key) < MIN_SECRET for key in self.old_keys):
            raise ValueError(f"LETTERDESK_SECRET_KEY_OLD has a key that is shorter than {MIN_SECRET} characters")
        if self.is_postgresql and not self.secret_key:
            raise ValueError(
                "LETTERDESK_SECRET_KEY is not set; with PostgreSQL every machine needs the same one, "
                "for example from: openssl rand -hex 32"
            )
        if self.sends_for_real and self.address == DEFAULT_ADDRESS:
            raise ValueError("LETTERDESK_ADDRESS is not set; mail is sent for real, so name the desk's own address")
        return self

    @property
    def is_postgresql(self) -> bool:
        return make_url(self.database_url).get_backend_name() == "postgresql"

    @property
    def sends_for_real(self) -> bool:
        """Whether outgoing mail leaves this machine (and is not written to files)."""
        return self.outgoing_url.startswith("smtp")

    @property
    def outgoing_url(self) -> str:
        return self.outgoing or (self.data_dir.absolute() / "outgoing").as_uri()

    @property
    def portal_base_url(self) -> str:
        """Where people reach the portal, without a slash at the end; links in mails start with it."""
        return (self.portal_url or f"http://{self.portal_listen}").rstrip("/")

    @property
    def old_keys(self) -> tuple[str, ...]:
        return tuple(key.strip() for key in self.secret_key_old.split(",") if key.strip())


def load_settings(*, keep_key: bool = True) -> Settings:
    """Read the settings; make and keep a secret key where SQLite is used and none is given.

    With `keep_key` false nothing is written: a key that is kept already is used, else there is none.
    Raises ConfigError with one sentence for the first thing that is wrong.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from None
    except UnicodeDecodeError:
        raise ConfigError("The file .env is not written in UTF-8; save it again as UTF-8.") from None
    if settings.secret_key or not (keep_key or (settings.data_dir / KEY_FILE).exists()):
        return settings
    return settings.model_copy(update={"secret_key": _kept_key(settings.data_dir)})


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return said
    return f"LETTERDESK_{str(first['loc'][0]).upper()} is wrong: {said}"


def _kept_key(folder: Path) -> str:
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = path.read_bytes().strip() if path.exists() else _make_key(path).encode()
    except OSError as error:
        raise ConfigError(f"LETTERDESK_DATA_DIR is wrong: {path} cannot be used ({error.strerror})") from None
    if not kept.isascii() or len(kept) < MIN_SECRET:
        raise ConfigError(
            f"LETTERDESK_DATA_DIR is wrong: {path} holds no key; put it back from a backup, or remove it to have a "
            "new one made"
        )
    return kept.decode()


def _make_key(path: Path) -> str:
    """Make the key once, also when two commands start at the same moment."""
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
