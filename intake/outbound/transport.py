"""How a mail leaves: the seam between the outbox and what carries its mail, and the URL that chooses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from intake.outbound.files import FileTransport
from intake.outbound.letter import Envelope
from intake.outbound.smtp import SmtpTransport
from intake.outbound.smtp_dialogue import Server
from intake.types import Outcome, Unreachable
from shared.errors import UserError

PORTS = {"smtp": 25, "smtps": 465}
SUBMISSION = 587  # where a login is wanted (RFC 6409)


class TransportError(UserError):
    """The URL of the outgoing server is wrong. The message is one sentence that says what."""


class Transport(Protocol):
    """Carries one mail to one recipient at a time. Not for several threads at once."""

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:
        """Hand a mail over and say what became of it.

        `handed_over` is called once all of the mail but the last step, after which it is the next server's, is
        done. What it raises stops the sending, and nothing has been sent.
        """

    def check(self) -> str | None:
        """Say in a sentence why nothing could be handed over now; None where something could."""

    def close(self) -> None:
        """End what is open. The transport can be used again afterwards."""

    def abort(self) -> None:
        """Let a sending that waits for the server end at once, as if the connection had ended. For any thread."""


class Broken:
    """Stands where a server should be that cannot be used because of how it is set. `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def send(self, envelope: Envelope, handed_over: Callable[[], None]) -> Outcome:  # noqa: ARG002
        return Unreachable(reason=self._sentence)

    def check(self) -> str | None:
        return self._sentence

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Nothing waits."""


def open_transport(url: str) -> Transport:
    """The transport for `smtp://`, `smtps://` or `file:///`. Connects to nothing yet. Raises TransportError.

    `smtp://user:password@host:587?starttls=yes`: TLS is used where the server offers it, and must be used where a
    login is given or `starttls=yes`; `starttls=no` never uses it. `ca=FILE` trusts the certificates in a file.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FileTransport(unquote(parts.path))
    if parts.scheme not in PORTS or not parts.hostname:
        raise TransportError("The outgoing server is not smtp://HOST, smtps://HOST or file:///FOLDER.")
    try:
        port = parts.port
    except ValueError:
        raise TransportError("The port of the outgoing server is not a number up to 65535.") from None
    options = _options(parts.query)
    server = Server(
        host=parts.hostname,
        port=port or (SUBMISSION if parts.scheme == "smtp" and parts.username else PORTS[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        implicit_tls=parts.scheme == "smtps",
        starttls=options.get("starttls"),
        ca_file=options.get("ca"),
    )
    return SmtpTransport(server)


def _options(query: str) -> Mapping[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = options.keys() - {"starttls", "ca"}
    if unknown:
        raise TransportError(f"The outgoing server has no option “{min(unknown)}”; there are starttls and ca.")
    if options.get("starttls", "yes") not in {"yes", "no"}:
        raise TransportError("The option starttls of the outgoing server is yes or no.")
    return options
