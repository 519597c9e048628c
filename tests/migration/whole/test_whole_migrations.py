"""Whole estates, moved by the command line between simulated vendors, the shop's own database and files.

What is asserted is read from the vendors' ledgers, not from what the program says of itself. The samples here run with
every `make test`; the estates of 10,000 vouchers, and all of the kills, with ``make test-migration``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.migration.whole.estate import Migration
from tests.migration.whole.places import Place, Simulated

Make = Callable[..., Place]

POLICY: Final = """
losses = ["batch", "end", "medium", "metadata", "no-end", "order", "pin", "sku", "tax", "validity"]
accept = ["spendable-twice"]
[vouchers]
inactive = "skip"
expired = "skip"
empty = "skip"
reserved = "refuse"
unreadable = "skip"
"""
KINDS: Final = ("jtl", "ticketing", "own", "paper")
DIRECTIONS: Final = list(itertools.permutations(KINDS, 2))
SAMPLE: Final = (("jtl", "ticketing"), ("ticketing", "jtl"), ("own", "jtl"), ("ticketing", "own"), ("paper", "own"))
MANY: Final = 10_000


def _ids(pair: tuple[str, str]) -> str:
    return f"{pair[0]}-to-{pair[1]}"


def _strike(vendor: Place, seed: int) -> None:
    """Let faults of every kind wait at a vendor, each for some requests to come."""
    if not isinstance(vendor, Simulated):
        return
    faults = ("commit-then-drop", "error-before", "rate-limit", "truncate", "html", "drop-before", "error-after-commit")
    for place, fault in enumerate(faults):
        options = {"retry_after_s": 0} if fault == "rate-limit" else {}
        for turn in range(3):
            vendor.running.inject(fault, "* /*/*", 1, after=seed + 11 * (place + len(faults) * turn), **options)


@pytest.mark.parametrize(
    "pair",
    [("jtl", "ticketing"), ("ticketing", "jtl"), ("own", "jtl"), ("ticketing", "own"), ("paper", "own")],
    ids=_ids,
)
def test_an_estate_arrives_whole(pair: tuple[str, str], place: Make, tmp_path: Path) -> None:
    one = Migration.planned(place(pair[0], 60), place(pair[1], 7), tmp_path, POLICY)
    one.finish()
    assert sum(one.check().values()) > 0
    verified = one.verified()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_run_that_is_killed_again_and_again_doubles_and_loses_nothing(place: Make, tmp_path: Path) -> None:
    one = Migration.planned(place("jtl", 250, latency_ms=70), place("ticketing", 3, latency_ms=70), tmp_path, POLICY)
    assert one.killed(4, seed=1) >= 2
    one.finish()
    one.check()
    assert one.verified().returncode == 0


def test_faults_on_both_sides_double_and_lose_nothing(place: Make, tmp_path: Path) -> None:
    source, target = place("ticketing", 60), place("jtl")
    one = Migration.planned(source, target, tmp_path, POLICY)
    _strike(source, 5)
    _strike(target, 3)
    _until_settled(one)


def test_a_rollback_leaves_the_source_as_it_was(place: Make, tmp_path: Path) -> None:
    one = Migration.planned(place("jtl", 60), place("own"), tmp_path, POLICY)
    one.finish()
    back = one.run("migrate", "rollback", "move.plan")
    assert back.returncode == 0, back.stdout + back.stderr
    assert {code: (held.remaining, held.spendable) for code, held in one.source.held().items()} == {
        code: (held.remaining, held.spendable) for code, held in one.before.items()
    }
    assert sum(held.value for held in one.target.held().values()) == 0


def _until_settled(one: Migration) -> None:
    """Run until nothing is in doubt, or only what nobody can know; nothing may be doubled in any case."""
    for _ in range(6):
        done = one.run("migrate", "run", "move.plan")
        if done.returncode == 0:
            break
        for vendor in (one.source, one.target):
            if isinstance(vendor, Simulated):
                vendor.running.clear_faults()
    one.check_but_for_doubts()


@pytest.mark.slow
@pytest.mark.parametrize("pair", DIRECTIONS, ids=_ids)
def test_ten_thousand_vouchers_arrive_whole(pair: tuple[str, str], place: Make, tmp_path: Path) -> None:
    one = Migration.planned(place(pair[0], MANY), place(pair[1], 50), tmp_path, POLICY)
    one.finish()
    one.check()
    assert one.verified().returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pair", "latency_ms"), [(("jtl", "ticketing"), 40), (("ticketing", "jtl"), 10), (("own", "jtl"), 10)]
)
def test_fifty_kills_at_random_points_double_and_lose_nothing(
    pair: tuple[str, str], latency_ms: int, place: Make, tmp_path: Path
) -> None:
    slow = {"latency_ms": latency_ms}  # so that it takes long enough to be killed so often
    one = Migration.planned(place(pair[0], MANY, **slow), place(pair[1], 50, **slow), tmp_path, POLICY)
    assert one.killed(50, seed=1) == 50
    one.finish()
    one.check()
    assert one.verified().returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("pair", [("jtl", "ticketing"), ("ticketing", "jtl")], ids=_ids)
@pytest.mark.parametrize("seed", range(10))
def test_faults_all_along_double_and_lose_nothing(
    pair: tuple[str, str], seed: int, place: Make, tmp_path: Path
) -> None:
    one = Migration.planned(place(pair[0], 600), place(pair[1]), tmp_path, POLICY)
    _strike(one.source, 17 * seed)
    _strike(one.target, 23 * seed)
    _until_settled(one)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [False, True], ids=["alive", "killed"])
def test_four_processes_share_one_migration_on_postgresql(
    kills: bool, place: Make, tmp_path: Path, postgres_url: str
) -> None:
    one = Migration.planned(place("jtl", MANY), place("ticketing", 50), tmp_path, POLICY, journal=postgres_url)
    processes = [one.process("migrate", "run", "move.plan") for _ in range(4)]
    if kills:
        one.kill_some(processes, seed=3)
    for process in processes:
        process.communicate(timeout=1500)
    one.finish()
    one.check()
    assert one.verified().returncode == 0
