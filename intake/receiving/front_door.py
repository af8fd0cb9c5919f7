"""Settings to the server that takes mail in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from intake.receiving.lmtp import LmtpSession
from intake.receiving.open_files import allow_connections
from intake.receiving.smtp import Limits, Listener, SmtpServer
from intake.receiving.smtp_session import SmtpSession
from intake.receiving.spool import Spool
from intake.receiving.tls import Certificate
from shared.config import Settings, host_and_port
from shared.database import Database
from shared.setting_values import networks

logger = logging.getLogger(__name__)


def open_front_door(
    settings: Settings, *, spool: Spool, database: Database, has_room: Callable[[], bool]
) -> SmtpServer | None:
    """The server that the settings ask for, not started yet; None where they ask for none.

    This process may have as many files open from now on as the connections need.
    """
    listeners = listeners_of(settings)
    if not listeners:
        return None
    if too_few := allow_connections(settings.smtp_max_connections):
        logger.warning(too_few)
    return SmtpServer(
        listeners=listeners,
        spool=spool,
        database=database,
        desk_address=settings.address,
        limits=Limits(
            max_message_bytes=settings.max_message_bytes,
            max_connections=settings.smtp_max_connections,
            mails_a_minute=settings.smtp_rate,
        ),
        certificate=certificate_of(settings),
        proxies=networks(settings.smtp_proxies),
        has_room=has_room,
    )


def listeners_of(settings: Settings) -> list[Listener]:
    """Where mail is taken, by the settings."""
    wanted = (
        ("SMTP", settings.smtp_listen, SmtpSession, False),
        ("SMTPS", settings.smtps_listen, SmtpSession, True),
        ("LMTP", settings.lmtp_listen, LmtpSession, False),
    )
    return [
        Listener(name=name, address=host_and_port(address), session=session, tls=tls)
        for name, address, session, tls in wanted
        if address
    ]


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate of the settings, not read yet."""
    if not settings.smtp_tls_cert:
        return None
    return Certificate(Path(settings.smtp_tls_cert), Path(settings.smtp_tls_key))
