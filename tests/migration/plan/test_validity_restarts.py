"""Vouchers whose validity a return to the source would count from the beginning: counted, and accepted by name."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from tests.migration.plan.conftest import ALL, Vendors
from voucher_gateway import Money
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.migration import Retire, read_summary, run_plan
from voucher_gateway.migration.plan.losses import find_unaccepted_risks
from voucher_gateway.migration.plan.text import restart_sentence

YEARS = {"validity_value": 3, "validity_interval": "years"}


def test_a_plan_counts_the_vouchers_and_the_money_that_a_return_would_prolong(vendors: Vendors) -> None:
    vendors.issue_at_jtl("50.00", **YEARS)
    vendors.issue_at_jtl("7.50", **YEARS)
    vendors.issue_at_jtl("9.00", status="inactive", **YEARS)  # it is not frozen, and so not activated
    summary, _ = vendors.plan(policy=ALL)
    restarts = summary.totals.validity_restarts
    assert (restarts.count, restarts.money) == (2, {"EUR": Money("57.50", "EUR")})
    assert "up to 2 vouchers with 57.50 EUR would end later." in restart_sentence(summary.totals)
    assert read_summary(summary.path).totals == summary.totals


def test_such_a_plan_runs_only_if_the_risk_is_accepted_by_name(vendors: Vendors) -> None:
    vendors.issue_at_jtl("50.00", **YEARS)
    summary, _ = vendors.plan(policy=ALL)
    before = vendors.changes()
    with pytest.raises(InvalidRequest, match=r"validity-restarts: .* At most 1 voucher with 50\.00 EUR\."):
        run_plan(vendors.gateway, summary.path)
    assert vendors.changes() == before
    assert run_plan(vendors.gateway, summary.path, accept={"validity-restarts"}).left == 0


@pytest.mark.parametrize("retire", [Retire.EMPTY, None], ids=["not-frozen", "a-copy"])
def test_what_is_not_frozen_is_not_prolonged(vendors: Vendors, retire: Retire | None) -> None:
    vendors.issue_at_jtl("50.00", **YEARS)
    summary, _ = vendors.plan(policy=attrs.evolve(ALL, retire=retire), copy=retire is None)
    assert summary.totals.validity_restarts.count == 0
    assert restart_sentence(summary.totals) == ""


def test_a_source_that_keeps_ends_has_no_such_risk(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(ticketing_vouchers=20)
    summary, _ = vendors.plan("events", "shop", ALL)
    assert summary.totals.validity_restarts.count == 0
    assert "validity-restarts" not in find_unaccepted_risks(summary.header, summary.totals)
