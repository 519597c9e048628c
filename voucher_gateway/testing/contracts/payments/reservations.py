"""Promises about reservations and their capture, release and expiry."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AlreadyCaptured,
    Declined,
    InsufficientValue,
    InvalidRequest,
    Rejected,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    UnsupportedOperation,
    VoucherHeld,
    VoucherNotFound,
)
from voucher_gateway.models.results import Reservation
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.contracts.payments.redemptions import check_taken_amount, check_tax
from voucher_gateway.testing.harness.calls import expect_error, expect_no_request
from voucher_gateway.testing.harness.ledger import VALUE, can, check_money, is_near, ledger_vouchers, readings
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest
from voucher_gateway.testing.promises.checks import for_promise, require


class ReservationsContract(SpendContract):
    """Reserving, capturing, releasing."""

    @for_promise("S1")
    def test_reserve_sets_exactly_the_amount_aside(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject, money = factory.spendable_voucher(), factory.money(1007)
        before = factory.snapshot()
        hold = provider_.reserve(subject.code, money, reference=factory.reference(), order="O-1")
        after = factory.snapshot()
        require(
            after.reserved_amount(subject.id) == money,
            f"{money} was to be set aside, and {after.reserved_amount(subject.id)} is",
        )
        require(after.remaining(subject.id) == before.remaining(subject.id), "reserving took value off the voucher")
        require(hold.money == money, f"{money} was set aside, and the result has {hold.money}")
        require(hold.voucher_id in (None, subject.id), "the result names another voucher")
        after.require_difference_only(before, "reserve", subject.id, VALUE)
        _check_remaining(provider_, factory, subject)
        rules = provider_.declared.reservations
        if rules is not None and rules.time_to_live is not None:
            require(hold.valid_until is not None, "reservations are declared to end, and the result does not say when")
            assert hold.valid_until is not None
            due = provider_.vendor_now() + rules.time_to_live
            near = is_near(hold.valid_until, due, timedelta(seconds=10))
            require(near, f"a reservation is declared to last {rules.time_to_live}, and ends at {hold.valid_until}")

    @for_promise("S2")
    def test_capture_takes_exactly_what_was_set_aside(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for minor in (1007, 29, 435):
            subject = factory.voucher_with_reservation(minor)
            before = factory.snapshot()
            done = provider_.capture(_reservation_of(subject), reference=factory.reference(), order="O-1")
            after = factory.snapshot()
            check_taken_amount(factory.money(minor), done, subject, before, after)
            require(after.reserved_amount(subject.id).amount == 0, "after the capture something is still set aside")
            hold = _reservation_of(subject)
            check_tax(provider_.get(subject.id), hold, "reserve")
            is_same = (done.taxable, done.tax_rate) == (hold.taxable, hold.tax_rate)
            require(is_same, "the capture has another tax than the reservation")

    @for_promise("S3")
    def test_capturing_a_part_is_as_declared(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        support, rules = provider_.declared.of(Operation.CAPTURE), provider_.declared.reservations
        require(
            rules is not None and bool(support.partial) == rules.partial_capture,
            "the support of capture and the rules of reservations say different things about a part",
        )
        subject, part = factory.voucher_with_reservation(1007), factory.money(407)
        before = factory.snapshot()
        if not support.partial:
            with (
                expect_no_request(vendor, "the capture of a part"),
                expect_error("the capture of a part", UnsupportedOperation, InvalidRequest),
            ):
                provider_.capture(_reservation_of(subject), part, reference=factory.reference())
            factory.snapshot().require_unchanged(before, "the capture of a part was refused")
            return
        done = provider_.capture(_reservation_of(subject), part, reference=factory.reference())
        after = factory.snapshot()
        check_taken_amount(part, done, subject, before, after)
        require(
            after.reserved_amount(subject.id).amount == 0, "after the capture of a part the rest is still set aside"
        )

    @for_promise("S4")
    def test_capturing_more_than_was_set_aside_is_refused(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        subject = factory.voucher_with_reservation(1007)
        before = factory.snapshot()
        with expect_error(
            "the capture of more than was set aside", InvalidRequest, UnsupportedOperation, InsufficientValue, Rejected
        ):
            provider_.capture(_reservation_of(subject), factory.money(1008), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "a capture was refused")

    @for_promise("S5")
    def test_a_second_capture_takes_nothing(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        subject = factory.voucher_with_reservation()
        provider_.capture(_reservation_of(subject), reference=factory.reference())
        before = factory.snapshot()
        with expect_error("a second capture", AlreadyCaptured, VoucherNotFound, Rejected):
            provider_.capture(_reservation_of(subject), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "a second capture was refused")

    @for_promise("S6")
    def test_a_reservation_ends_when_it_is_declared_to(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        subject = factory.voucher_with_reservation()
        if rules.time_to_live is None:
            vendor.advance(timedelta(days=400).total_seconds())
            require(
                factory.snapshot().reserved_amount(subject.id).amount > 0,
                "a reservation without a declared end has ended",
            )
            return
        life = rules.time_to_live.total_seconds()
        vendor.advance(life * 0.9)
        require(
            factory.snapshot().reserved_amount(subject.id).amount > 0,
            f"a reservation ended before {rules.time_to_live}",
        )
        vendor.advance(life * 0.1 + 61)
        before = factory.snapshot()
        require(
            before.reserved_amount(subject.id).amount == 0, f"a reservation still stands after {rules.time_to_live}"
        )
        with expect_error("the capture of a reservation that is over", ReservationExpired, VoucherNotFound, Rejected):
            provider_.capture(_reservation_of(subject), reference=factory.reference())
        factory.snapshot().require_unchanged(before, "the capture of a reservation that is over was refused")

    @for_promise("S23")
    def test_a_capture_that_comes_too_late_is_told_as_that(
        self, vendor: VendorUnderTest, factory: VoucherFactory
    ) -> None:
        rules = factory.declared.reservations
        assert rules is not None
        assert rules.time_to_live is not None
        subject = factory.voucher_with_reservation()
        vendor.advance(rules.time_to_live.total_seconds() + 61)
        with expect_error(
            "the capture of a reservation that is over, by an instance that does not know it yet,", ReservationExpired
        ):
            vendor.provider().capture(_reservation_of(subject), reference=factory.reference())

    @for_promise("S7")
    def test_a_second_reservation_does_what_is_declared(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        subject, money = factory.spendable_voucher(), factory.money(1007)
        first = provider_.reserve(subject.code, money, reference=factory.reference())
        if rules.at_once == 1 and not rules.superseded_by_next:
            before = factory.snapshot()
            with expect_error(
                "a second reservation, of which one is declared to exist at most,", VoucherHeld, Rejected
            ):
                provider_.reserve(subject.code, money, reference=factory.reference())
            factory.snapshot().require_unchanged(before, "a second reservation was refused")
            provider_.capture(first, reference=factory.reference())
            return
        second = provider_.reserve(subject.code, money, reference=factory.reference())
        held = factory.snapshot().reserved_amount(subject.id)
        capture_first = partial(provider_.capture, first, reference=factory.reference())
        if rules.superseded_by_next:
            require(held == money, f"the second reservation is declared to end the first, and {held} is set aside")
            with expect_error(
                "the capture of a reservation that another one ended", ReservationSuperseded, VoucherNotFound, Rejected
            ):
                capture_first()
        else:
            require(
                held == money + money, f"two reservations are declared to stand side by side, and {held} is set aside"
            )
            capture_first()
        provider_.capture(second, reference=factory.reference())

    @for_promise("S8")
    def test_release_frees_what_was_set_aside(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        rules = provider_.declared.reservations
        require(rules is not None and rules.release, "release is declared, and the rules of reservations deny it")
        subject = factory.voucher_with_reservation()
        before = factory.snapshot()
        done = provider_.release(_reservation_of(subject), reference=factory.reference())
        after = factory.snapshot()
        require(done.freed, "the result says that the value is not free")
        require(done.reservation_id == _reservation_of(subject).id, "the result names another reservation")
        require(after.reserved_amount(subject.id).amount == 0, "after the release the value is still set aside")
        require(after.remaining(subject.id) == before.remaining(subject.id), "the release took value")
        with expect_error("the capture of a released reservation", ReservationReleased, VoucherNotFound, Rejected):
            provider_.capture(_reservation_of(subject), reference=factory.reference())
        factory.snapshot().require_unchanged(after, "the capture of a released reservation was refused")
        taken = factory.voucher_with_reservation()
        provider_.capture(_reservation_of(taken), reference=factory.reference())
        before = factory.snapshot()
        with suppress(Declined):
            done = provider_.release(_reservation_of(taken), reference=factory.reference())
            require(not done.freed, "a reservation was captured, and its release says that the value is free")
        factory.snapshot().require_unchanged(before, "the release of a captured reservation")


def _check_remaining(provider: VoucherProvider, factory: VoucherFactory, subject: VoucherUnderTest) -> None:
    """Check that reserved value counts as remaining, because it is not taken yet."""
    true = next(truth for truth in ledger_vouchers(factory.vendor) if truth.id == subject.id)
    for by, reading in readings(provider, true):
        check_money(reading.remaining, true.remaining, f"with value set aside, remaining by {by}")
    if can(provider, Operation.BALANCE):
        remaining = provider.balance(subject.code).remaining
        check_money(remaining, true.remaining, "with value set aside, remaining by balance")


def _reservation_of(subject: VoucherUnderTest) -> Reservation:
    assert subject.reservation is not None
    return subject.reservation
