"""A plan is run or rolled back with a journal that was restored from a backup of the middle of its moves."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.migration.run.test_crash_points import prepared
from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from voucher_gateway import Gateway
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.migration import (
    DifferenceKind,
    Recode,
    RowState,
    read_vouchers,
    rollback_plan,
    run_plan,
    status_of,
    verify_plan,
)
from voucher_gateway.migration.run import context
from voucher_gateway.provider_api import Money, NewVoucher

_STEPS = {
    # source, target, the request at which the moves stand still while the backup is made
    "frozen, and not created": ("jtl", "ticketing", "target", "POST */vouchers"),
    "created, and not retired": ("ticketing", "jtl", "source", "PUT */vouchers/*"),
}


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))


def restored_gateway(pair: VendorPair, folder: Path, complete: Callable[[], object]) -> Gateway:
    """Return a gateway whose journal is a backup that lacks what `complete` does."""
    copy = folder / "backup.db"
    with (
        closing(sqlite3.connect(pair.url.removeprefix("sqlite:///"))) as journal,
        closing(sqlite3.connect(copy)) as backup,
    ):
        journal.backup(backup)
    complete()
    pair.url = f"sqlite:///{copy}"
    gateway = pair.another_gateway()
    assert gateway.journal is not None
    mark_restored(gateway.journal)
    import_missing_movements(gateway.journal, [account.provider for account in gateway.accounts])
    return gateway


def moved_since_backup(make_pair: Callable[..., VendorPair], step: str, folder: Path) -> tuple[VendorPair, Gateway]:
    """Return a pair whose vouchers were all moved after a backup that was made in the middle of their moves."""
    source, target, side, match = _STEPS[step]
    pair = prepared(make_pair, source, target, None)
    vendor = pair.target if side == "target" else pair.source
    vendor.inject("rate-limit", match, times=0, retry_after_s=0)
    pair.run(workers=1)
    vendor.clear_faults()
    gateway = restored_gateway(pair, folder, lambda: pair.run(workers=1))
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) == 2
    return pair, gateway


@pytest.mark.parametrize("step", _STEPS)
def test_a_run_with_a_restored_journal_undoes_no_move_that_was_completed_since_the_backup(
    step: str, make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair, gateway = moved_since_backup(make_pair, step, tmp_path)
    moved = SpendableValues.of(pair)
    report = run_plan(gateway, pair.path, workers=1)
    assert SpendableValues.of(pair) == moved
    assert verify_plan(gateway, pair.path).proved
    assert report.in_doubt == 2
    assert all("the journal was restored from a backup" in voucher.reason for voucher in report.noted)
    assert run_plan(gateway, pair.path, workers=1).in_doubt == 2  # also the next one, which knows its own attempt


def test_vouchers_with_new_codes_that_were_issued_since_the_backup_are_named_and_not_called_lost(
    make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair = make_pair("jtl", "square", 24)
    pair.plan(attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE))
    assert pair.run(limit=1).counts == {RowState.MOVED: 1}
    own_sale = pair.gateway.issue("target", NewVoucher(initial=Money("25.00", "EUR")), reference="sale-1")
    gateway = restored_gateway(pair, tmp_path, pair.run)
    moved = status_of(pair.gateway, pair.path).count(RowState.MOVED)
    numbered = [one for one in verify_plan(gateway, pair.path).differences if one.number is not None]
    assert [one.kind for one in numbered] == [DifferenceKind.NOT_RECORDED] * (moved - 1) != []
    ids = [one.explanation.rpartition(": ")[2] for one in numbered]
    assert len(set(ids)) == len(ids)
    assert own_sale.id not in ids
    cards = {str(card["id"]): Decimal(str(card["remaining"])) for card in pair.target.ledger()}
    values = {planned.number: planned.remaining for planned in read_vouchers(pair.path)}
    for difference, id in zip(numbered, ids, strict=True):
        value = values[difference.number or 0]
        assert value is not None
        assert cards[id] == value.amount


def test_a_voucher_with_a_new_code_that_the_target_does_not_have_is_lost_as_ever(
    make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair = make_pair("jtl", "square", 24)
    pair.plan(attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE))
    gateway = restored_gateway(pair, tmp_path, pair.run)
    state: dict[str, Any] = pair.target.simulator.dump()
    newest = max(state["cards"], key=itemgetter("created_at"))
    state["cards"].remove(newest)
    pair.target.simulator.load(state)
    kinds = Counter(one.kind for one in verify_plan(gateway, pair.path).differences if one.number is not None)
    assert kinds[DifferenceKind.LOST] == 1
    assert kinds[DifferenceKind.NOT_RECORDED] > 0


@pytest.mark.parametrize("step", _STEPS)
def test_a_rollback_with_a_restored_journal_makes_nothing_spendable_twice(
    step: str, make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair, gateway = moved_since_backup(make_pair, step, tmp_path)
    moved = SpendableValues.of(pair)
    report = rollback_plan(gateway, pair.path)
    assert SpendableValues.of(pair) == moved
    assert (report.undone, report.in_doubt) == (0, 2)
    assert all("the journal was restored from a backup" in voucher.reason for voucher in report.kept)


def test_a_restored_journal_that_lacks_nothing_rolls_a_plan_back(
    make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    pair.run()
    gateway = restored_gateway(pair, tmp_path, lambda: None)
    assert rollback_plan(gateway, pair.path).undone == 2
    assert SpendableValues.of(pair) == before


def test_a_plan_that_is_begun_after_the_restoration_is_undone_as_ever(
    make_pair: Callable[..., VendorPair], tmp_path: Path
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    before = SpendableValues.of(pair)
    gateway = restored_gateway(pair, tmp_path, lambda: None)
    pair.target.inject("rate-limit", "POST */vouchers", times=0, retry_after_s=0)
    run_plan(gateway, pair.path, workers=1)
    pair.target.clear_faults()
    assert rollback_plan(gateway, pair.path).not_undone == 0
    assert SpendableValues.of(pair) == before
