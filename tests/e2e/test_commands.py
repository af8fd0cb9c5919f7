"""The command itself: sample mail, wrong settings, and a clean end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import ADMIN
from tests.e2e.desk import Client, Desk

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


def test_wrong_usage_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    assert Desk(tmp_path).command("sing").returncode == 2


def test_a_desk_that_is_asked_to_end_ends_well(desk: Desk) -> None:
    assert desk.stop() == 0
    assert "Traceback" not in desk.log.read_text()


def one_sentence(said: str) -> str:
    """What a command said, which has to be one line for a person."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return lines[0]
