"""A plan whose operations were removed from the journal is not carried out again, and says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from voucher_gateway import InvalidRequest
from voucher_gateway.instants import now
from voucher_gateway.migration import RowState, rollback_plan, status_of, verify_plan
from voucher_gateway.upkeep.prune import prune


def test_a_plan_that_was_pruned_moves_nothing_again_and_cannot_be_verified(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "ticketing", 20)
    pair.plan()
    pair.run()
    assert pair.gateway.journal is not None
    assert prune(pair.gateway.journal, now() - timedelta(days=1)).operations == 0
    assert verify_plan(pair.gateway, pair.path).proved
    count = pair.gateway.journal_status().rows["operations"]
    summary = prune(pair.gateway.journal, now())
    assert (summary.operations, summary.kept) == (count, 0)
    assert count > 0
    before = SpendableValues.of(pair)
    with pytest.raises(InvalidRequest, match="removed from the journal by a prune"):
        verify_plan(pair.gateway, pair.path)
    pair.run()
    assert SpendableValues.of(pair).all == before.all
    assert pair.gateway.journal_status().rows["operations"] == 0
    with pytest.raises(InvalidRequest, match="removed from the journal by a prune"):  # the run has changed nothing
        verify_plan(pair.gateway, pair.path)


def test_a_plan_that_was_pruned_is_not_rolled_back(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 20)
    pair.plan()
    pair.run()
    assert pair.gateway.journal is not None
    prune(pair.gateway.journal, now() + timedelta(days=2))
    changes = pair.changes()
    with pytest.raises(InvalidRequest, match=r"removed from the journal by a prune.*rolled back"):
        rollback_plan(pair.gateway, pair.path)
    assert pair.changes() == changes
    assert set(status_of(pair.gateway, pair.path).vouchers) == {RowState.MOVED}


def test_a_voucher_whose_record_is_gone_stays_at_the_target_in_a_rollback(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "ticketing", 20)
    pair.plan()
    pair.run()
    assert pair.gateway.journal is not None
    with pair.gateway.journal.database.write() as connection:
        for table in ("requests", "operations"):
            column = "operation_id" if table == "requests" else "id"
            connection.exec_driver_sql(
                f"DELETE FROM voucher_gateway_{table} WHERE {column} IN ("
                "SELECT id FROM voucher_gateway_operations WHERE verb = 'issue' ORDER BY id LIMIT 1)"
            )
    moved = status_of(pair.gateway, pair.path).vouchers[RowState.MOVED].count
    report = rollback_plan(pair.gateway, pair.path)
    assert (report.undone, [voucher.state for voucher in report.kept]) == (moved - 1, [RowState.KEPT])
    assert "the journal has no record" in report.kept[0].reason


def test_the_operations_of_a_plan_that_may_go_on_stay(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 20)
    pair.plan()
    pair.run()
    assert pair.gateway.journal is not None
    with pair.gateway.journal.database.write() as connection:
        connection.exec_driver_sql("UPDATE voucher_gateway_migration_plans SET state = 'paused'")
    assert prune(pair.gateway.journal, now() + timedelta(days=2)).operations == 0
