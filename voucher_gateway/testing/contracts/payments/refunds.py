"""Promises about refunds, and about values that are overwritten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import AlreadyRefunded, InsufficientValue, InvalidRequest, Rejected, UnsupportedOperation
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, expect_error, expect_no_request, native_changes
from voucher_gateway.testing.harness.cases import make_case
from voucher_gateway.testing.harness.ledger import VALUE, LedgerSnapshot
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest
from voucher_gateway.testing.promises.checks import for_promise, require


class RefundsContract(SpendContract):
    """Refunds, and values that are overwritten."""

    @for_promise("S17")
    def test_refund_gives_exactly_the_redemption_back(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for minor in (1007, 29, 435):
            subject = factory.voucher_with_redemption(minor)
            before = factory.snapshot()
            done = provider_.refund(_redemption_of(subject), reference=factory.reference(), order="O-1")
            _check_refunded_amount(factory.money(minor), done, subject, before, factory.snapshot())

    @for_promise("S18")
    def test_refunding_a_part_is_as_declared(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.voucher_with_redemption(1007)
        first, second = factory.money(407), factory.money(600)
        if not provider_.declared.of(Operation.REFUND).partial:
            with (
                expect_no_request(vendor, "the refund of a part"),
                expect_error("the refund of a part", UnsupportedOperation, InvalidRequest),
            ):
                provider_.refund(_redemption_of(subject), first, reference=factory.reference())
            return
        for part in (first, second):
            before = factory.snapshot()
            done = provider_.refund(_redemption_of(subject), part, reference=factory.reference())
            _check_refunded_amount(part, done, subject, before, factory.snapshot())

    @for_promise("S19")
    def test_nothing_is_refunded_beyond_the_redemption(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.voucher_with_redemption(1007)
        before = factory.snapshot()
        with expect_error(
            "a refund of more than was taken",
            InvalidRequest,
            UnsupportedOperation,
            Rejected,
            AlreadyRefunded,
            InsufficientValue,
        ):
            provider_.refund(_redemption_of(subject), factory.money(1008), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "a refund of more than was taken was refused")
        provider_.refund(_redemption_of(subject), reference=factory.reference())
        before = factory.snapshot()
        with expect_error("a second refund of the whole", AlreadyRefunded, Rejected):
            provider_.refund(_redemption_of(subject), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "a second refund was refused")

    @for_promise("S21")
    def test_no_amount_becomes_a_float(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        factory.wrap_money = _tripping
        for operation in native_changes(provider_):
            case = make_case(operation, factory)
            if case.money is None:
                continue
            case.call(provider_, factory.reference())
            require(case.times() == 1, f"{operation.value} moved {case.times()} times {case.money}")

    @for_promise("S20")
    def test_a_value_is_read_and_overwritten_as_it_is(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        absolute = factory.native(Operation.ISSUE) and provider_.declared.expiry.takes_instants
        fields: dict[str, Any] = {"valid_until": factory.vendor_now() + timedelta(days=400)} if absolute else {}
        subject = factory.spendable_voucher(**fields)
        read = provider_.read_value(subject.code)
        snapshot = factory.snapshot()
        require(read.voucher_id == subject.id, "`read_value` gives another voucher")
        require(read == provider_.read_value(id=subject.id), "`read_value` says other things by id than by code")
        require(read.remaining == snapshot.remaining(subject.id), f"`read_value` says that {read.remaining} is left")
        require(read.value == snapshot.part(subject.id, "initial"), f"`read_value` says that the value is {read.value}")
        for step in (factory.money(-1007), factory.money(435), factory.money(29)):
            before, old = factory.snapshot(), provider_.read_value(id=subject.id)
            recorder = BeforeSendRecorder(vendor)
            intent = provider_.intent(
                Operation.REDEEM, reference=factory.reference(), voucher_id=subject.id, subject=subject.id
            )
            with recorder.watching():
                provider_.write_value(old, old.value + step, intent=intent)
            after = factory.snapshot()
            moved = after.remaining(subject.id) - before.remaining(subject.id)
            require(moved == step, f"the value was overwritten with {step} more, and {moved} more is left")
            require(
                recorder.intents == [intent], "`write_value` did not announce its request under the intent it was given"
            )
            after.require_difference_only(before, "write_value", subject.id, VALUE | {"initial"})


class _Tripping(Decimal):
    """An amount that fails the test when it is converted to a float."""

    def __float__(self) -> float:
        raise TypeError("an amount became a float")


def _tripping(money: Money) -> Money:
    return Money.from_exact(_Tripping(money.amount), money.currency)


def _redemption_of(subject: VoucherUnderTest) -> Redemption:
    assert subject.redemption is not None
    return subject.redemption


def _check_refunded_amount(
    money: Money, done: Refund, subject: VoucherUnderTest, before: LedgerSnapshot, after: LedgerSnapshot
) -> None:
    back = after.remaining(subject.id) - before.remaining(subject.id)
    require(back == money, f"{money} was to be given back, and {back} was")
    require(done.money == money, f"{money} was given back, and the result has {done.money}")
    require(done.voucher_id in (None, subject.id), "the result names another voucher")
    left = after.remaining(subject.id)
    require(done.remaining in (None, left), f"the result says that {done.remaining} is left, and {left} is")
    after.require_difference_only(before, "the refund", subject.id, VALUE | {"initial"})
