"""The codes and the PINs of a payment show nowhere: in no log, error, frame, repr, pickle, table or file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.support.leaks import note_call, note_database, note_object
from voucher_gateway import (
    CheckLimits,
    Gateway,
    InvalidRequest,
    Money,
    Payment,
    PaymentState,
    ReplacementRule,
    VoucherNotFound,
)
from voucher_gateway.testing.harness.canary import Canary

if TYPE_CHECKING:
    from tests.payments.conftest import PayingShop

FAULTS = ["commit-then-drop", "wrong-echo", "not-json"]
MORE_FAULTS = [
    "drop-before",
    "error-before",
    "error-after-commit",
    "html-after-commit",
    "foreign-404",
    "rate-limit",
    "redirect",
    "unauthorized",
    "wrong-voucher",
    "huge-reply",
    "truncate",
]


class WatchedPayment:
    """A payment whose codes and PIN a canary looks for."""

    def __init__(self, shop: PayingShop, canary: Canary) -> None:
        self.shop = shop
        self.canary = canary
        self.jtl_code = canary.plant("JTL-C4N4RY-7K2M-9QXD")
        self.ticketing_code = canary.plant("EVENT-C4N4RY-2F8C-6WJN")
        self.pin = canary.plant("c4n4ry-pin-481516")
        shop.jtl.voucher("20.00", code=self.jtl_code)
        shop.ticketing.voucher("10.00", code=self.ticketing_code)
        self.payment: Payment = shop.payment("60.00", other=shop.card)
        note_call(canary, self.add_legs)

    def add_legs(self) -> None:
        self.payment.add(self.jtl_code, self.pin, account="shop")
        self.payment.add(self.ticketing_code, self.pin, account="events")

    def look(self) -> None:
        """Show everything to the canary that is known of the payment."""
        for value in (self.payment, self.payment.record, *self.payment.legs, *self.shop.gateway.payments()):
            note_object(self.canary, value)
        assert self.shop.gateway.journal is not None
        note_database(self.canary, self.shop.gateway.journal.database)


def test_a_payment_that_goes_well_gives_no_code_away(either_paying: PayingShop, canary: Canary) -> None:
    watched = WatchedPayment(either_paying, canary)
    payment = watched.payment
    watched.look()
    payment.authorize()
    watched.look()
    payment.capture()
    watched.look()
    note_call(canary, lambda: payment.refund(Money("6.00", "EUR"), reference="r-1"))
    rule = ReplacementRule(account="shop")
    note_call(canary, lambda: payment.refund(Money("6.00", "EUR"), reference="r-2", replace=rule))
    note_call(canary, lambda: payment.cancel())
    watched.look()
    assert payment.state is PaymentState.CANCELLED


@pytest.mark.parametrize("fault", [*FAULTS, *(pytest.param(name, marks=pytest.mark.long) for name in MORE_FAULTS)])
def test_no_fault_of_a_vendor_gives_a_code_away(paying: PayingShop, canary: Canary, fault: str) -> None:
    watched = WatchedPayment(paying, canary)
    payment = watched.payment
    for method in ("authorize", "capture", "cancel"):
        for vendor in (paying.jtl, paying.ticketing):
            vendor.inject(fault, "POST *", times=1)
            vendor.inject(fault, "PUT *", times=1)
        note_call(canary, getattr(payment, method))
        for vendor in (paying.jtl, paying.ticketing):
            vendor.clear_faults()
        note_call(canary, getattr(payment, method))
        watched.look()
    for resolution in paying.gateway.recover():
        note_object(canary, resolution)
    watched.look()


def test_a_code_that_cannot_be_added_shows_nowhere(paying: PayingShop, canary: Canary) -> None:
    limits = CheckLimits(caller_guesses=4, unusable_time_s=0)
    gateway = Gateway(paying.gateway.accounts, journal=paying.gateway.journal, check_limits=limits)
    payment = gateway.payment("1001", total=Money("60.00", "EUR"))
    pin = canary.plant("c4n4ry-pin-2342")
    for code in ("JTL-C4N4RY-UNKNOWN", "ODD C4N4RY \x00 CODE", "JTL-C4N4RY-" + "9" * 300):
        canary.plant(code)
        for caller in (None, "203.0.113.7"):
            for account in (None, "shop", "events", "no-such-account"):
                note_call(canary, lambda: payment.add(code, pin, account=account, caller=caller))  # noqa: B023
    paying.jtl.inject("error-before", "GET *", times=None)
    note_call(canary, lambda: payment.add(code, pin, account="shop"))
    assert paying.gateway.journal is not None
    note_database(canary, paying.gateway.journal.database)


def test_a_sealed_code_opens_only_in_its_own_row(paying: PayingShop, canary: Canary) -> None:
    watched = WatchedPayment(paying, canary)
    assert paying.gateway.journal is not None
    with paying.gateway.journal.database.write() as connection:
        connection.execute(
            sa.text(
                "UPDATE voucher_gateway_payment_legs SET sealed_code = (SELECT sealed_code FROM"
                " voucher_gateway_payment_legs WHERE number = 1) WHERE number = 2"
            )
        )
    error = note_call(canary, watched.payment.authorize)
    assert type(error).__name__ in ("ConfigurationError", "PaymentDeclined")
    watched.look()


def test_codes_are_erased_when_a_payment_is_over(paying: PayingShop, canary: Canary) -> None:
    watched = WatchedPayment(paying, canary)
    watched.payment.authorize()
    watched.payment.capture()
    assert paying.gateway.journal is not None
    with paying.gateway.journal.database.read() as connection:
        rows = connection.execute(sa.text("SELECT sealed_code, sealed_pin FROM voucher_gateway_payment_legs")).all()
    assert [tuple(row) for row in rows] == [(None, None)] * 2


def test_a_voucher_whose_code_is_in_the_order_is_not_added(paying: PayingShop, canary: Canary) -> None:
    code = paying.jtl_code()
    payment = paying.payment("60.00", order=f"order-{code.lower()}")
    canary.plant(code)
    error = note_call(canary, lambda: payment.add(code, account="shop"))
    assert isinstance(error, InvalidRequest)
    assert (error.field, payment.refresh().legs) == ("order", ())


def test_an_order_number_that_is_typed_as_a_code_is_not_found(paying: PayingShop) -> None:
    payment = paying.payment("60.00", order="ORDER-100234")
    with pytest.raises(VoucherNotFound):
        payment.add("ORDER-100234", account="shop")
