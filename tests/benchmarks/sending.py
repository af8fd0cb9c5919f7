"""How fast the outbox sends, beside a plain loop of smtplib that sends the very same bytes to the same server.

`python -m tests.benchmarks.sending [COUNT] [postgresql]`. The server runs in a process of its own and keeps nothing.
The mails are replies with a quote. The measure is the ratio of both in the same run.
"""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import update

from intake.outbound.deliver import Outbox
from intake.outbound.letter import Envelope
from intake.types import Outcome, Sent
from shared import schema
from shared.config import Settings
from shared.database import Database
from shared.models import Delivery, DeliveryState
from shared.tokens import Tokens
from tests.benchmarks.speed import say
from tests.outgoing import Clock, SendingDesk
from tests.postgres import cluster

COUNT = 1000
ROUNDS = 3
WANTED = 0.04


class Server(asyncio.Protocol):
    """Takes every mail, as little as SMTP asks for (RFC 5321)."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.example\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n.\r\n" if self._in_data else b"\r\n")) >= 0:
            line, self._rest = self._rest[:end], self._rest[end + (5 if self._in_data else 2) :]
            self._transport.write(self._answer(line))

    def _answer(self, line: bytes) -> bytes:
        if self._in_data:
            self._in_data = False
            return b"250 2.0.0 taken\r\n"
        verb = line[:4].upper()
        self._in_data = verb == b"DATA"
        if verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        return {
            b"DATA": b"354 go on\r\n",
            b"EHLO": b"250-sink.example\r\n250-SIZE\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
        }.get(verb, b"250 2.0.0 fine\r\n")


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


@contextmanager
def sink() -> Iterator[int]:
    """A server in a process of its own; yields its port."""
    command = [sys.executable, "-m", "tests.benchmarks.sending", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Noting:
    """A transport that remembers what it was given."""

    def __init__(self) -> None:
        self.carried: list[Envelope] = []

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        handed_over()
        self.carried.append(envelope)
        return Sent(response="250 noted")

    def check(self) -> str | None:
        return None

    def close(self) -> None:
        return None

    def abort(self) -> None:
        return None


def fill(desk: SendingDesk, count: int) -> None:
    """Queue so many replies, each on a ticket of its own."""
    for number in range(count):
        ticket = desk.open_ticket(f"Matter {number}", acknowledge=False)
        desk.reply(ticket, "We have looked at it.\n\nIt works again since this morning.")


def send_all(desk: SendingDesk, outbox: Outbox) -> float:
    """Send every mail of the desk once more; returns the seconds that took."""
    with desk.database.transaction() as session:
        session.execute(update(Delivery).values(state=DeliveryState.QUEUED, due_at=desk.clock(), attempts=0))
    start = time.perf_counter()
    while outbox.run_once():
        pass
    took = time.perf_counter() - start
    outbox.close()
    return took


def send_plainly(port: int, envelopes: list[Envelope]) -> float:
    """Send the same mails in a loop; returns the seconds that took."""
    start = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="plain.example") as client:
        for envelope in envelopes:
            client.sendmail(envelope.sender, [envelope.recipient], envelope.content)
    return time.perf_counter() - start


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[Database]:
    """A database with the tables of a desk, on SQLite or on a PostgreSQL server of its own."""
    with cluster() if kind == "postgresql" else nullcontext() as server:
        database = Database(server.fresh_database() if server else f"sqlite:///{folder / 'desk.db'}")
        schema.migrate(database)
        try:
            yield database
        finally:
            database.close()


def measure(desk: SendingDesk, port: int) -> tuple[int, float, float]:
    """How many mails there are, and the seconds of the best round: of the outbox, and of the plain loop."""
    noting = Noting()
    send_all(desk, Outbox(desk.database, desk.tokens, desk.settings, transport=noting, clock=desk.clock))
    rounds = []
    for _ in range(ROUNDS):
        ours = send_all(desk, desk.outbox(f"smtp://127.0.0.1:{port}"))
        rounds.append((ours, send_plainly(port, noting.carried)))
    best, plain = (min(times) for times in zip(*rounds, strict=True))
    return len(noting.carried), best, plain


def main(arguments: list[str]) -> int:
    """Print the figures; the exit status is 1 when the ratio is below `WANTED`."""
    count, kind = int(arguments[0]) if arguments else COUNT, "".join(arguments[1:]) or "sqlite"
    with tempfile.TemporaryDirectory() as folder, sink() as port, empty_database(kind, Path(folder)) as database:
        values = {"secret_key": "a key of the benchmark", "data_dir": Path(folder)}
        settings = Settings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]
        tokens = Tokens(settings.secret_key)
        desk = SendingDesk(database=database, tokens=tokens, settings=settings, clock=Clock(datetime.now(UTC)))
        fill(desk, count)
        sent, ours, plain = measure(desk, port)
    say(f"{sent} replies on {kind}")
    say(f"plain smtplib {sent / plain:8.0f} mails a second")
    say(f"the outbox    {sent / ours:8.0f} mails a second")
    say(f"ratio         {plain / ours:8.2f} (wanted: {WANTED} or more)")
    return 0 if plain / ours >= WANTED else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        asyncio.run(serve())
    sys.exit(main(sys.argv[1:]))
