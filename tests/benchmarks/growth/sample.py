"""A small real journal: each of its rows was written by the gateway for a call to a simulated vendor."""

from __future__ import annotations

from typing import Final

from voucher_gateway import Gateway, Money, NewVoucher

ORDERS: Final = 200
OPERATIONS: Final = ORDERS * 6
_VALUE: Final = Money("50.00", "EUR")


def run_sample(gateway: Gateway, account: str) -> None:
    """Run the calls of 200 orders: six operations each, with ten requests."""
    for number in range(ORDERS):
        order = f"order-{number:05}"
        voucher = gateway.issue(account, NewVoucher(initial=_VALUE), reference=f"{order}-issue", order=order)
        gateway.activate(account, voucher.id, reference=f"{order}-activate", order=order)
        code = voucher.code
        assert code is not None
        redemption = gateway.redeem(account, code, Money("10.53", "EUR"), reference=f"{order}-redeem", order=order)
        reservation = gateway.reserve(account, code, Money("7.00", "EUR"), reference=f"{order}-hold", order=order)
        gateway.capture(account, reservation, reference=f"{order}-take", order=order)
        gateway.refund(account, redemption, Money("2.50", "EUR"), reference=f"{order}-return", order=order)
