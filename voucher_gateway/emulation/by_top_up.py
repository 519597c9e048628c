"""Giving back on a voucher that was moved to another account since it was redeemed: refund-by-top-up.

The vendor that redeemed it has no say any more; the one that has the voucher now adds value.
"""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway.models.results import Redemption, Refund, TopUp
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider


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
    top_up_ = top_up()
    return Refund(
        account=provider.account,
        id=top_up_.id,
        redemption_id=redemption.id,
        voucher_id=top_up_.voucher_id,
        money=money,
        reference=top_up_.reference,
        order=order,
        remaining=top_up_.remaining,
        login=top_up_.login,
        created_at=top_up_.created_at,
        raw=top_up_.raw,
    )
