"""Where a provider cannot issue, the contract takes vouchers that the vendor began with, each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import attrs
import pytest

from voucher_gateway.provider_api import Operation, OperationSupport, Support
from voucher_gateway.testing.harness.vendor import SimulatorVendor
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promise_checks import MissingTestData
from voucher_gateway_jtl import JtlProvider

LACKING = OperationSupport(support=Support.UNSUPPORTED)


@pytest.fixture
def scenes() -> Iterator[VoucherFactory]:
    """Scenes of a provider that declares no issue, at a vendor with vouchers of all kinds."""
    with closing(SimulatorVendor(JtlProvider, vouchers=60)) as stage:
        made = VoucherFactory(stage, stage.provider())
        made.declared = made.declared.with_support({Operation.ISSUE: LACKING})
        yield made


def test_a_spendable_voucher_is_one_that_can_be_spent(scenes: VoucherFactory) -> None:
    found = [scenes.spendable(1000) for _ in range(3)]
    assert len({one.id for one in found}) == 3
    for one in found:
        assert one.value >= scenes.money(1000)
        taken = scenes.redeem(one, 1000)
        assert scenes.books().remaining(one.id) == one.value - taken.money


def test_an_inactive_voucher_is_one_that_the_vendor_calls_so(scenes: VoucherFactory) -> None:
    assert scenes.books().entries[scenes.inactive(1).id]["status"] == "inactive"


def test_an_expired_voucher_is_one_whose_time_is_over(scenes: VoucherFactory) -> None:
    voucher = scenes.provider.get(scenes.expired_voucher(1).id)
    assert voucher.valid_until is not None
    assert voucher.valid_until <= scenes.vendor_now()


def test_a_voucher_with_a_pin_is_found_among_those_that_have_one(scenes: VoucherFactory) -> None:
    subject, pin = scenes.with_pin("4711")
    assert scenes.books().entries[subject.id]["pin"] == pin


def test_a_vendor_without_such_a_voucher_is_told_to_seed_one(scenes: VoucherFactory) -> None:
    with pytest.raises(MissingTestData, match=r"no active voucher of .* let the simulator begin with some"):
        scenes.spendable(99_999_999_999)


def test_a_vendor_that_runs_out_gets_more_vouchers(scenes: VoucherFactory) -> None:
    begun = len(scenes.books().entries)
    found = [scenes.spendable(1000) for _ in range(begun)]
    assert len({one.id for one in found}) == begun
    assert len(scenes.books().entries) > begun


def test_whether_vouchers_can_be_inactive_follows_from_the_declaration() -> None:
    with closing(SimulatorVendor(JtlProvider, vouchers=5)) as stage:
        scenes = VoucherFactory(stage, stage.provider())
        idle = scenes.unspent()
        assert scenes.books().entries[idle.id]["status"] == "inactive"
        lacking = {Operation.ACTIVATE: LACKING, Operation.DEACTIVATE: LACKING}
        scenes.declared = scenes.declared.with_support(lacking)
        assert not scenes.has_statuses


def test_codes_are_made_within_the_declared_rules() -> None:
    with closing(SimulatorVendor(JtlProvider, vouchers=5)) as stage:
        scenes = VoucherFactory(stage, stage.provider())
        rules = attrs.evolve(scenes.declared.codes, min_length=20, max_length=20, forbidden="ABC")
        scenes.declared = attrs.evolve(scenes.declared, codes=rules)
        made = {scenes.code().reveal() for _ in range(50)}
        assert len(made) == 50
        assert all(len(one) == 20 and not set(one) & set("ABC") for one in made)
