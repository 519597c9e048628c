"""Promises about redemptions, and about calls that must be declined."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    CurrencyMismatch,
    InsufficientValue,
    InvalidRequest,
    Rejected,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
    WrongPin,
)
from voucher_gateway.masking import Pin
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.contracts.vouchers.changes import other_currency
from voucher_gateway.testing.harness.calls import expect_error, expect_no_request
from voucher_gateway.testing.harness.ledger import VALUE, LedgerSnapshot
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest
from voucher_gateway.testing.promises.checks import for_promise, require

Spend = Callable[..., object]
"""Takes a code, an amount and, where there is one, a PIN."""


class RedemptionsContract(SpendContract):
    """Redemptions and declined calls."""

    @for_promise("S9")
    def test_redeem_takes_exactly_the_amount(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        for minor in (1007, 29, 435, 5321):
            subject = factory.spendable_voucher()
            before = factory.snapshot()
            done = provider_.redeem(subject.code, factory.money(minor), reference=factory.reference(), order="O-1")
            check_taken_amount(factory.money(minor), done, subject, before, factory.snapshot())
            check_tax(provider_.get(subject.id), done, "redeem")

    @for_promise("S10")
    def test_more_than_there_is_is_declined(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.spendable_voucher()
        for name, spend in spend_calls(provider_, factory).items():
            before = factory.snapshot()
            with expect_error(f"{name} of more than is left", InsufficientValue, Rejected):
                spend(subject.code, subject.value + factory.money(1), None)
            factory.snapshot().require_unchanged(before, f"{name} of more than is left was declined")

    @for_promise("S11")
    def test_an_unknown_code_is_declined(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        for name, spend in spend_calls(provider_, factory).items():
            with expect_error(f"{name} of an unknown code", VoucherNotFound):
                spend(factory.code(), factory.money(100), None)

    @for_promise("S12")
    def test_another_currency_is_declined(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.spendable_voucher()
        for name, spend in spend_calls(provider_, factory).items():
            before = factory.snapshot()
            with expect_error(f"{name} in another currency", CurrencyMismatch, InvalidRequest, Rejected):
                spend(subject.code, other_currency(factory), None)
            factory.snapshot().require_unchanged(before, f"{name} in another currency was declined")

    @for_promise("S13")
    def test_an_inactive_voucher_cannot_be_spent(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.inactive_voucher()
        for name, spend in spend_calls(provider_, factory).items():
            before = factory.snapshot()
            with expect_error(f"{name} of an inactive voucher", VoucherInactive, Rejected):
                spend(subject.code, factory.money(100), None)
            factory.snapshot().require_unchanged(before, f"{name} of an inactive voucher was declined")

    @for_promise("S14")
    def test_an_expired_voucher_cannot_be_spent(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.expired_voucher()
        for name, spend in spend_calls(provider_, factory).items():
            before = factory.snapshot()
            with expect_error(f"{name} of an expired voucher", VoucherExpired, Rejected):
                spend(subject.code, factory.money(100), None)
            factory.snapshot().require_unchanged(before, f"{name} of an expired voucher was declined")

    @for_promise("S15")
    def test_a_wrong_pin_is_declined_and_the_right_one_taken(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject, pin = factory.with_pin("4815162342")
        for name, spend in spend_calls(provider_, factory).items():
            before = factory.snapshot()
            with expect_error(f"{name} with a wrong PIN", WrongPin, Rejected):
                spend(subject.code, factory.money(100), Pin(f"{pin}-not"))
            factory.snapshot().require_unchanged(before, f"{name} with a wrong PIN was declined")
            spend(subject.code, factory.money(100), Pin(pin))
            require(factory.snapshot().available(subject.id) < before.available(subject.id), f"{name} moved nothing")

    @for_promise("S16")
    def test_only_amounts_above_zero_move(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.spendable_voucher()
        calls: dict[str, Callable[[Money], object]] = {
            name: partial(spend, subject.code) for name, spend in spend_calls(provider_, factory).items()
        }
        if factory.native(Operation.TOP_UP):
            calls["top_up"] = _with_new_reference(partial(provider_.top_up, subject.id), factory)
        if factory.native(Operation.REFUND):
            done = factory.voucher_with_redemption().redemption
            assert done is not None
            calls["refund"] = _with_new_reference(partial(provider_.refund, done), factory)
        for name, call in calls.items():
            for minor in (0, -100):
                with (
                    expect_no_request(vendor, f"{name} of {factory.money(minor)}"),
                    expect_error(f"{name} of {factory.money(minor)}", InvalidRequest),
                ):
                    call(factory.money(minor))


def spend_calls(provider: VoucherProvider, factory: VoucherFactory) -> dict[str, Spend]:
    """Return the calls by which spending begins at a provider, by name; each call has a new reference."""
    ways: dict[str, Spend] = {}
    if factory.native(Operation.RESERVE):
        ways["reserve"] = _with_new_reference(provider.reserve, factory)
    if factory.native(Operation.REDEEM):
        ways["redeem"] = _with_new_reference(provider.redeem, factory)
    return ways


def _with_new_reference(call: Callable[..., object], factory: VoucherFactory) -> Callable[..., object]:
    def call_with_new_reference(*args: object) -> object:
        return call(*args, reference=factory.reference())

    return call_with_new_reference


def check_tax(voucher: Voucher, done: Reservation | Redemption, by: str) -> None:
    """Check that a result has the tax of its voucher, or none."""
    for name in ("taxable", "tax_rate"):
        reported, expected = getattr(done, name), getattr(voucher, name)
        require(reported in (None, expected), f"{by} has {reported!r} as {name}, and the voucher {expected!r}")


def check_taken_amount(
    money: Money, done: Redemption, subject: VoucherUnderTest, before: LedgerSnapshot, after: LedgerSnapshot
) -> None:
    """Check that exactly an amount left a voucher, and that the result says so."""
    difference = before.remaining(subject.id) - after.remaining(subject.id)
    require(difference == money, f"{money} was to be taken, and {difference} was")
    require(done.money == money, f"{money} was taken, and the result has {done.money}")
    require(done.voucher_id in (None, subject.id), "the result names another voucher")
    left = after.remaining(subject.id)
    require(done.remaining in (None, left), f"the result says that {done.remaining} is left, and {left} is")
    after.require_difference_only(before, "taking value", subject.id, VALUE | {"initial"})
