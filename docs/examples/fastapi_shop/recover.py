"""`python -m fastapi_shop.recover`, for cron: finish what a killed process or a lost answer left open."""

from __future__ import annotations

import asyncio
import sys

from card_processor.client import CardUnknown
from fastapi_shop.orders import paying_orders
from fastapi_shop.services import card_means, gateway
from fastapi_shop.shop import find_payment, finish
from voucher_gateway import PaymentState, VoucherGatewayError


async def main() -> None:
    """Complete what was decided, then deliver what is paid. An error is for the next run, or for a person."""
    async with gateway:
        await gateway.recover(other=card_means())
        for number in await paying_orders():
            try:
                _, payment = await find_payment(number)
                if payment.state in (PaymentState.CAPTURING, PaymentState.CAPTURED, PaymentState.SHORT):
                    await finish(number)
            except (VoucherGatewayError, CardUnknown) as error:
                print(f"{number}: {error}", file=sys.stderr)  # noqa: T201 - a command prints
        async for record in gateway.payments(needs_attention=True):
            print(f"{record.order}: {record.attention}")  # noqa: T201 - a command prints


if __name__ == "__main__":
    asyncio.run(main())
