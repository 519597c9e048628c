"""Proving that a file of masked codes holds what was planned.

`verify_plan` recognises vouchers by their codes, which such a file does not have. What it does have of each voucher is
compared instead: the mask, the value, the end of validity and the status, as often as the plan has the very same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path

from voucher_gateway.migration.plan.model import Action, PlannedVoucher
from voucher_gateway.migration.plan.plan_file import read_vouchers
from voucher_gateway.migration.verify.checks import Difference, DifferenceKind
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.provider import VoucherProvider


def compare_masked_file(provider: VoucherProvider, plan: Path) -> Iterator[Difference]:
    """Give every voucher of a plan that a file lacks, and what the file has beyond the plan.

    Args:
        provider: of the file.
        plan: the plan's file.
    """
    with provider.vouchers() as listing:
        counts = Counter(hash(_masked_key(voucher)) for voucher in listing)
    for planned in _carried_vouchers(plan):
        mark = hash(_planned_key(planned))
        if counts[mark] > 0:
            counts[mark] -= 1
            continue
        yield Difference(
            kind=DifferenceKind.LOST,
            number=planned.number,
            source_id=planned.source_id,
            code=planned.code,
            explanation="the file does not have it as it was planned",
        )
    if surplus := counts.total():
        yield Difference(
            kind=DifferenceKind.DOUBLED, explanation=f"{surplus} of the file's vouchers are not in the plan"
        )


def _carried_vouchers(plan: Path) -> Iterator[PlannedVoucher]:
    return (voucher for voucher in read_vouchers(plan) if voucher.action is Action.CARRY)


def _masked_key(voucher: Voucher) -> Hashable:
    masked = (voucher.raw or {}).get("code")
    return masked, voucher.initial, voucher.remaining, voucher.valid_until, voucher.status


def _planned_key(planned: PlannedVoucher) -> Hashable:
    goal = planned.destination
    assert goal is not None
    status = None if goal.active is None else Status.ACTIVE if goal.active else Status.INACTIVE
    return planned.code, goal.value, goal.value, goal.valid_until, status
