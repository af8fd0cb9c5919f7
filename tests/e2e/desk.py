"""A whole desk for a test: the real command in a folder of its own, on free ports, with its mail in files.

What a test knows of it is what anybody could know: its ports, its commands, the mails that it writes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar, cast

ROOT = Path(__file__).parents[2]
ADDRESS = "support@desk.example"
PATIENCE = 90.0  # seconds; generous, since nothing here is about speed
BYTECODE = tempfile.TemporaryDirectory(prefix="letterdesk-bytecode-")  # so that a start compiles nothing twice
UNWANTED = ("LETTERDESK_", "PYTHONDONTWRITEBYTECODE")
Found = TypeVar("Found")


class Desk:
    """A desk that can be started, stopped, killed and started again. Its files stay until the test ends."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.log = home / "desk.log"
        self.smtp_port, self.portal_port, self.ops_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        own = {
            "SMTP_LISTEN": f"127.0.0.1:{self.smtp_port}",
            "PORTAL_LISTEN": f"127.0.0.1:{self.portal_port}",
            "OPS_LISTEN": f"127.0.0.1:{self.ops_port}",
            "OUTGOING": (home / "outgoing").as_uri(),
            "PASSWORD_ROUNDS": "1",
            "UNDO_SECONDS": "0",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
        named = {f"LETTERDESK_{name}": value for name, value in (own | settings).items()}
        python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONPYCACHEPREFIX": BYTECODE.name}
        self._environment = kept | named | python

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.portal_port}"

    def start(self, *arguments: str) -> None:
        """Run the desk and return when it can serve, mail and pages alike."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "letterdesk", "run", *arguments],
                cwd=self.home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._is_ready, "The desk did not get ready")

    def stop(self) -> int:
        """Ask the desk to end, as a service would, and return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let the desk die without a word, and wait until its portal has noticed and is gone too."""
        self._end(signal.SIGKILL)
        self.until(lambda: not is_open(self.portal_port), "The portal outlived its desk")

    def command(self, *arguments: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same desk; `given` is its standard input, `settings` override the desk's."""
        return subprocess.run(
            [sys.executable, "-m", "letterdesk", *arguments],
            cwd=self.home,
            env=self._environment | {f"LETTERDESK_{name}": value for name, value in settings.items()},
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def done(self, *arguments: str, given: str = "") -> str:
        """Run a command that has to go well, and return what it prints."""
        ended = self.command(*arguments, given=given)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def status(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.done("status", "--json")))

    def add_user(self, email: str, role: str = "requester", name: str = "") -> None:
        self.done("user", "add", email, "--role", role, "--name", name, "--password-stdin", given=f"{PASSWORD}\n")

    def send(self, mail: bytes, sender: str, recipient: str = ADDRESS) -> None:
        """Hand a mail over as any mail server would; it is stored when this returns."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="sender.example", timeout=PATIENCE) as smtp:
            smtp.sendmail(sender, [recipient], mail)

    def outgoing(self, recipient: str | None = None) -> list[EmailMessage]:
        """The mails that went out so far, oldest first; to one recipient where that is given."""
        files = sorted((self.home / "outgoing").glob("*.eml"))
        mails = [message_from_bytes(f.read_bytes(), policy=policy.default) for f in files]
        return [mail for mail in mails if recipient in {None, mail["Delivered-To"]}]

    def mail_to(self, recipient: str, count: int = 1) -> EmailMessage:
        """Wait for the mail number `count` to somebody, and return it."""
        return self.until(
            lambda: mails[count - 1] if len(mails := self.outgoing(recipient)) >= count else None,
            f"Mail {count} to {recipient} did not go out",
        )

    def settled(self, arrivals: int) -> dict[str, Any]:
        """Wait until so many mails have arrived and everything is done with them; return the status."""
        return self.until(lambda: _settled(self.status(), arrivals), f"The desk did not finish with {arrivals} mails")

    def until(self, condition: Callable[[], Found | None], sentence: str, seconds: float = PATIENCE) -> Found:
        """Wait until `condition` gives something that counts, and return it; else fail with the sentence."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.05)
        said = self.log.read_text()[-3000:] if self.log.exists() else ""
        raise AssertionError(f"{sentence}. It said:\n{said}")

    def _is_ready(self) -> bool:
        return all(self._is_well(port) for port in (self.ops_port, self.portal_port)) and is_open(self.smtp_port)

    def _is_well(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(PATIENCE)


PASSWORD = "correct horse battery"


def _settled(counts: dict[str, Any], arrivals: int) -> dict[str, Any] | None:
    inbound, deliveries = counts["inbound"], counts["deliveries"]
    waits = inbound["received"] + deliveries["queued"] + deliveries["sending"]
    return counts if sum(inbound.values()) >= arrivals and not waits else None


@contextmanager
def running_desk(home: Path, **settings: str) -> Iterator[Desk]:
    """A desk that runs; it is stopped at the end whatever happened."""
    home.mkdir(parents=True, exist_ok=True)
    desk = Desk(home, **settings)
    try:
        desk.start()
        yield desk
    finally:
        desk.stop()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


# ------------------------------------------------------------------ mails


def mail(sender: str, subject: str, text: str = "It boils and boils.\n", **headers: str) -> bytes:
    """A mail as a person's client writes it. `In_Reply_To="<…>"` stands for the header In-Reply-To."""
    written = EmailMessage(policy=policy.SMTP)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    usual = {"From": sender, "To": ADDRESS, "Subject": subject, "Date": "Sat, 21 Nov 2026 08:30:00 +0000"}
    for name, value in (usual | given).items():
        written[name] = value
    written.set_content(text)
    return bytes(written)


def text_of(written: EmailMessage) -> str:
    """The plain text of a mail that went out."""
    part = written.get_body(("plain",))
    assert part is not None, "a mail without text went out"
    return str(part.get_content())


# ------------------------------------------------------------------ pages


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hands refusals back as answers, so that a test can look at them."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response if response.status >= 400 else super().http_response(request, response)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What came back: `path` is where it ended after redirects."""

    status: int
    path: str
    text: str = field(repr=False)


class Client:
    """Somebody with a cookie jar who looks at the desk's pages over HTTP."""

    def __init__(self, desk: Desk) -> None:
        self._url = desk.url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(), _AnyStatus())

    def get(self, path: str) -> Page:
        return self._ask(path, None)

    def submit(self, path: str, *, at: str = "", **fields: str) -> Page:
        """Post a form with the CSRF token of the page it stands on (`at`, else the path itself)."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(at or path).text)
        assert token, f"there is no form at {at or path}"
        return self.post(path, csrf_token=token[1], **fields)

    def post(self, path: str, **fields: str) -> Page:
        return self._ask(path, urllib.parse.urlencode(fields).encode())

    def sign_in(self, login: str, password: str = PASSWORD) -> Page:
        return self.submit("/login", login=login, password=password)

    def _ask(self, path: str, content: bytes | None) -> Page:
        with self._opener.open(self._url + path, content, timeout=PATIENCE) as answer:
            text = answer.read().decode()
            return Page(status=answer.status, path=answer.url.removeprefix(self._url), text=text)
