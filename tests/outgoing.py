"""What the tests of sending share: a desk with a ticket, its outbox, and letters."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select
from sqlalchemy.orm import Session

from intake.outbound.deliver import GRACE_SECONDS, Outbox
from intake.outbound.letter import Acknowledgement, Content, Envelope, Letter, Thread
from intake.types import Outcome, Person, Sent
from shared import tickets
from shared.config import Settings
from shared.database import Database
from shared.mailboxes import ensure_desk_mailbox
from shared.models import Delivery, Role, Status, Ticket, User
from shared.people import find_or_create
from shared.tokens import Tokens

MOMENT = datetime(2026, 11, 21, 8, 11, tzinfo=dt.UTC)
ANNA = Person(address="anna@brightmill.example", name="Anna Kowalczyk")
KEPT = Sent(response="250 kept")
DESK = Person(address="support@desk.example", name="Fernhill Support")


def letter(content: Content | None = None, **changes: object) -> Letter:
    """An acknowledgement of ticket 4821 to Anna, with whatever is given otherwise."""
    values: dict[str, object] = {
        "message_id": "t4821.abc.def@desk.example",
        "written_at": MOMENT,
        "sender": DESK,
        "recipient": ANNA,
        "to": (ANNA,),
        "thread": Thread(number=4821, subject="Invoice 2026-1187 was charged twice"),
        "content": content or Acknowledgement(written_at=MOMENT),
        "loop_mark": "mark",
        "portal_url": "https://desk.example",
    }
    return Letter(**(values | changes))  # type: ignore[arg-type]  # the defaults above are of the right types


@dataclass
class Clock:
    """A clock that is moved by hand."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def pass_by(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class SendingDesk:
    """A desk with agents and requesters that opens tickets, answers them and sends its outbox."""

    database: Database
    tokens: Tokens
    settings: Settings
    clock: Clock

    def outbox(self, url: str, *, grace: float = GRACE_SECONDS, chance: float = 0.5) -> Outbox:
        settings = self.settings.model_copy(update={"outgoing": url})
        return Outbox(self.database, self.tokens, settings, clock=self.clock, chance=lambda: chance, grace=grace)

    def open_ticket(self, subject: str = "Printer", *, cc: tuple[str, ...] = (), acknowledge: bool = True) -> int:
        with self.database.transaction() as session:
            mailbox = ensure_desk_mailbox(session, DESK.address, DESK.name, self.clock())
            anna = find_or_create(session, ANNA.address, ANNA.name, self.clock())
            return tickets.open_ticket(
                session,
                requester=anna,
                author=anna,
                subject=subject,
                text="It is on fire.\n\nPlease come.",
                mailbox=mailbox,
                now=self.clock(),
                tokens=self.tokens,
                cc=[find_or_create(session, address, "", self.clock()) for address in cc],
                acknowledge=acknowledge,
            ).id

    def reply(self, number: int, text: str = "On our way.", files: tuple[tickets.Upload, ...] = ()) -> None:
        with self.database.transaction() as session:
            ticket = session.get_one(Ticket, number)
            tickets.reply(
                session,
                ticket,
                author=self._jonas(session),
                text=text,
                files=files,
                now=self.clock(),
                tokens=self.tokens,
            )

    def set_status(self, number: int, status: Status) -> None:
        with self.database.transaction() as session:
            ticket = session.get_one(Ticket, number)
            tickets.set_status(
                session, ticket, status, actor=self._jonas(session), now=self.clock(), tokens=self.tokens
            )

    def deliveries(self) -> list[Delivery]:
        with self.database.reading() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))

    def delivery(self) -> Delivery:
        (only,) = self.deliveries()
        return only

    def _jonas(self, session: Session) -> User:
        jonas = find_or_create(session, "jonas@desk.example", "Jonas Okafor", self.clock())
        jonas.role = Role.ADMIN
        return jonas


@contextmanager
def running(outbox: Outbox) -> Iterator[Outbox]:
    """An outbox whose connection is closed at the end."""
    try:
        yield outbox
    finally:
        outbox.close()


class Scripted:
    """What a transport of a test has besides sending."""

    def check(self) -> str | None:
        return None

    def close(self) -> None:
        return None

    def abort(self) -> None:
        return None


class Intercepting(Scripted):
    """Does something just before each mail is handed over, and then delivers it; the server says `outcome`."""

    def __init__(self, action: Callable[[], None] = lambda: None, *, outcome: Outcome = KEPT) -> None:
        self._action = action
        self._outcome = outcome
        self.delivered = 0

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        del envelope
        self._action()
        handed_over()
        self.delivered += 1
        return self._outcome


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for 127.0.0.1, and the file with the certificate that clients are to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink.example")])
    start = datetime.now(dt.UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "sink.pem", folder / "sink.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
