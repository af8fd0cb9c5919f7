"""What every page of the portal stands on, handed in once when the application is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from flask import current_app

from shared.caps import Caps, caps_of
from shared.config import Settings
from shared.database import Database
from shared.tokens import Tokens

EXTENSION = "letterdesk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Settings, database, tokens and clock of this application.

    `extract(raw, part)` gives the bytes of an attachment out of a stored mail (`Attachment.part`), `read(raw)` its
    text, for mail that has become no article.
    """

    settings: Settings
    database: Database
    tokens: Tokens
    extract: Callable[[bytes, str], bytes]
    read: Callable[[bytes], str]
    clock: Callable[[], datetime]

    @property
    def undo_for(self) -> timedelta:
        """For so long a reply can be taken back."""
        return timedelta(seconds=self.settings.undo_seconds)

    @property
    def caps(self) -> Caps:
        """How much automatic mail may go out."""
        return caps_of(self.settings)


def desk() -> Desk:
    """The desk of the application that answers the current request."""
    return cast(Desk, current_app.extensions[EXTENSION])


def now() -> datetime:
    """The moment of this request, aware."""
    return desk().clock()
