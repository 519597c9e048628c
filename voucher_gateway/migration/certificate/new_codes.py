"""The vouchers that a migration moved under another code, for letters to their owners.

No code is stored in plan, journal or certificate. The plan has the mask of the old code. Everything else is read from
both vendors when the list is made.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path

import attrs

from voucher_gateway.errors import VoucherNotFound
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.masking import Code
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.load import require_begun
from voucher_gateway.migration.run.rows import VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import RowState, Work
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money


class CodeOrigin(enum.StrEnum):
    """Where a code of the list comes from.

    Attributes:
        SOURCE: it was read from the source now.
        TARGET: it was read from the target now.
        PLAN: the plan has its mask. The source does not show codes, or does not have the voucher any more.
        NOT_SHOWN: the account does not show codes, or does not have the voucher any more.
    """

    SOURCE = "source"
    TARGET = "target"
    PLAN = "plan"
    NOT_SHOWN = "not-shown"


@attrs.frozen(kw_only=True)
class NewCode:
    """A voucher that was moved and has another code.

    Attributes:
        number: its number in the plan.
        source_id: its id at the source.
        target_id: its id at the target.
        order: the order that it was sold with, if the source has it.
        value: its value when it was moved.
        old_code: its code at the source, or the mask of it.
        old_code_from: where that comes from.
        new_code: its code at the target; None if that is not shown.
        new_code_from: where that comes from.
    """

    number: int
    source_id: str
    target_id: str | None
    order: str | None
    value: Money
    old_code: Code | str | None
    old_code_from: CodeOrigin
    new_code: Code | None
    new_code_from: CodeOrigin


def iterate_new_codes(
    gateway: Gateway, plan: Path | Plan, *, by: str | None = None, revealed: bool = False
) -> Iterator[NewCode]:
    """Yield the vouchers that are at the target under another code, in the order of the plan.

    Each of them is read at both accounts. Who made the list, and whether codes were revealed, is recorded.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        by: the name of the person; by default the user of the operating system.
        revealed: whether the caller will reveal codes, for the record.

    Raises:
        ConfigurationError: if the plan was changed, is for other accounts, or was not run with this journal.
        VoucherGatewayError: if an account cannot be read.
    """
    with open_plan(plan) as opened:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        require_begun(state, "new codes are not known")
        with record_run(state.database, opened.id, Work.CODES, by, revealed=revealed, vouchers=0) as record:
            for new_code in context.ordered_map(_Reader(context).read, _rows(state)):
                record.details["vouchers"] += 1
                yield new_code


def _rows(state: MigrationState) -> Iterator[VoucherRow]:
    for row in state.rows(RowState.MOVED, RowState.KEPT):
        destination = row.planned.destination
        if destination is not None and destination.new_code:
            yield row


class _Reader:
    """Reads one voucher at both accounts."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context

    def read(self, row: VoucherRow) -> NewCode:
        planned, context = row.planned, self._context
        at_source = self._voucher(context.source, planned.source_id)
        at_target = None if row.target_id is None else self._voucher(context.target, row.target_id)
        old = None if at_source is None else at_source.code
        new = None if at_target is None else at_target.code
        return NewCode(
            number=row.number,
            source_id=planned.source_id,
            target_id=row.target_id,
            order=None if at_source is None else at_source.order,
            value=row.value,
            old_code=planned.code if old is None else old,
            old_code_from=CodeOrigin.PLAN if old is None else CodeOrigin.SOURCE,
            new_code=new,
            new_code_from=CodeOrigin.NOT_SHOWN if new is None else CodeOrigin.TARGET,
        )

    def _voucher(self, account: str, voucher_id: str) -> Voucher | None:
        try:
            return self._context.read(account, voucher_id).voucher
        except VoucherNotFound:
            return None
