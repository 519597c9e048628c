"""Giving back on a voucher that was moved to another account since it was redeemed: refund-by-top-up.

The vendor that redeemed it has no say any more; the one that has the voucher now adds value.
"""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway.adapter import Money, Redemption, Refund, TopUp, VoucherProvider


def refund_by_top_up(
    provider: VoucherProvider,
    redemption: Redemption,
    money: Money,
    order: str | None,
    *,
    top_up: Callable[[], TopUp],
) -> Refund:
    """Give back by topping the voucher up where it is now.

    Args:
        provider: the vendor where the voucher is now.
        redemption: what was redeemed before the move.
        money: how much comes back.
        order: the shop's order.
        top_up: tops the voucher up, in steps of its own.
    """
    made = top_up()
    return Refund(
        account=provider.account,
        id=made.id,
        redemption_id=redemption.id,
        voucher_id=made.voucher_id,
        money=money,
        reference=made.reference,
        order=order,
        remaining=made.remaining,
        login=made.login,
        created_at=made.created_at,
        raw=made.raw,
    )
