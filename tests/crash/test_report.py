"""What a storm may not pass over in silence: kills that were not, policies that were not applied, a run cut short."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from math import inf

import pytest

from tests.crash.__main__ import KILLS, is_good, shortfall
from tests.crash.kills import Plan
from tests.crash.notices import KINDS, Notices
from tests.crash.policies import UNAPPLIED, address_of, unapplied
from tests.crash.storm import Result
from tests.crash.verdict import Fate, Verdict
from tests.dovecot import running_dovecot

WHOLE = argparse.Namespace(kills=KILLS, minutes=inf, database=None)


def result(database: str = "sqlite", kills: int = KILLS, **other: object) -> Result:
    """A storm without fault."""
    notices = Notices(written=Counter(KINDS.values()), missing=(), uncalled_for=(), without_copy=(), under_two_ids=())
    verdict = Verdict(
        mails=1, lost=(), doubled=(), split=(), notices=notices, replies={"We come.": Fate.SENT}, stuck=()
    )
    values: dict[str, object] = {
        "database": database,
        "planned": KILLS,
        "kills": {"intake": kills},
        "missed": {},
        "was_cut_short": False,
        "hits": {},
        "never_hit": (),
        "idle": (),
        "verdict": verdict,
        "unapplied": (),
        "leases_too_long": (),
        "longest_pause": 30.0,
        "seconds": 1.0,
        "log": "",
    }
    return Result(**(values | other))  # type: ignore[arg-type]  # the defaults above are of the right types


def both(**other: object) -> list[Result]:
    return [result("sqlite", **other), result("postgresql", **other)]  # type: ignore[arg-type]  # as in result()


def test_a_full_run_without_fault_passes() -> None:
    assert shortfall(both()) is None
    assert is_good(both(), WHOLE)


@pytest.mark.parametrize(
    ("fault", "other"),
    [
        ("fewer kills than planned", {"kills": KILLS - 1}),
        ("kills that met nobody", {"missed": {"worker": 1}}),
        ("never hit", {"never_hit": ("smtp: data read",)}),
        ("policy not applied", {"unapplied": ("seen2@desk.example UID 7",)}),
        ("leases too long", {"leases_too_long": ("delivery 1",)}),
        ("left lying", {"longest_pause": 30.1}),
    ],
)
def test_a_run_with_a_fault_does_not_pass(fault: str, other: dict[str, object]) -> None:
    assert list(result(**other).faults) == [fault]  # type: ignore[arg-type]  # as in result()
    assert not is_good([result(), result("postgresql", **other)], WHOLE)  # type: ignore[arg-type]


def test_a_run_in_which_no_reply_was_sent_does_not_pass() -> None:
    verdict = replace(result().verdict, replies={})
    assert result(verdict=verdict).faults == {"never happened": ("replies sent",)}


def test_a_run_of_fewer_kills_passes_only_where_it_was_asked_for_and_says_so() -> None:
    few = both(kills=50, was_cut_short=True)
    assert shortfall(few) == "100 kills, and a full run has 200 at least"
    assert not is_good(few, WHOLE)
    assert is_good(few, argparse.Namespace(kills=KILLS, minutes=2, database=None))
    assert shortfall([result(kills=300)]) == "nothing ran on postgresql"


def test_a_full_run_has_replies_between_its_kills() -> None:
    assert not is_good([result(), result("postgresql", idle=("a reply was written",))], WHOLE)
    assert not is_good([result(idle=("a status was set",)), result("postgresql")], WHOLE)


def test_every_kill_of_a_plan_is_counted() -> None:
    assert Plan(points=("a", "b"), intake=1, machine=2, worker=3, portal=4, postgres=5).number == 17


def test_what_a_policy_did_not_do_is_seen() -> None:
    with running_dovecot() as dovecot:
        accounts = {address_of(policy, n): dovecot.fresh() for n, policy in enumerate(UNAPPLIED)}
        for account in accounts.values():
            with account.client() as client:
                client.append("INBOX", b"Subject: Kettle\r\n\r\nIt boils.\r\n")
        assert unapplied(accounts) == (
            "seen1@desk.example UID 1",
            "move2@desk.example UID 1",
            "delete3@desk.example UID 1",
        )
        for address, account in accounts.items():
            with account.client() as client:
                client.select_folder("INBOX")
                client.add_flags([1], ["\\Seen"])
                if address.startswith(("move", "delete")):
                    client.delete_messages([1])
                    client.expunge()
        assert unapplied(accounts) == ("keep0@desk.example UID 1",)
