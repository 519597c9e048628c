"""Where a provider cannot issue, the contract takes vouchers that the vendor began with, each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import attrs
import pytest

from voucher_gateway.provider_api import Operation, OperationSupport, Support
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import MissingTestData
from voucher_gateway.testing.simulated_vendor import SimulatedVendor
from voucher_gateway_jtl import JtlProvider

LACKING = OperationSupport(support=Support.UNSUPPORTED)


@pytest.fixture
def factory() -> Iterator[VoucherFactory]:
    """Make vouchers of a provider that declares no issue, at a vendor with vouchers of all kinds."""
    with closing(SimulatedVendor(JtlProvider, vouchers=60)) as vendor:
        made = VoucherFactory(vendor, vendor.provider())
        made.declared = made.declared.with_support({Operation.ISSUE: LACKING})
        yield made


def test_a_spendable_voucher_is_one_that_can_be_spent(factory: VoucherFactory) -> None:
    found = [factory.spendable_voucher(1000) for _ in range(3)]
    assert len({one.id for one in found}) == 3
    for one in found:
        assert one.value >= factory.money(1000)
        taken = factory.redeem(one, 1000)
        assert factory.snapshot().remaining(one.id) == one.value - taken.money


def test_an_inactive_voucher_is_one_that_the_vendor_calls_so(factory: VoucherFactory) -> None:
    assert factory.snapshot().entries[factory.inactive_voucher(1).id]["status"] == "inactive"


def test_an_expired_voucher_is_one_whose_time_is_over(factory: VoucherFactory) -> None:
    voucher = factory.provider.get(factory.expired_voucher(1).id)
    assert voucher.valid_until is not None
    assert voucher.valid_until <= factory.vendor_now()


def test_a_voucher_with_a_pin_is_found_among_those_that_have_one(factory: VoucherFactory) -> None:
    subject, pin = factory.with_pin("4711")
    assert factory.snapshot().entries[subject.id]["pin"] == pin


def test_a_vendor_without_such_a_voucher_is_told_to_seed_one(factory: VoucherFactory) -> None:
    with pytest.raises(MissingTestData, match=r"no unused active voucher of .* let the simulator begin with some"):
        factory.spendable_voucher(99_999_999_999)


def test_a_vendor_that_runs_out_gets_more_vouchers(factory: VoucherFactory) -> None:
    prepared = len(factory.snapshot().entries)
    found = [factory.spendable_voucher(1000) for _ in range(prepared)]
    assert len({one.id for one in found}) == prepared
    assert len(factory.snapshot().entries) > prepared


def test_whether_vouchers_can_be_inactive_follows_from_the_declaration() -> None:
    with closing(SimulatedVendor(JtlProvider, vouchers=5)) as vendor:
        factory = VoucherFactory(vendor, vendor.provider())
        idle = factory.unspent_voucher()
        assert factory.snapshot().entries[idle.id]["status"] == "inactive"
        lacking = {Operation.ACTIVATE: LACKING, Operation.DEACTIVATE: LACKING}
        factory.declared = factory.declared.with_support(lacking)
        assert not factory.has_statuses


def test_codes_are_made_within_the_declared_rules() -> None:
    with closing(SimulatedVendor(JtlProvider, vouchers=5)) as vendor:
        factory = VoucherFactory(vendor, vendor.provider())
        rules = attrs.evolve(factory.declared.codes, min_length=20, max_length=20, forbidden="ABC")
        factory.declared = attrs.evolve(factory.declared, codes=rules)
        made = {factory.code().reveal() for _ in range(50)}
        assert len(made) == 50
        assert all(len(one) == 20 and not set(one) & set("ABC") for one in made)
