"""Refund by top-up: give back on a voucher that was moved to another account after it was redeemed.

The vendor that redeemed the voucher does not have it any more. The vendor that has it now adds the value.
"""

from __future__ import annotations

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.commands import RefundMovedVoucher, TopUpVoucher
from voucher_gateway.emulation.by_update import top_up_by_update
from voucher_gateway.models.results import Refund, convert_result
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.steps import StepRunner


def refund_by_top_up(command: RefundMovedVoucher, steps: StepRunner, provider: VoucherProvider) -> Refund:
    """Refund by adding the value where the voucher is now, natively or by an update."""
    top_up = command.derive(TopUpVoucher, voucher_id=command.voucher_id, money=command.money)
    if provider.capabilities.of(Operation.TOP_UP).support is Support.NATIVE:
        added = steps.run(top_up)
    else:
        added = top_up_by_update(top_up, steps, provider)
    return convert_result(added, Refund, money=command.money, order=command.order, redemption_id=command.redemption.id)
