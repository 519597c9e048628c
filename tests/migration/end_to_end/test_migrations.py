"""Whole estates, moved by the command line between simulated vendors, the shop's own database and files.

What is asserted is read from the vendors' ledgers, not from what the program says of itself. The samples here run with
every `make test`; the estates of 10,000 vouchers, and all of the kills, with ``make test-migration``.
"""

from __future__ import annotations

import itertools
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.migration.end_to_end.command_line_migration import IN_DOUBT, Migration, seen_at_work
from tests.migration.end_to_end.stores import SimulatedStore, VoucherStore
from tests.support.unreadable import make_unreadable

MakeStore = Callable[..., VoucherStore]

POLICY: Final = """
losses = ["batch", "end", "medium", "metadata", "no-end", "order", "pin", "sku", "tax", "validity"]
accept = ["spendable-twice", "validity-restarts"]
[vouchers]
inactive = "skip"
expired = "skip"
empty = "skip"
reserved = "refuse"
unreadable = "skip"
"""
MORE: Final = {
    ("jtl", "own"): POLICY.replace('inactive = "skip"', 'inactive = "carry"'),
    # both hold the same codes
    ("paper", "own"): POLICY + '[codes]\ntaken = "new-code"\n',
}
"""What some directions decide otherwise, so that inactive vouchers move, too, and some get new codes."""
PLACES: Final = ("jtl", "ticketing", "own", "paper")
LARGE_DIRECTIONS: Final = list(itertools.permutations(PLACES, 2))
ALL_DIRECTIONS: Final = list(itertools.permutations((*PLACES, "pretix", "square"), 2))
ANY_CODE: Final = POLICY + '[codes]\ntaken = "new-code"\nunfit = "new-code"\n'
SAMPLE: Final = (
    ("jtl", "ticketing"),
    ("ticketing", "jtl"),
    ("own", "jtl"),
    ("jtl", "own"),
    ("ticketing", "own"),
    ("paper", "own"),
    ("own", "pretix"),
    ("pretix", "ticketing"),
)
MANY: Final = 10_000
CHANGED: Final = 5
"""The exit code of a run that leaves vouchers that have changed."""
TROUBLE: Final = (0, 3, IN_DOUBT, 6)
"""The exit codes of a run that faults strike: done, not done, in doubt, unreadable."""


def _ids(pair: tuple[str, str]) -> str:
    return f"{pair[0]}-to-{pair[1]}"


def _strike(vendor: VoucherStore, seed: int) -> None:
    """Let faults of every kind wait at a vendor, each for some requests to come."""
    if not isinstance(vendor, SimulatedStore):
        return
    faults = ("commit-then-drop", "error-before", "rate-limit", "truncate", "html", "drop-before", "error-after-commit")
    for position, fault in enumerate(faults):
        options = {"retry_after_s": 0} if fault == "rate-limit" else {}
        for turn in range(3):
            vendor.running.inject(fault, "* /*/*", 1, after=seed + 11 * (position + len(faults) * turn), **options)


@pytest.mark.parametrize("pair", SAMPLE, ids=_ids)
def test_an_estate_arrives_whole(pair: tuple[str, str], make_store: MakeStore, tmp_path: Path) -> None:
    migration = Migration.planned(make_store(pair[0], 60), make_store(pair[1], 7), tmp_path, MORE.get(pair, POLICY))
    assert migration.source.kinds <= migration.kinds
    migration.finish()
    assert sum(migration.check().values()) > 0
    verified = migration.verified()
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.long
@pytest.mark.parametrize("pair", ALL_DIRECTIONS, ids=_ids)
def test_every_direction_is_planned_and_run_by_the_same_code(
    pair: tuple[str, str], make_store: MakeStore, tmp_path: Path
) -> None:
    migration = Migration.planned(make_store(pair[0], 20), make_store(pair[1], 4), tmp_path, ANY_CODE)
    migration.finish()
    if "square" in pair:  # it takes one currency, and its tills hold value: some vouchers are refused, and stay
        assert migration.status()["vouchers"]["moved"]["count"] > 0
        migration.check_sums()
        return
    assert sum(migration.check().values()) > 0
    verified = migration.verified()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_run_that_is_killed_again_and_again_doubles_and_loses_nothing(make_store: MakeStore, tmp_path: Path) -> None:
    migration = Migration.planned(
        make_store("jtl", 250, latency_ms=70), make_store("ticketing", 3, latency_ms=70), tmp_path, POLICY
    )
    assert migration.killed(4, seed=1) >= 2
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    migration.check_certificate()


