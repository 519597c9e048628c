"""Killed before or after any one request or commit of a move, or of its undoing, everything is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.migration.run.run_process import run_in_process
from tests.migration.run.test_killed import check_never_more, finish, wait_until_free
from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.long import first
from voucher_gateway.migration import (
    RowState,
    Verdict,
    load_policy,
    make_certificate,
    rollback_plan,
    status_of,
    verify_plan,
)
from voucher_gateway.provider_api import Money, NewVoucher

_WAYS: Final = (("jtl", "ticketing", None), ("ticketing", "jtl", None), ("jtl", "jtl", "empty"))
_CODES: Final = ("CODE-OF-THE-FIRST", "CODE-OF-THE-SECOND")
_MOST: Final = 120
"""More points than any of these runs has; those beyond the end kill nobody."""


def prepared(make_pair: Callable[..., VendorPair], source: str, target: str, retire: str | None) -> VendorPair:
    """Return a pair with two vouchers and a plan."""
    pair = make_pair(source, target, 0)
    for number, code in enumerate(_CODES):
        new = NewVoucher(initial=Money("10.53", "EUR"), code=code, active=None)
        made = pair.gateway.issue("source", new, reference=f"sale-{number}")
        if source == "jtl":
            pair.gateway.activate("source", made.id, reference=f"sale-{number}")
    said: dict[str, object] = {**ANYTHING.to_json(), "retire": retire}
    pair.plan(load_policy({name: value for name, value in said.items() if value is not None}))
    return pair


def move_killed_at(make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int) -> bool:
    """Kill a run at a point, run again and check. Returns whether there is such a point."""
    pair = prepared(make_pair, *way)
    before = SpendableValues.of(pair)
    if run_in_process(pair.accounts, pair.url, pair.path, at=at) is not None:
        return False
    check_never_more(pair, before)
    wait_until_free(pair)
    pair.run()
    seen = status_of(pair.gateway, pair.path)
    after = check_never_more(pair, before)
    if seen.count(RowState.IN_DOUBT):  # a voucher that the ticketing vendor does not show may still arrive
        assert way[1] == "ticketing" or way[2] == "empty" or way[0] == "ticketing"
        return True
    assert after.all == before.all
    assert set(after.target) >= set(_CODES)
    assert verify_plan(pair.gateway, pair.path).proved
    assert make_certificate(pair.gateway, pair.path).verdict is Verdict.COMPLETE
    return True


def rollback_killed_at(make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int) -> bool:
    """Kill a rollback at a point, roll back again and check. Returns whether there is such a point."""
    pair = prepared(make_pair, *way)
    before = SpendableValues.of(pair)
    finish(pair)
    if run_in_process(pair.accounts, pair.url, pair.path, rollback=True, at=at) is not None:
        return False
    check_never_more(pair, before)
    report = rollback_plan(pair.gateway, pair.path)
    after = check_never_more(pair, before)
    if not report.in_doubt and not report.not_undone:
        assert after.all == before.all
        assert set(after.source) >= set(_CODES)
        assert verify_plan(pair.gateway, pair.path).proved
        assert make_certificate(pair.gateway, pair.path).verdict is Verdict.ROLLED_BACK
    return True


def rollback_of_run_killed_at(make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int) -> bool:
    """Kill a run at a point, roll back and check. Returns whether there is such a point."""
    pair = prepared(make_pair, *way)
    before = SpendableValues.of(pair)
    if run_in_process(pair.accounts, pair.url, pair.path, at=at) is not None:
        return False
    wait_until_free(pair)
    if status_of(pair.gateway, pair.path).state is None:  # it was killed before it had recorded that it began
        assert SpendableValues.of(pair).all == before.all
        return True
    report = rollback_plan(pair.gateway, pair.path)
    after = check_never_more(pair, before)
    if not report.in_doubt:
        assert report.not_undone == 0
        assert after.all == before.all
        assert set(after.source) >= set(_CODES)
        # an activation that the target does not show may still arrive
        open_operations = make_certificate(pair.gateway, pair.path).open_operations
        assert {operation.verb for operation in open_operations} <= {"activate"}
    return True


@pytest.mark.parametrize("at", first(range(5, 60, 17)))
@pytest.mark.parametrize("way", _WAYS, ids=str)
def test_killed_at_some_points_of_a_move(
    make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int
) -> None:
    move_killed_at(make_pair, way, at)


@pytest.mark.long
@pytest.mark.parametrize("at", [4, 17])
@pytest.mark.parametrize("way", _WAYS, ids=str)
def test_killed_at_some_points_of_a_rollback(
    make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int
) -> None:
    rollback_killed_at(make_pair, way, at)


@pytest.mark.long
@pytest.mark.parametrize(("way", "at"), [(_WAYS[0], 23), (_WAYS[0], 47), (_WAYS[1], 41), (_WAYS[2], 41)], ids=str)
def test_rolled_back_after_a_run_that_was_killed_at_some_points(
    make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int
) -> None:
    assert rollback_of_run_killed_at(make_pair, way, at)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("work", [move_killed_at, rollback_killed_at, rollback_of_run_killed_at])
@pytest.mark.parametrize("way", _WAYS, ids=str)
def test_killed_at_every_point(
    tmp_path_factory: pytest.TempPathFactory,
    make_pair: Callable[..., VendorPair],
    way: tuple[str, str, str | None],
    work: Callable[..., bool],
) -> None:
    def make_fresh_pair(*arguments: object, **named: object) -> VendorPair:
        folder = tmp_path_factory.mktemp("pair")
        pair = make_pair(*arguments, url=f"sqlite:///{folder / 'journal.db'}", **named)
        pair.path = folder / "plan.jsonl"
        return pair

    points = 0
    while points < _MOST and work(make_fresh_pair, way, points):
        points += 1
    assert points > 20
