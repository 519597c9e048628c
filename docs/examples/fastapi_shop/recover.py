"""`python -m fastapi_shop.recover`, for cron: finish what a killed process or a lost answer left open."""

from __future__ import annotations

import os
import sys

from card_processor.client import CardMeans, CardUnknown
from fastapi_shop.orders import paying_orders
from fastapi_shop.shop import find_payment, finish, gateway
from voucher_gateway import PaymentState, VoucherGatewayError


def main() -> None:
    """Complete what was decided, then deliver what is paid. An error is for the next run, or for a person."""
    gateway.recover(other=CardMeans(os.environ["CARDS_URL"]))
    for number in paying_orders():
        try:
            if find_payment(number)[1].state in (PaymentState.CAPTURING, PaymentState.CAPTURED, PaymentState.SHORT):
                finish(number)
        except (VoucherGatewayError, CardUnknown) as error:
            print(f"{number}: {error}", file=sys.stderr)  # noqa: T201 - a command prints
    for record in gateway.payments(needs_attention=True):
        print(f"{record.order}: {record.attention}")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
