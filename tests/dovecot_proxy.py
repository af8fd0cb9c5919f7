"""A real Dovecot that takes mail by LMTP and hands it on to the desk, over LMTP or SMTP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dovecot import Dovecot, _free_port, _names, _program, _wait_until_up

CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
lmtp_proxy = yes
mail_location = maildir:{home}/mail/%u
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 port={target} protocol={protocol} nopassword=y
}}
userdb {{
  driver = static
  args = uid={mail} gid={mail_group} home={home}/mail/%u
}}
service lmtp {{
  chroot =
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@contextmanager
def running_dovecot_proxy(protocol: str, target: int) -> Iterator[int]:
    """Start the proxy and yield its LMTP port. `protocol` (lmtp or smtp) is spoken to the port `target`."""
    if not Path("/usr/lib/dovecot/lmtp").exists():
        why = "Dovecot's LMTP server is not installed; install the package dovecot-lmtpd to run this test"
        if os.environ.get("CI"):
            raise RuntimeError(why)
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="letterdesk-dovecot-"))
    home.chmod(0o755)
    server = Dovecot(port=_free_port(), tls_port=0, home=home)
    try:
        text = CONFIG.format(home=home, port=server.port, target=target, protocol=protocol, **_names())
        (home / "dovecot.conf").write_text(text)
        child = subprocess.Popen([_program(), "-F", "-c", home / "dovecot.conf"], start_new_session=True)
        try:
            _wait_until_up(server, child, greeting=b"220")
            yield server.port
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(20)
    finally:
        shutil.rmtree(home, ignore_errors=True)
