"""Sample mail for a first look: several languages, files, a reply, an out-of-office, an alert, a stranger.

It goes the way of all mail, through the desk's own SMTP port. The samples are beside this file, one .eml each, without
a date; they are sent as if they had come in during the last day.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.config import Settings
from shared.errors import UserError
from shared.models import InboundMessage, Mailbox

SAMPLES = Path(__file__).with_name("samples")
WRITTEN_TO = b"support@desk.example"
FIRST_ID = "tuerterminal.1@muehlwerk.example"
TIMEOUT = 30.0
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # what listens everywhere is reached here
APART = timedelta(minutes=97)
AUTOMATIC_ANSWER = b"Auto-Submitted: auto-replied"


class DemoError(UserError):
    """The samples could not be sent. The message is one sentence that says why."""


def why_not(settings: Settings, session: Session) -> str | None:
    """Say in a sentence why this desk gets no sample mail: none may ever reach a person. None where it may."""
    if settings.sends_for_real:
        return "Sample mail is only for a desk that writes its mail into files; LETTERDESK_OUTGOING sends it for real."
    address = session.scalar(select(Mailbox.address).where(Mailbox.imap_url.is_not(None)).limit(1))
    if address is not None:
        return f"Sample mail is only for a desk without real mailboxes; {address} is read over IMAP."
    return None


def moment(session: Session, now: datetime) -> datetime:
    """When the samples first came to this desk, or `now`: what is dated alike is known again as the same mail."""
    first = select(func.min(InboundMessage.received_at)).where(InboundMessage.message_id == FIRST_ID)
    return session.scalar(first) or now


def send(listen: tuple[str, int], address: str, now: datetime) -> int:
    """Send the samples to the desk's own `address` over SMTP and return how many they are.

    Sent twice on one day (UTC) they are the same mails and make nothing new. Raises DemoError.
    """
    host = EVERYWHERE.get(listen[0], listen[0])
    try:
        with smtplib.SMTP(host, listen[1], local_hostname="samples.example", timeout=TIMEOUT) as connection:
            return _send_all(connection, address, now)
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise DemoError(f"The desk did not take the sample mail: {error.smtp_code} {said}") from None
    except smtplib.SMTPRecipientsRefused:
        raise DemoError(f"The desk that listens on {host}:{listen[1]} takes no mail for {address}.") from None
    except (OSError, smtplib.SMTPException) as error:
        raise DemoError(f"No desk takes mail on {host}:{listen[1]} ({error}); start it with: letterdesk run") from None


def mails(address: str, now: datetime) -> Iterator[bytes]:
    """The samples in the order in which they came, with CRLF line ends, the last one dated before today (UTC)."""
    files = sorted(SAMPLES.glob("*.eml"))
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for place, file in enumerate(files):
        date = format_datetime(midnight - APART * (len(files) - place))
        mail = f"Date: {date}\n".encode() + file.read_bytes().replace(WRITTEN_TO, address.encode())
        yield mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _send_all(connection: smtplib.SMTP, address: str, now: datetime) -> int:
    sent = 0
    for mail in mails(address, now):
        _send(connection, mail, address)
        sent += 1
    return sent


def _send(connection: smtplib.SMTP, mail: bytes, address: str) -> None:
    """Hand one mail over, with the envelope that its sender would have used."""
    header, _, _ = mail.partition(b"\r\n\r\n")
    author = next(line for line in header.split(b"\r\n") if line.startswith(b"From: "))
    sender = author.rpartition(b"<")[2].rstrip(b">").decode()
    automatic = AUTOMATIC_ANSWER in header.split(b"\r\n")  # an automatic answer has no sender (RFC 3834)
    connection.sendmail("" if automatic else sender, [address], mail)
