"""Codes that are at the target already, or at the source twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.migration.plan.conftest import ALL, Vendors, only
from voucher_gateway.migration import (
    Action,
    Recode,
)
from voucher_gateway.provider_api import Money


@pytest.mark.parametrize("target", ["events", "shop"])
def test_a_code_that_the_target_has_already_is_refused(vendors: Vendors, target: str) -> None:
    vendors.issue_at_jtl(code="GIFT-7K2M-9QXD", validity_value=1, validity_interval="years")
    vendors.issue_at_ticketing(code="GIFT-7K2M-9QXD", validUntil="2099-01-01T00:00:00.000Z")
    source = {"events": "shop", "shop": "events"}[target]
    one = only(vendors.plan(source, target, ALL)[1])
    assert one.reasons == ("the target already has its code",)
    other = only(vendors.plan(source, target, attrs.evolve(ALL, code_taken=Recode.NEW_CODE))[1])
    assert other.destination is not None
    assert other.destination.new_code


def test_a_code_that_came_to_the_target_while_its_list_was_read_is_looked_up(
    make_vendors: Callable[..., Vendors], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors = make_vendors(ticketing_vouchers=60, page_size=10, ticketing_list_order="newest-first")
    vendors.issue_at_jtl(code="GIFT-7K2M-9QXD")
    simulator: Any = vendors.ticketing.simulator
    same = simulator._new_voucher(5000, "GIFT-7K2M-9QXD", None)
    monkeypatch.setattr(simulator, "insert_voucher", lambda: simulator._vouchers.put(same))
    # in front of the pages that were read already
    vendors.ticketing.inject("insert-while-paging", match="GET /api/vouchers", after=2)
    assert only(vendors.plan(policy=ALL)[1]).reasons == ("the target already has its code",)


@pytest.mark.parametrize("recode", Recode)
def test_of_a_code_that_the_source_has_twice_neither_voucher_is_guessed(
    make_vendors: Callable[..., Vendors], recode: Recode
) -> None:
    vendors = make_vendors(ticketing_allow_duplicate_codes=True)
    for code in ("GIFT-0001", "GIFT-0002", "GIFT-0001"):
        vendors.issue_at_ticketing(code=code)
    summary, planned = vendors.plan("events", "shop", attrs.evolve(ALL, code_taken=recode))
    if recode is Recode.REFUSE:
        assert [one.action for one in planned] == [Action.REFUSE, Action.CARRY, Action.REFUSE]
        assert summary.totals.of(Action.CARRY).money == {"EUR": Money("50.00", "EUR")}
        assert summary.estimate.vouchers == 1
    else:
        assert [one.destination and one.destination.new_code for one in planned] == [True, False, True]