@pytest.mark.long
@pytest.mark.parametrize("journal", ["sqlite", "postgresql"])
def test_a_run_of_several_processes_that_is_killed_again_and_again_doubles_and_loses_nothing(
    make_store: MakeStore, tmp_path: Path, journal: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if journal == "postgresql" else None
    source, target = make_store("jtl", 300, latency_ms=70), make_store("ticketing", 3, latency_ms=70)
    migration = Migration.planned(source, target, tmp_path, POLICY, journal=url)
    assert migration.killed(4, "--processes", "2", seed=1) >= 2
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    back = migration.run("migrate", "rollback", "move.plan", "--processes", "2")
    assert back.returncode in (0, 5), back.stdout + back.stderr
    assert {code: held.value for code, held in source.vouchers().items()} == {
        code: held.value for code, held in migration.before.items()
    }


def test_faults_on_both_sides_double_and_lose_nothing(make_store: MakeStore, tmp_path: Path) -> None:
    source, target = make_store("ticketing", 60), make_store("jtl")
    migration = Migration.planned(source, target, tmp_path, POLICY)
    _strike(source, 5)
    _strike(target, 3)
    _until_settled(migration)


def test_a_rollback_leaves_the_source_as_it_was(make_store: MakeStore, tmp_path: Path) -> None:
    migration = Migration.planned(make_store("jtl", 60), make_store("own"), tmp_path, POLICY)
    migration.finish()
    back = migration.run("migrate", "rollback", "move.plan")
    assert back.returncode == 0, back.stdout + back.stderr
    assert {code: (held.remaining, held.spendable) for code, held in migration.source.vouchers().items()} == {
        code: (held.remaining, held.spendable) for code, held in migration.before.items()
    }
    assert sum(held.value for held in migration.target.vouchers().values()) == 0


def _until_settled(migration: Migration) -> None:
    """Run until nothing is in doubt, or only what nobody can know; nothing may be doubled in any case."""
    vendors = [vendor for vendor in (migration.source, migration.target) if isinstance(vendor, SimulatedStore)]
    for _ in range(6):
        done = migration.run("migrate", "run", "move.plan")
        assert done.returncode in TROUBLE, done.stdout + done.stderr
        assert all(vendor.faults() for vendor in vendors)
        if done.returncode == 0:
            break
        for vendor in vendors:
            vendor.running.clear_faults()
    for vendor in vendors:
        vendor.running.clear_faults()  # a run that ended well may not have met all of them
    in_doubt = migration.check_but_for_doubts()
    assert done.returncode == (IN_DOUBT if in_doubt else 0), done.stdout + done.stderr
    if not in_doubt:
        migration.check()
        verified = migration.verified()
        assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.slow
@pytest.mark.parametrize("pair", LARGE_DIRECTIONS, ids=_ids)
def test_ten_thousand_vouchers_arrive_whole(pair: tuple[str, str], make_store: MakeStore, tmp_path: Path) -> None:
    migration = Migration.planned(make_store(pair[0], MANY), make_store(pair[1], 50), tmp_path, MORE.get(pair, POLICY))
    assert migration.source.kinds <= migration.kinds
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    migration.check_certificate()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pair", "latency_ms"), [(("jtl", "ticketing"), 40), (("ticketing", "jtl"), 10), (("own", "jtl"), 10)]
)
def test_fifty_kills_at_random_points_double_and_lose_nothing(
    pair: tuple[str, str], latency_ms: int, make_store: MakeStore, tmp_path: Path
) -> None:
    slow = {"latency_ms": latency_ms}  # so that it takes long enough to be killed so often
    migration = Migration.planned(make_store(pair[0], MANY, **slow), make_store(pair[1], 50, **slow), tmp_path, POLICY)
    assert migration.killed(50, seed=1) == 50
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    migration.check_certificate()


@pytest.mark.slow
@pytest.mark.parametrize("pair", [("jtl", "ticketing"), ("ticketing", "jtl")], ids=_ids)
@pytest.mark.parametrize("seed", range(10))
def test_faults_all_along_double_and_lose_nothing(
    pair: tuple[str, str], seed: int, make_store: MakeStore, tmp_path: Path
) -> None:
    migration = Migration.planned(make_store(pair[0], 600), make_store(pair[1]), tmp_path, POLICY)
    _strike(migration.source, 17 * seed)
    _strike(migration.target, 23 * seed)
    _until_settled(migration)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [False, True], ids=["alive", "killed"])
