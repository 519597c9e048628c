"""The voucher that is asked for at the target."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.migration import Action, Kind, PlannedVoucher
from voucher_gateway.migration.plan.model import Destination
from voucher_gateway.migration.plan.target_voucher import build_target_voucher
from voucher_gateway.provider_api import Code, Interval, Money, NewVoucher, Status, Validity, Voucher
from voucher_gateway_jtl import JtlProvider

MONEY = Money("10.00", "EUR")


def asked_for(**fields: Any) -> NewVoucher:
    one = Voucher(account="from", id="v-1", code=Code("GIFT-0001"), initial=MONEY, remaining=MONEY, **fields)
    planned = PlannedVoucher(
        number=1,
        source_id="v-1",
        kind=Kind.UNUSED,
        remaining=MONEY,
        status=one.status,
        action=Action.CARRY,
        destination=Destination(value=MONEY, active=False),
    )
    return build_target_voucher(one, planned, JtlProvider.declared, later=True)


@pytest.mark.parametrize("status", [Status.INACTIVE, Status.UNKNOWN])
def test_a_validity_that_has_not_begun_goes_along(status: Status) -> None:
    assert asked_for(status=status, validity=Validity(3, Interval.YEARS)).validity == Validity(3, Interval.YEARS)


@pytest.mark.parametrize("status", [Status.ACTIVE, None])
def test_a_validity_that_may_have_begun_does_not_begin_again(status: Status | None) -> None:
    assert asked_for(status=status, validity=Validity(3, Interval.YEARS)).validity is None


@pytest.mark.parametrize("field", ["sku", "batch", "order", "tax_rate"])
def test_an_empty_text_is_left_out_as_vendors_take_none(field: str) -> None:
    assert getattr(asked_for(**{field: ""}), field) is None
    assert getattr(asked_for(**{field: "x"}), field) == "x"
