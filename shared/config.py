"""The settings: read once from the environment or a `.env` file, checked before anything starts."""

from __future__ import annotations

import difflib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url

from shared import setting_values as values
from shared.errors import UserError
from shared.setting_values import host_and_port

__all__ = ["ConfigError", "Settings", "host_and_port", "load_settings", "unknown_settings"]

DEFAULT_ADDRESS = "support@desk.example"
MIN_SECRET = 16
KEY_FILE = "secret.key"
PREFIX = "LETTERDESK_"
MAX_HOURS = 10_000.0
MAX_DAYS = 3650.0
MAX_MINUTES = 100_000.0
MAX_UNDO_SECONDS = 600.0
BOUNDS = {
    "greater_than_equal": "it must be at least {ge:g}",
    "greater_than": "it must be more than {gt:g}",
    "less_than_equal": "it must be at most {le:g}",
    "string_too_long": "it must have at most {max_length} characters",
    "int_parsing": "it must be a whole number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number",
}


class ConfigError(UserError):
    """A setting is wrong. The message is one sentence that names it and says what to do."""


Listen = Annotated[str, AfterValidator(values.listen)]
Address = Annotated[str, AfterValidator(values.address)]


class Settings(BaseSettings):
    """All settings; their names in the environment have the prefix LETTERDESK_."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    database_url: Annotated[str, AfterValidator(values.database_url)] = "sqlite:///var/letterdesk.db"
    data_dir: Path = Path("var")
    secret_key: str = ""
    secret_key_old: str = ""
    address: Address = DEFAULT_ADDRESS
    desk_name: str = Field(default="Letterdesk", min_length=1, max_length=100)
    smtp_listen: Listen = "127.0.0.1:8025"
    lmtp_listen: Listen = ""
    smtps_listen: Listen = ""
    smtp_tls_cert: str = ""
    smtp_tls_key: str = ""
    smtp_proxies: Annotated[str, AfterValidator(values.network_list)] = ""
    smtp_max_connections: int = Field(default=500, ge=1, le=10_000)
    smtp_rate: int = Field(default=1000, ge=0)
    min_free_bytes: int = Field(default=100 * 1024 * 1024, ge=0)
    trusted_hosts: str = ""
    portal_listen: Listen = "127.0.0.1:8000"
    portal_url: Annotated[str, AfterValidator(values.portal_url)] = ""
    ops_listen: Listen = "127.0.0.1:9000"
    outgoing: Annotated[str, AfterValidator(values.outgoing)] = ""
    dkim_keys: Annotated[str, AfterValidator(values.dkim_list)] = ""
    undo_seconds: float = Field(default=5, ge=0, le=MAX_UNDO_SECONDS, allow_inf_nan=False)
    cap_address_hour: int = Field(default=5, ge=0)
    cap_ticket_day: int = Field(default=10, ge=0)
    cap_desk_hour: int = Field(default=500, ge=0)
    queue_alarm_minutes: float = Field(default=15, gt=0, le=MAX_MINUTES, allow_inf_nan=False)
    mailbox_alarm_minutes: float = Field(default=15, gt=0, le=MAX_MINUTES, allow_inf_nan=False)
    alert_url: Annotated[str, AfterValidator(values.alert_url)] = ""
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
            raise ValueError(
                f"LETTERDESK_ADDRESS is not set, or is {DEFAULT_ADDRESS}; mail is sent for real, so name your own"
            )
        if bool(self.smtp_tls_cert) != bool(self.smtp_tls_key):
            raise ValueError("LETTERDESK_SMTP_TLS_CERT and LETTERDESK_SMTP_TLS_KEY belong together; set both or none")
        if self.smtps_listen and not self.smtp_tls_cert:
            raise ValueError("LETTERDESK_SMTPS_LISTEN needs LETTERDESK_SMTP_TLS_CERT and LETTERDESK_SMTP_TLS_KEY")
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
    def trusted_host_names(self) -> frozenset[str]:
        """The servers whose mark of spam is believed, in lower case."""
        return frozenset(host.lower().rstrip(".") for host in values.words(self.trusted_hosts))

    @property
    def old_keys(self) -> tuple[str, ...]:
        return values.words(self.secret_key_old)


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


def unknown_settings() -> Iterator[str]:
    """Yield a sentence for each name with our prefix, in the environment or `.env`, that is no setting."""
    known = [name.upper() for name in Settings.model_fields]
    sources = EnvSettingsSource(Settings), DotEnvSettingsSource(Settings)
    names = {name.upper() for source in sources for name in source.env_vars}
    given = {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}
    for name in sorted(given.difference(known)):
        close = difflib.get_close_matches(name, known, n=1)
        yield f"{PREFIX}{name} is no setting" + (f"; is {PREFIX}{close[0]} meant?" if close else ".")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    bound = BOUNDS.get(first["type"])
    said = bound.format(**first.get("ctx", {})) if bound else first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return said
    return f"LETTERDESK_{str(first['loc'][0]).upper()} is wrong: {said}"


def _kept_key(folder: Path) -> str:
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
