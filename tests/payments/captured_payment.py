"""A captured payment, ways in which its voucher is gone, and what a refund gives back."""

from __future__ import annotations

from typing import Any

from tests.payments.conftest import PayingShop
from voucher_gateway import Interval, Money, Payment, PaymentRefund, Validity


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def captured(shop: PayingShop, **options: Any) -> Payment:
    """Return a captured payment: 20.00 of JTL (leg 1), 10.00 of ticketing (leg 2), and 30.00 of other means."""
    payment = shop.payment("60.00", **options)
    payment.add(shop.jtl_code("20.00", validity=Validity(1, Interval.DAYS)), account="shop")
    payment.add(shop.ticketing_code("10.00"), account="events")
    payment.authorize()
    payment.capture()
    return payment


def parts(refund: PaymentRefund) -> dict[int, tuple[str, str]]:
    return {part.leg: (str(part.amount.amount), part.state.value) for part in refund.parts}


def delete(shop: PayingShop, payment: Payment) -> None:
    ledger: Any = shop.jtl.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator
    del ledger.vouchers[payment.legs[0].voucher_id]


def expire(shop: PayingShop, payment: Payment) -> None:
    shop.jtl.advance(2 * 24 * 3600)


def deactivate(shop: PayingShop, payment: Payment) -> None:
    shop.gateway.deactivate("shop", payment.legs[0].voucher_id, reference="stolen")
