"""A run and a rollback log ids, counts and states, and never a code."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.migration import Action, read_vouchers, rollback_plan
from voucher_gateway.provider_api import Money


def test_a_run_logs_its_counts_and_the_vouchers_that_need_attention(
    make_pair: Callable[..., VendorPair], caplog: pytest.LogCaptureFixture
) -> None:
    pair = make_pair(vouchers=12)
    plan_id = pair.plan().id
    voucher = max(
        (voucher for voucher in read_vouchers(pair.path) if voucher.action is Action.CARRY),
        key=lambda voucher: voucher.remaining.amount if voucher.remaining else 0,
    )
    shown = pair.gateway.get("source", voucher.source_id, secrets=True)
    assert shown.code is not None
    assert voucher.remaining is not None
    cent = Money("0.01", voucher.remaining.currency)
    pair.gateway.redeem("source", shown.code, cent, shown.pin, reference="a-purchase")
    caplog.set_level(logging.INFO, "voucher_gateway.migration")
    report = pair.run()
    rollback_plan(pair.gateway, pair.path)
    lines = [record.getMessage() for record in caplog.records if record.name == "voucher_gateway.migration"]
    name = f"plan {plan_id[:12]}"
    assert lines[0].startswith(f"{name}: a run begins: {sum(report.counts.values())} vouchers")
    assert f"{name}: voucher {voucher.number}: changed" in lines
    assert any(line.startswith(f"{name}: the run has ended: ") and "1 changed" in line for line in lines)
    assert any(line.startswith(f"{name}: a rollback begins: ") for line in lines)
    assert any(line.startswith(f"{name}: the rollback has ended: ") for line in lines)
    codes = [str(entry["code"]) for entry in (*pair.source.ledger(), *pair.target.ledger())]
    assert not [code for code in codes if code in caplog.text]
