"""A real Postfix for the tests: its own configuration and queue, free ports on 127.0.0.1, every relay to the desk.

It needs root, as Postfix does. Its master is a child of the test and is ended with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = Path("/usr/lib/postfix/sbin")
MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = {programs}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/log
maillog_file_prefixes = {home}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
local_recipient_maps =
alias_maps =
alias_database =
default_transport = {transport}
relay_transport = {transport}
smtp_tls_security_level = {security}
smtp_tls_CAfile = {trusted}
smtp_tls_loglevel = 1
smtp_tls_mandatory_protocols = >=TLSv1.2
smtp_dns_support_level = disabled
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
biff = no
smtputf8_enable = yes
"""
MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, kw_only=True)
class Postfix:
    """A running relay. What is handed to it by SMTP on `port` goes to the desk, sooner or later."""

    home: Path
    port: int

    def log(self) -> str:
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def waiting(self) -> int:
        """How many mails stand in its queue."""
        folders = ("incoming", "active", "deferred")
        return sum(path.is_file() for folder in folders for path in (self.home / "queue" / folder).rglob("*"))


@contextmanager
def running_postfix(transport: str, *, trusted: Path | None = None) -> Iterator[Postfix]:
    """Start a relay whose transport is, for example, `smtp:[127.0.0.1]:2525` or `lmtp:inet:127.0.0.1:2424`.

    With `trusted` (a file of certificates) it insists on a TLS connection that these vouch for.
    """
    home = Path(tempfile.mkdtemp(prefix="letterdesk-postfix-"))
    home.chmod(0o755)
    server = Postfix(home=home, port=_free_port())
    try:
        _configure(server, transport, trusted)
        master = subprocess.Popen([PROGRAMS / "master", "-c", home / "etc", "-d"], start_new_session=True)
        try:
            _wait_until_up(server, master)
            yield server
        finally:
            master.send_signal(signal.SIGTERM)
            master.wait(20)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _configure(server: Postfix, transport: str, trusted: Path | None) -> None:
    etc = server.home / "etc"
    etc.mkdir()
    (server.home / "queue").mkdir()
    (server.home / "data").mkdir()
    shutil.chown(server.home / "data", "postfix")
    security = "verify\nsmtp_tls_verify_cert_match = nexthop" if trusted else "none"
    main = MAIN.format(
        home=server.home, programs=PROGRAMS, transport=transport, security=security, trusted=trusted or ""
    )
    (etc / "main.cf").write_text(main)
    (etc / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{server.port}"))
    for name in ("postfix-files", "post-install", "postfix-script"):
        (etc / name).symlink_to(Path("/etc/postfix") / name)
    subprocess.run(
        ["/usr/sbin/postfix", "-c", etc, "check"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _wait_until_up(server: Postfix, master: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if master.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
                if connection.recv(100).startswith(b"220"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"Postfix did not start: {server.log()[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def require_postfix() -> None:
    """Skip where Postfix is missing or nobody is root; in CI that is a fault."""
    why = None
    if not (PROGRAMS / "master").exists():
        why = "Postfix is not installed; install the package postfix to run these tests"
    elif os.geteuid() != 0:
        why = "Postfix can only be started by root"
    if why is not None:
        if os.environ.get("CI"):
            raise RuntimeError(why)
        pytest.skip(why)
