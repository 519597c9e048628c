"""Proving that a file of masked codes holds what was planned.

`verify_plan` recognises vouchers by their codes, which such a file does not have. What it does have of each voucher is
compared instead: the mask, the value, the end of validity and the status, as often as the plan has the very same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path

from voucher_gateway.adapter import Status, Voucher, VoucherProvider
from voucher_gateway.migration import Action, Difference, PlannedVoucher, Wrong, read_vouchers


def masked_differences(provider: VoucherProvider, plan: Path) -> Iterator[Difference]:
    """Give every voucher of a plan that a file lacks, and what the file has beyond the plan.

    Args:
        provider: of the file.
        plan: the plan's file.
    """
    with provider.vouchers() as listing:
        found = Counter(hash(_told(voucher)) for voucher in listing)
    for planned in _carried(plan):
        mark = hash(_meant(planned))
        if found[mark] > 0:
            found[mark] -= 1
            continue
        yield Difference(
            kind=Wrong.LOST,
            number=planned.number,
            source_id=planned.source_id,
            code=planned.code,
            explanation="the file does not have it as it was planned",
        )
    if more := found.total():
        yield Difference(kind=Wrong.DOUBLED, explanation=f"{more} of the file's vouchers are not in the plan")


def _carried(plan: Path) -> Iterator[PlannedVoucher]:
    return (one for one in read_vouchers(plan) if one.action is Action.CARRY)


def _told(voucher: Voucher) -> Hashable:
    masked = (voucher.raw or {}).get("code")
    return masked, voucher.initial, voucher.remaining, voucher.valid_until, voucher.status


def _meant(planned: PlannedVoucher) -> Hashable:
    goal = planned.destination
    assert goal is not None
    status = None if goal.active is None else Status.ACTIVE if goal.active else Status.INACTIVE
    return planned.code, goal.value, goal.value, goal.valid_until, status
