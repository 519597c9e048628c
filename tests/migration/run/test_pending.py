"""A migration meets an operation that the vendor has accepted and not decided yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.migration.run.vendor_pair import ANYTHING
from tests.support.deferring import CODE, DeferringProvider, DeferringSettings, DeferringSimulator
from tests.support.ledger import Ledger
from tests.support.simulators import make_journal_keys, make_provider
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.migration import RowState, make_plan, run_plan
from voucher_gateway.provider_api import Money, OutcomePending, SecretSource
from voucher_gateway.simulator import RunningSimulator


class PendingMove:
    """A move of one card from a vendor that decides later to JTL. The card is emptied there by a redemption."""

    def __init__(self, gateway: Gateway, source: RunningSimulator, target: RunningSimulator, path: Path) -> None:
        assert isinstance(source.simulator, DeferringSimulator)
        self.gateway, self.vendor, self._source, self._target, self._path = (
            gateway,
            source.simulator,
            source,
            target,
            path,
        )

    def plan(self) -> None:
        make_plan(self.gateway, "source", "target", self._path, policy=ANYTHING)

    def run(self) -> dict[Any, int]:
        return dict(run_plan(self.gateway, self._path).counts)

    def spendable_at_target(self) -> dict[str, tuple[Decimal, str]]:
        return Ledger(self._target).spendable()

    def payments(self) -> int:
        return sum(request.method == "POST" for request in self._source.requests)


@pytest.fixture
def move(start_vendor: Callable[..., RunningSimulator], sqlite_url: str, tmp_path: Path) -> Iterator[PendingMove]:
    source, target = start_vendor(DeferringSimulator), start_vendor("jtl", vouchers=0)
    settings = DeferringSettings(base_url=source.announcement["base_url"], token=SecretSource.of("t"), tries=1)
    providers = {
        "source": DeferringProvider("source", settings),
        "target": make_provider(target.announcement, "target"),
    }
    with Gateway(providers, journal=open_journal(sqlite_url, make_journal_keys())) as gateway:
        yield PendingMove(gateway, source, target, tmp_path / "plan.jsonl")


def test_a_pending_retirement_leaves_the_voucher_in_doubt_and_unspendable_at_the_target(move: PendingMove) -> None:
    move.plan()
    assert move.run() == {RowState.IN_DOUBT: 1}
    assert move.spendable_at_target() == {}
    assert move.run() == {RowState.IN_DOUBT: 1}
    assert move.payments() == 1
    move.vendor.activities.settle("p1", "completed")
    assert move.run() == {RowState.MOVED: 1}
    assert move.spendable_at_target() == {CODE: (Decimal("100.00"), "EUR")}
    assert (move.payments(), move.vendor.cents) == (1, 0)


def test_a_cancelled_retirement_is_made_again(move: PendingMove) -> None:
    move.plan()
    assert move.run() == {RowState.IN_DOUBT: 1}
    move.vendor.activities.settle("p1", "cancelled")
    move.vendor.defers = False
    assert move.run() == {RowState.MOVED: 1}
    assert move.spendable_at_target() == {CODE: (Decimal("100.00"), "EUR")}
    assert (move.payments(), move.vendor.cents) == (2, 0)


def test_a_voucher_with_a_pending_redemption_stays_where_it_is(move: PendingMove) -> None:
    move.plan()
    with pytest.raises(OutcomePending):
        move.gateway.redeem("source", CODE, Money("10.00", "EUR"), reference="till")
    assert move.run() == {RowState.CHANGED: 1}
    assert move.spendable_at_target() == {}
    assert move.payments() == 1