def test_four_processes_share_one_migration_on_postgresql(
    kills: bool, make_store: MakeStore, tmp_path: Path, postgres_url: str
) -> None:
    migration = Migration.planned(
        make_store("jtl", MANY), make_store("ticketing", 50), tmp_path, POLICY, journal=postgres_url
    )
    processes = [migration.process("migrate", "run", "move.plan") for _ in range(4)]
    victims = processes[1:] if kills else []
    assert len(seen_at_work(processes, postgres_url)) == len(processes)
    migration.kill_some(victims, seed=3)
    for process in processes:
        out, err = process.communicate(timeout=1500)
        if process in victims:
            assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"
        else:
            # 3: the others work on the vouchers that are left
            assert process.returncode in ((0, 3, IN_DOUBT) if kills else (0, 3)), out + err
    told = migration.status()
    assert set(told["vouchers"]) <= ({"moved", "in-doubt"} if kills else {"moved"}), told
    assert told["state"] == ("running" if "in-doubt" in told["vouchers"] else "done")
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    migration.check_certificate()


SIZES: Final = [pytest.param(60, marks=pytest.mark.long), pytest.param(MANY // 5, marks=pytest.mark.slow)]
"""The sizes of an estate in make test-all and in make test-migration."""


@pytest.mark.parametrize("vouchers", SIZES)
def test_every_shifted_end_and_every_new_code_is_as_in_the_ledgers(
    vouchers: int, make_store: MakeStore, tmp_path: Path
) -> None:
    migration = Migration.planned(make_store("jtl", vouchers), make_store("ticketing", 5), tmp_path, ANY_CODE)
    migration.finish()
    migration.check()
    migration.check_ends(at_target=True)
    assert migration.check_new_codes() > 0
    back = migration.run("migrate", "rollback", "move.plan")
    assert back.returncode == 0, back.stdout + back.stderr
    assert migration.check_ends(at_target=False) > 0  # JTL counts validity again


@pytest.mark.parametrize("vouchers", SIZES)
def test_a_voucher_that_cannot_be_read_stops_no_other_and_keeps_what_it_has(
    vouchers: int, make_store: MakeStore, tmp_path: Path
) -> None:
    source = make_store("jtl", vouchers)
    assert isinstance(source, SimulatedStore)
    codes = {code: id for id, code in source.codes().items()}
    broken = [code for code, held in source.vouchers().items() if held.spendable and held.value][-3:]
    make_unreadable(source.running, *(codes[code] for code in broken))
    before = source.vouchers()
    migration = Migration.planned(source, make_store("ticketing", 5), tmp_path, POLICY)
    migration.finish()
    migration.check()
    after = source.vouchers()
    assert {code: after[code] for code in broken} == {code: before[code] for code in broken}
    verified = migration.run("--json", "migrate", "verify", "move.plan")
    assert verified.returncode == 0, verified.stdout
    named = {one["name"] for one in json.loads(verified.stdout.splitlines()[0])["unreadable"]}
    assert named == {codes[code] for code in broken}


@pytest.mark.parametrize("vouchers", SIZES)
def test_what_customers_spend_before_a_run_is_not_moved_and_does_not_end_later(
    vouchers: int, make_store: MakeStore, tmp_path: Path
) -> None:
    migration = Migration.planned(make_store("jtl", vouchers), make_store("own"), tmp_path, POLICY)
    spendable = [code for code, held in migration.before.items() if code in migration.carried() and not held.pin]
    spent = [code for code in spendable if re.fullmatch("[A-Z][A-Z0-9-]+", code) and migration.before[code].value > 1]
    spent = spent[: max(2, len(spent) // 10)]
    for number, code in enumerate(spent):
        currency = migration.before[code].currency
        bought = migration.run("redeem", "jtl", code, "1", currency, "--reference", f"till-{number}")
        assert bought.returncode == 0, bought.stderr
    done = migration.run("migrate", "run", "move.plan", "--processes", "2")
    assert done.returncode == CHANGED, done.stdout + done.stderr
    source, target = migration.source.vouchers(), migration.target.vouchers()
    for code, held in migration.before.items():
        if code in spent:
            assert source[code].remaining == held.remaining - 1
            assert source[code].spendable
            assert source[code].valid_until == held.valid_until
            assert code not in target
        elif code in migration.carried():
            assert source[code].value == 0
            assert target[code].remaining == held.remaining


@pytest.mark.slow
def test_two_processes_that_are_killed_with_their_children_double_and_lose_nothing(
    make_store: MakeStore, tmp_path: Path
) -> None:
    slow = {"latency_ms": 40}
    migration = Migration.planned(make_store("jtl", 2000, **slow), make_store("ticketing", 5, **slow), tmp_path, POLICY)
    assert migration.killed(10, "--processes", "2", seed=4) == 10
    migration.finish()
    migration.check()
    assert migration.verified().returncode == 0
    migration.check_certificate()
    migration.check_ends(at_target=True)
