"""Promises about value that is set aside, and then taken or given up."""

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
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendBase
from voucher_gateway.testing.contracts.redemptions import must_have_taken, must_tell_the_tax_of
from voucher_gateway.testing.harness.calls import expect_error, expect_no_request
from voucher_gateway.testing.harness.ledger import VALUE, can, check_money, is_near, ledger_vouchers, readings
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest
from voucher_gateway.testing.promise_checks import for_promise, require


class ReservingContract(SpendBase):
    """Reserving, capturing, releasing."""

    @for_promise("S1")
    def test_reserve_sets_exactly_the_amount_aside(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        subject, money = scenes.spendable(), scenes.money(1007)
        before = scenes.books()
        hold = provider_.reserve(subject.code, money, reference=scenes.reference(), order="O-1")
        after = scenes.books()
        require(
            after.reserved_amount(subject.id) == money,
            f"{money} was to be set aside, and {after.reserved_amount(subject.id)} is",
        )
        require(after.remaining(subject.id) == before.remaining(subject.id), "reserving took value off the voucher")
        require(hold.money == money, f"{money} was set aside, and the result tells of {hold.money}")
        require(hold.voucher_id in (None, subject.id), "the result names another voucher")
        after.must_differ_only(before, "reserve", subject.id, VALUE)
        _must_tell_what_is_left(provider_, scenes, subject)
        rules = provider_.declared.reservations
        if rules is not None and rules.time_to_live is not None:
            require(hold.valid_until is not None, "reservations are declared to end, and the result does not say when")
            assert hold.valid_until is not None
            due = provider_.vendor_now() + rules.time_to_live
            near = is_near(hold.valid_until, due, timedelta(seconds=10))
            require(near, f"a reservation is declared to last {rules.time_to_live}, and ends at {hold.valid_until}")

    @for_promise("S2")
    def test_capture_takes_exactly_what_was_set_aside(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        for minor in (1007, 29, 435):
            subject = scenes.voucher_with_reservation(minor)
            before = scenes.books()
            done = provider_.capture(_hold(subject), reference=scenes.reference(), order="O-1")
            after = scenes.books()
            must_have_taken(scenes.money(minor), done, subject, before, after)
            require(after.reserved_amount(subject.id).amount == 0, "after the capture something is still set aside")
            hold = _hold(subject)
            must_tell_the_tax_of(provider_.get(subject.id), hold, "reserve")
            told = (done.taxable, done.tax_rate) == (hold.taxable, hold.tax_rate)
            require(told, "the capture does not tell what the reservation told of the tax")

    @for_promise("S3")
    def test_capturing_a_part_is_as_declared(
        self, stage: VendorUnderTest, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        support, rules = provider_.declared.of(Operation.CAPTURE), provider_.declared.reservations
        require(
            rules is not None and bool(support.partial) == rules.partial_capture,
            "the support of capture and the rules of reservations say different things about a part",
        )
        subject, part = scenes.voucher_with_reservation(1007), scenes.money(407)
        before = scenes.books()
        if not support.partial:
            with expect_no_request(stage, "the capture of a part"):
                expect_error(
                    lambda: provider_.capture(_hold(subject), part, reference=scenes.reference()),
                    "the capture of a part",
                    UnsupportedOperation,
                    InvalidRequest,
                )
            scenes.books().require_unchanged(before, "the capture of a part was refused")
            return
        done = provider_.capture(_hold(subject), part, reference=scenes.reference())
        after = scenes.books()
        must_have_taken(part, done, subject, before, after)
        require(
            after.reserved_amount(subject.id).amount == 0, "after the capture of a part the rest is still set aside"
        )

    @for_promise("S4")
    def test_capturing_more_than_was_set_aside_is_refused(
        self, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        subject = scenes.voucher_with_reservation(1007)
        before = scenes.books()
        expect_error(
            lambda: provider_.capture(_hold(subject), scenes.money(1008), reference=scenes.reference()),
            "the capture of more than was set aside",
            InvalidRequest,
            UnsupportedOperation,
            InsufficientValue,
            Rejected,
        )
        scenes.books().require_unchanged(before, "a capture was refused")

    @for_promise("S5")
    def test_a_second_capture_takes_nothing(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        subject = scenes.voucher_with_reservation()
        provider_.capture(_hold(subject), reference=scenes.reference())
        before = scenes.books()
        expect_error(
            lambda: provider_.capture(_hold(subject), reference=scenes.reference()),
            "a second capture",
            AlreadyCaptured,
            VoucherNotFound,
            Rejected,
        )
        scenes.books().require_unchanged(before, "a second capture was refused")

    @for_promise("S6")
    def test_a_reservation_ends_when_it_is_declared_to(
        self, stage: VendorUnderTest, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        subject = scenes.voucher_with_reservation()
        if rules.time_to_live is None:
            stage.advance(timedelta(days=400).total_seconds())
            require(
                scenes.books().reserved_amount(subject.id).amount > 0, "a reservation without a declared end has ended"
            )
            return
        life = rules.time_to_live.total_seconds()
        stage.advance(life * 0.9)
        require(
            scenes.books().reserved_amount(subject.id).amount > 0, f"a reservation ended before {rules.time_to_live}"
        )
        stage.advance(life * 0.1 + 61)
        before = scenes.books()
        require(
            before.reserved_amount(subject.id).amount == 0, f"a reservation still stands after {rules.time_to_live}"
        )
        expect_error(
            lambda: provider_.capture(_hold(subject), reference=scenes.reference()),
            "the capture of a reservation that is over",
            ReservationExpired,
            VoucherNotFound,
            Rejected,
        )
        scenes.books().require_unchanged(before, "the capture of a reservation that is over was refused")

    @for_promise("S23")
    def test_a_capture_that_comes_too_late_is_told_as_that(
        self, stage: VendorUnderTest, scenes: VoucherFactory
    ) -> None:
        rules = scenes.declared.reservations
        assert rules is not None
        assert rules.time_to_live is not None
        subject = scenes.voucher_with_reservation()
        stage.advance(rules.time_to_live.total_seconds() + 61)
        expect_error(
            lambda: stage.provider().capture(_hold(subject), reference=scenes.reference()),
            "the capture of a reservation that is over, by an instance that has heard nothing yet,",
            ReservationExpired,
        )

    @for_promise("S7")
    def test_a_second_reservation_does_what_is_declared(
        self, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        subject, money = scenes.spendable(), scenes.money(1007)
        first = provider_.reserve(subject.code, money, reference=scenes.reference())
        if rules.exclusive and not rules.superseded_by_next:
            before = scenes.books()
            expect_error(
                lambda: provider_.reserve(subject.code, money, reference=scenes.reference()),
                "a second reservation, of which one is declared to exist at most,",
                VoucherHeld,
                Rejected,
            )
            scenes.books().require_unchanged(before, "a second reservation was refused")
            provider_.capture(first, reference=scenes.reference())
            return
        second = provider_.reserve(subject.code, money, reference=scenes.reference())
        held = scenes.books().reserved_amount(subject.id)
        capture_first = partial(provider_.capture, first, reference=scenes.reference())
        if rules.superseded_by_next:
            require(held == money, f"the second reservation is declared to end the first, and {held} is set aside")
            expect_error(
                capture_first,
                "the capture of a reservation that another one ended",
                ReservationSuperseded,
                VoucherNotFound,
                Rejected,
            )
        else:
            require(
                held == money + money, f"two reservations are declared to stand side by side, and {held} is set aside"
            )
            capture_first()
        provider_.capture(second, reference=scenes.reference())

    @for_promise("S8")
    def test_release_frees_what_was_set_aside(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        rules = provider_.declared.reservations
        require(rules is not None and rules.release, "release is declared, and the rules of reservations deny it")
        subject = scenes.voucher_with_reservation()
        before = scenes.books()
        done = provider_.release(_hold(subject), reference=scenes.reference())
        after = scenes.books()
        require(done.freed, "the result says that the value is not free")
        require(done.reservation_id == _hold(subject).id, "the result names another reservation")
        require(after.reserved_amount(subject.id).amount == 0, "after the release the value is still set aside")
        require(after.remaining(subject.id) == before.remaining(subject.id), "the release took value")
        expect_error(
            lambda: provider_.capture(_hold(subject), reference=scenes.reference()),
            "the capture of a released reservation",
            ReservationReleased,
            VoucherNotFound,
            Rejected,
        )
        scenes.books().require_unchanged(after, "the capture of a released reservation was refused")
        taken = scenes.voucher_with_reservation()
        provider_.capture(_hold(taken), reference=scenes.reference())
        before = scenes.books()
        with suppress(Declined):
            done = provider_.release(_hold(taken), reference=scenes.reference())
            require(not done.freed, "a reservation was captured, and its release says that the value is free")
        scenes.books().require_unchanged(before, "the release of a captured reservation")


def _must_tell_what_is_left(provider: VoucherProvider, scenes: VoucherFactory, subject: VoucherUnderTest) -> None:
    """Make sure that what is set aside is told as left: it has not been taken."""
    true = next(truth for truth in ledger_vouchers(scenes.stage) if truth.id == subject.id)
    for by, reading in readings(provider, true):
        check_money(reading.remaining, true.remaining, f"with value set aside, remaining by {by}")
    if can(provider, Operation.BALANCE):
        remaining = provider.balance(subject.code).remaining
        check_money(remaining, true.remaining, "with value set aside, remaining by balance")


def _hold(subject: VoucherUnderTest) -> Reservation:
    assert subject.reservation is not None
    return subject.reservation
