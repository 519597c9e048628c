"""Giving back on a voucher that was moved to another account since it was redeemed: refund-by-top-up.

The vendor that redeemed it has no say any more; the one that has the voucher now adds value.
"""

from __future__ import annotations

from collections.abc import Callable

from voucher_gateway.adapter import Money, Redemption, Refund, TopUp, VoucherProvider
from voucher_gateway.emulation.steps import Steps


def refund_by_top_up(
    steps: Steps,
    provider: VoucherProvider,
    redemption: Redemption,
    money: Money,
    order: str | None,
    *,
    check: Callable[[], None],
    top_up: Callable[[], TopUp],
) -> Refund:
    """Give back by topping the voucher up where it is now.

    Args:
        steps: the steps of the refund.
        provider: the vendor where the voucher is now.
        redemption: what was redeemed before the move.
        money: how much comes back.
        order: the shop's order.
        check: refuses more than was redeemed; called while nobody else gives the redemption back.
        top_up: tops the voucher up, in steps of its own.
    """
    with steps.lock(provider.host, f"refund of {redemption.id}"):
        check()
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
