"""A run ends at once if a person pauses an account, and goes on after the pause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from voucher_gateway import AccountPaused
from voucher_gateway.migration import RowState
from voucher_gateway.migration.plan.plan_file import read_vouchers
from voucher_gateway.migration.run.progress import Progress

MakePair = Callable[..., VendorPair]


@pytest.mark.parametrize("account", ["source", "target"])
def test_a_run_ends_when_an_account_is_paused_and_the_next_one_moves_the_rest(
    make_pair: MakePair, account: str
) -> None:
    pair = make_pair(vouchers=60)
    pair.plan()
    before = SpendableValues.of(pair)
    carried = [voucher for voucher in read_vouchers(pair.path) if voucher.destination is not None]

    def pause(progress: Progress) -> None:
        if sum(progress.counts.values()) >= 4 and not pair.gateway.paused_accounts():
            pair.gateway.pause_account(account)

    report = pair.run(workers=2, on_progress=pause)
    if report.left:  # otherwise the pause came too late
        assert isinstance(report.error, AccountPaused)
        assert report.stopped == "error"
    pair.gateway.resume_account(account)
    last = pair.run()
    assert (last.left, last.error) == (0, None)
    assert report.counts.get(RowState.MOVED, 0) + last.counts.get(RowState.MOVED, 0) == len(carried)
    assert SpendableValues.of(pair).all == before.all


@pytest.mark.parametrize("account", ["source", "target"])
def test_a_run_at_a_paused_account_begins_nothing(make_pair: MakePair, account: str) -> None:
    pair = make_pair(vouchers=6)
    pair.plan()
    pair.gateway.pause_account(account)
    with pytest.raises(AccountPaused):
        pair.run()
    assert pair.changes() == 0
    pair.gateway.resume_account(account)
    assert pair.run().left == 0
