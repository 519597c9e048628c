"""Payments found by voucher, by the reference of a refund, and by time."""

from __future__ import annotations

from typing import Any

from tests.payments.captured_payment import euros
from tests.payments.conftest import PayingShop
from voucher_gateway.instants import now


def test_payments_are_found_by_voucher_by_the_reference_of_a_refund_and_by_time(either_paying: PayingShop) -> None:
    begin = now()
    mixed = either_paying.mixed()
    either_paying.payment("10.00", order="1002")
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("3.00"), reference="return-7")
    gateway, leg = either_paying.gateway, mixed.payment.legs[0]

    def orders(**filters: Any) -> list[str]:
        return [record.order for record in gateway.payments(**filters)]

    assert orders() == ["1002", "1001"]
    assert orders(voucher=leg.voucher_id) == ["1001"]
    assert orders(voucher="unknown") == []
    assert orders(reference="return-7") == ["1001"]
    assert orders(until=begin) == []
    assert orders(since=begin, until=now()) == ["1002", "1001"]
