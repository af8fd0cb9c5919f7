"""The command itself: sample mail, wrong settings, and a clean end."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.children import Children
from tests.e2e.conftest import ADMIN
from tests.e2e.desk import ROOT, Client, Desk, free_ports, is_open

SAMPLES = len(list((Path(__file__).parents[2] / "intake" / "samples").glob("*.eml")))
REAL = {"OUTGOING": "smtp://127.0.0.1:1?starttls=no", "ADDRESS": "support@harbour.example"}


def test_the_samples_become_tickets_in_several_languages_with_all_that_mail_has(desk: Desk) -> None:
    assert str(SAMPLES) in desk.done("demo")
    counts = desk.settled(SAMPLES)
    assert (counts["inbound"]["processed"], counts["inbound"]["held"]) == (SAMPLES - 1, 1)
    assert (sum(counts["tickets"].values()), counts["articles"]) == (SAMPLES - 3, SAMPLES - 1)
    desk.add_user(ADMIN, "admin")
    admin = Client(desk)
    admin.sign_in(ADMIN)
    listed = admin.get("/tickets").text
    for subject in (
        "Türterminal",
        "Le rapport affiche des chiffres erronés",
        "Alta de usuarios",
        "会议室",
        "عمّان",
        "請求書",
    ):
        assert subject in listed
    assert "usuarios año nuevo.csv" in "".join(admin.get(f"/tickets/{n}").text for n in range(1, SAMPLES - 2))


def test_the_samples_sent_twice_make_nothing_new(desk: Desk) -> None:
    desk.done("demo")
    before = desk.settled(SAMPLES)
    desk.done("demo")
    after = desk.settled(2 * SAMPLES)
    assert after["inbound"]["discarded"] == SAMPLES
    assert (after["tickets"], after["articles"], after["deliveries"]) == (
        before["tickets"],
        before["articles"],
        before["deliveries"],
    )


def test_the_first_start_can_bring_the_samples(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        desk.start("--samples")
        assert desk.settled(SAMPLES)["articles"] == SAMPLES - 1
        assert desk.stop() == 0
        desk.start("--samples")
        assert sum(desk.status()["inbound"].values()) == SAMPLES
        said = desk.log.read_text()
        assert f"http://127.0.0.1:{desk.portal_port}" in said
        assert f"127.0.0.1:{desk.smtp_port}" in said
        assert "letterdesk user add" in said
    finally:
        desk.stop()


def test_sample_mail_is_refused_where_mail_goes_out_for_real(tmp_path: Path) -> None:
    refused = Desk(tmp_path).command("demo", **REAL)
    assert refused.returncode == 1
    assert "LETTERDESK_OUTGOING" in one_sentence(refused.stderr)


def test_sample_mail_is_refused_where_a_real_mailbox_is_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    imap = "imap://support%40desk.example@127.0.0.1:1/"
    desk.done("mailbox", "add", "support@desk.example", "--imap", imap, "--password-stdin", given="secret\n")
    refused = desk.command("demo")
    assert refused.returncode == 1
    assert "support@desk.example" in one_sentence(refused.stderr)


def test_sample_mail_to_a_desk_that_does_not_run_is_refused(tmp_path: Path) -> None:
    refused = Desk(tmp_path).command("demo")
    assert refused.returncode == 1
    assert "letterdesk run" in one_sentence(refused.stderr)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_LISTEN", "everywhere"),
        ("PORTAL_LISTEN", "127.0.0.1"),
        ("OPS_LISTEN", "127.0.0.1:99999"),
        ("OUTGOING", "carrier-pigeon:"),
        ("OUTGOING", "smtp://mail.example:25"),  # without the desk's own address
        ("ADDRESS", "support"),
        ("DATABASE_URL", "oracle://desk"),
        ("DATABASE_URL", "postgresql://127.0.0.1/desk"),  # without a secret key
        ("SECRET_KEY", "short"),
        ("MAX_MESSAGE_BYTES", "many"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    ended = Desk(tmp_path).command("run", **{name: value})
    assert ended.returncode == 1
    assert "LETTERDESK_" in one_sentence(ended.stderr)


def test_a_port_that_is_taken_stops_the_start_with_a_sentence(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ended = Desk(other).command("run", SMTP_LISTEN=f"127.0.0.1:{desk.smtp_port}")
    assert ended.returncode == 1
    assert str(desk.smtp_port) in one_sentence(ended.stderr)


@pytest.mark.parametrize("command", ["run", "portal"])
def test_a_port_of_the_portal_that_is_taken_stops_the_start_before_anything_is_started(
    tmp_path: Path, command: str
) -> None:
    with other_program() as port:
        ended = Desk(tmp_path).command(command, PORTAL_LISTEN=f"127.0.0.1:{port}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert one_sentence(ended.stderr) == f"letterdesk: {taken(port)}"


def test_a_portal_that_finds_its_port_taken_later_is_said_in_one_sentence_and_makes_the_desk_unwell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    children = Children()
    with other_program() as port:
        monkeypatch.setenv("LETTERDESK_PORTAL_LISTEN", f"127.0.0.1:{port}")
        children.start("portal")
        assert children.fault() is None
        Desk(tmp_path).until(lambda: fault_of(children), "The portal did not end")
    children.stop()
    assert children.fault() == "not running: portal"
    assert one_sentence(capfd.readouterr().err) == f"letterdesk: {taken(port)}"


def test_a_setting_that_is_none_is_said_in_plain_words_before_the_start(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ADRESS="support@harbour.example")
    try:
        desk.start()
        said = desk.log.read_text()
    finally:
        desk.stop()
    warning = "letterdesk: LETTERDESK_ADRESS is no setting; is LETTERDESK_ADDRESS meant?"
    assert warning in said.splitlines()
    assert said.index(warning) < said.index("Letterdesk is running.")


def test_who_stops_the_desk_at_a_terminal_is_told_that_all_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    smtp, portal, ops = free_ports(3)
    for name, port in (("SMTP", smtp), ("PORTAL", portal), ("OPS", ops)):
        monkeypatch.setenv(f"LETTERDESK_{name}_LISTEN", f"127.0.0.1:{port}")
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "letterdesk", "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as desk:
        os.close(terminal)
        Desk(tmp_path).until(lambda: is_open(portal), "The desk did not get ready")
        os.killpg(desk.pid, signal.SIGINT)  # as Ctrl+C does
        said = all_of(screen)
    assert desk.returncode == 0
    assert said.splitlines()[-1] == "Letterdesk has stopped; what it had accepted is stored."
    assert "Traceback" not in said


def test_wrong_usage_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    assert Desk(tmp_path).command("sing").returncode == 2


def test_a_desk_that_is_asked_to_end_ends_well(desk: Desk) -> None:
    assert desk.stop() == 0
    assert "Traceback" not in desk.log.read_text()


def taken(port: int) -> str:
    return f"LETTERDESK_PORTAL_LISTEN: 127.0.0.1:{port} is in use by another program; stop it or choose another port."


@contextmanager
def other_program() -> Iterator[int]:
    """A web server that is no desk; its port."""

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Leave standard error to the desk."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def fault_of(children: Children) -> str | None:
    children.watch()
    return children.fault()


def all_of(screen: int) -> str:
    """What is written to a terminal until everybody has left it."""
    said = b""
    with open(screen, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # an error is how a terminal ends
        while part := terminal.read(10_000):
            said += part
    return said.decode()


def one_sentence(said: str) -> str:
    """What a command said, which has to be one line for a person."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]
