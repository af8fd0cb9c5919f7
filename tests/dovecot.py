"""A real Dovecot for the tests: its own configuration, its own mail, a free port on 127.0.0.1."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from imapclient import IMAPClient

PASSWORD = "correct-horse"
NUMBERS = itertools.count(1)
CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
disable_plaintext_auth = no
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
mail_location = maildir:{home}/mail/%u
mail_uid = {mail}
mail_gid = {mail_group}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 50
{oauth}passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = home={home}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
}}
"""
OAUTH = """auth_mechanisms = plain {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = {mechanisms}
  args = {home}/oauth2.conf.ext
}}
"""
INTROSPECTION = """introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""
TLS = "yes\nssl_cert = <{home}/cert.pem\nssl_key = <{home}/key.pem"


@dataclass(frozen=True, kw_only=True)
class Dovecot:
    """An account on a running server. `tls_port` is 0 where no certificate was given."""

    port: int
    tls_port: int
    home: Path
    user: str = "support@desk.example"

    def fresh(self) -> Dovecot:
        """Another account on the same server, still empty; any name with the password is one."""
        return replace(self, user=f"user-{next(NUMBERS)}@desk.example")

    @property
    def url(self) -> str:
        return f"imap://{self.user.replace('@', '%40')}@127.0.0.1:{self.port}/"

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """A second client, as a person would use: logged in, no folder selected."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20) as client:
            client.normalise_times = False
            client.login(self.user, PASSWORD)
            yield client

    def uids(self, folder: str = "INBOX", criteria: str = "ALL") -> list[int]:
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            return sorted(client.search(criteria))

    def replace_uidvalidity(self, folder: str = "INBOX") -> None:
        """Do what a restored or moved mail store does: the same mails under a new UIDVALIDITY."""
        box = self.home / "mail" / self.user / ("" if folder == "INBOX" else f".{folder}")
        for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"):
            (box / name).unlink(missing_ok=True)

    def forget_dates(self, moment: datetime) -> None:
        """Let the server have got all mail at `moment`, as after a copy of its files without their dates."""
        for file in (self.home / "mail" / self.user).rglob("*"):
            if file.parent.name in {"cur", "new"}:
                os.utime(file, (moment.timestamp(), moment.timestamp()))
            elif file.name.startswith("dovecot.index"):
                file.unlink()

    def back_up(self, copy: Path) -> None:
        """Copy the account's files away."""
        subprocess.run(["cp", "-a", self.home / "mail" / self.user, copy], check=True)

    def put_back(self, copy: Path) -> None:
        """Put the account's files back as they were, UIDVALIDITY included."""
        shutil.rmtree(self.home / "mail" / self.user)
        subprocess.run(["cp", "-a", copy, self.home / "mail" / self.user], check=True)


@dataclass(frozen=True, kw_only=True)
class Bearers:
    """Access tokens are taken by these SASL mechanisms, and asked about at `introspection_url` (RFC 7662)."""

    introspection_url: str
    mechanisms: str = "xoauth2 oauthbearer"


@contextmanager
def running_dovecot(certificate: tuple[Path, Path] | None = None, bearers: Bearers | None = None) -> Iterator[Dovecot]:
    """Start a Dovecot and stop it again. `certificate`: PEM files of the certificate and its key."""
    home = Path(tempfile.mkdtemp(prefix="letterdesk-dovecot-"))  # short: socket paths end at 108 bytes
    server = Dovecot(port=_free_port(), tls_port=_free_port() if certificate else 0, home=home)
    try:
        _configure(server, certificate, bearers)
        child = subprocess.Popen([_program(), "-F", "-c", str(home / "dovecot.conf")], start_new_session=True)
        try:
            _wait_until_up(server, child)
            yield server
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(20)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _program() -> str:
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("Dovecot is not installed; install the package dovecot-imapd to run these tests")
    return program


def _configure(server: Dovecot, certificate: tuple[Path, Path] | None, bearers: Bearers | None) -> None:
    home = server.home
    home.chmod(0o755)
    names = _names()
    (home / "mail").mkdir()
    if certificate:
        shutil.copy(certificate[0], home / "cert.pem")
        shutil.copy(certificate[1], home / "key.pem")
    ssl = TLS.format(home=home) if certificate else "no"
    oauth = OAUTH.format(home=home, mechanisms=bearers.mechanisms) if bearers else ""
    ports = {"port": server.port, "tls_port": server.tls_port}
    text = CONFIG.format(home=home, ssl=ssl, password=PASSWORD, oauth=oauth, **ports, **names)
    (home / "dovecot.conf").write_text(text)
    if bearers:
        (home / "oauth2.conf.ext").write_text(INTROSPECTION.format(url=bearers.introspection_url))
    if os.geteuid() == 0:
        shutil.chown(home / "mail", names["mail"])


def _names() -> dict[str, str]:
    """Whose rights the parts of the server run with: all ours, or Dovecot's own users under root."""
    me = pwd.getpwuid(os.geteuid())
    if me.pw_uid != 0:
        group = grp.getgrgid(me.pw_gid).gr_name
        return dict.fromkeys(("internal", "login", "mail"), me.pw_name) | {"group": group, "mail_group": group}
    return {"internal": "dovecot", "login": "dovenull", "group": "dovecot", "mail": "dovecot", "mail_group": "dovecot"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_up(server: Dovecot, child: subprocess.Popen[bytes], greeting: bytes = b"* OK") -> None:
    for _ in range(200):
        if child.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
                if connection.recv(100).startswith(greeting):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    log = server.home / "dovecot.log"
    raise RuntimeError(f"Dovecot did not start: {log.read_text()[-2000:] if log.exists() else 'no log'}")
