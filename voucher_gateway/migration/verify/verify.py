"""Proves the result of a migration: reads both sides again and compares them with the plan.

The source and the target are listed, and the vouchers are joined with the plan in a temporary file. A voucher at the
target is recognised by the fingerprint of its code. If it got a new code, which the plan cannot know, or if the target
does not show its code, it is recognised by the id in the journal's record of its issue. The records of the run are not
used, except to name the part of the source that a voucher belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_micros
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import PlanState, Work
from voucher_gateway.migration.verify.checks import Difference, check_all
from voucher_gateway.migration.verify.other_plans import OtherPlan
from voucher_gateway.migration.verify.parts import PartTotal
from voucher_gateway.migration.verify.progress import OnVerificationProgress, ProgressReporter
from voucher_gateway.migration.verify.readers import read_source, read_target
from voucher_gateway.migration.verify.shifted_ends import ShiftedEnd, ShiftedEnds, ShiftedEndStore
from voucher_gateway.migration.verify.store import UnreadableVoucher, VerificationStore
from voucher_gateway.money import Money

_MOST_UNREADABLE: Final = 1000


@attrs.frozen(kw_only=True)
class Total:
    """The sums of one currency.

    Attributes:
        before: the planned value.
        at_target: the value that was issued for it at the target.
        used: the redemptions, refunds and top-ups since, by the records of the target; negative if more was spent.
        left: the remaining value of those vouchers, without vouchers that should be spendable and are not.
        at_source: the value that can still be spent at the source; after a rollback, the value that is there as before.
    """

    before: Money
    at_target: Money
    used: Money
    left: Money
    at_source: Money

    def is_balanced(self, *, source_whole: bool, copied: bool) -> bool:
        """Return whether the sums agree exactly."""
        nothing = Money.zero(self.before.currency)
        if source_whole:
            return self.at_source == self.before and self.left == nothing
        kept = copied or self.at_source == nothing
        return kept and self.before == self.at_target and self.at_target + self.used == self.left


@attrs.frozen(kw_only=True)
class Verification:
    """The result of a verification.

    Attributes:
        plan_id: the plan.
        state: the state of the migration; None if this journal knows no run of it.
        rolled_back: whether the plan was rolled back. Then the vouchers are expected at the source.
        vouchers: the number of carried vouchers.
        as_expected: the number of these without a difference, which no other plan moves.
        moved_by_others: the number that other plans move or have moved, such as a second plan after a rollback.
        codes_not_compared: the number that was recognised at the target by ids, because the target does not show codes.
        totals: the sums of the carried vouchers, by currency.
        parts: the whole source in parts, by part and currency, with the vouchers that are not carried.
        shifted_ends: the carried vouchers that end at another time than before, by account, shift and currency.
        unreadable: the first vouchers of both accounts that cannot be read, at most a thousand.
        other_plans: the other plans that move or have moved vouchers of the source.
        differences: all differences.
    """

    plan_id: str
    state: PlanState | None
    rolled_back: bool
    vouchers: int
    as_expected: int
    moved_by_others: int = 0
    codes_not_compared: int = 0
    totals: Mapping[str, Total] = attrs.field(hash=False)
    parts: tuple[PartTotal, ...] = ()
    shifted_ends: tuple[ShiftedEnds, ...] = ()
    unreadable: tuple[UnreadableVoucher, ...] = ()
    other_plans: tuple[OtherPlan, ...] = ()
    differences: tuple[Difference, ...]

    @property
    def proved(self) -> bool:
        """Whether there are no differences."""
        return not self.differences


@use_work_class(WorkClass.MIGRATE)
def verify_plan(
    gateway: Gateway,
    plan: Path | Plan,
    *,
    by: str | None = None,
    on_shifted_end: Callable[[ShiftedEnd], None] | None = None,
    on_progress: OnVerificationProgress | None = None,
) -> Verification:
    """Read both sides of a plan again, and compare them with the plan.

    Memory does not grow with the number of vouchers: they are stored in a temporary file. A plan that was rolled back
    is compared with its source.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        by: the name of the person who verifies it, for the records; by default the user of the operating system.
        on_shifted_end: is called with each voucher whose end is not as before, in the order of the plan.
        on_progress: is called repeatedly, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, or is for other accounts.
        VoucherGatewayError: if a side cannot be read.
    """
    with open_plan(plan) as opened, closing(VerificationStore()) as store:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        with record_run(state.database, opened.id, Work.VERIFY, by) as record:
            verification = read_and_compare(context, state, opened, store, on_shifted_end, on_progress)
            if not verification.proved:
                record.result = "differences"
            record.details["differences"] = len(verification.differences)
            return verification


def read_and_compare(
    context: MigrationContext,
    state: MigrationState,
    plan: Plan,
    store: VerificationStore,
    on_shifted_end: Callable[[ShiftedEnd], None] | None = None,
    on_progress: OnVerificationProgress | None = None,
) -> Verification:
    """Read both sides of a plan into a store, and compare them with the plan.

    Args:
        context: what all moves of the plan share.
        state: the state of the plan.
        plan: the open plan.
        store: an empty store.
        on_shifted_end: is called with each voucher whose end is not as before, in the order of the plan.
        on_progress: is called repeatedly.
    """
    progress = ProgressReporter(on_progress)
    plan_state = state.plan_state()
    rolled_back = plan_state is PlanState.ROLLED_BACK
    store.plan(plan.vouchers())
    store.add_states(state.iterate_states())
    read_target(context, store, progress)
    read_source(context, store, progress)
    ends = ShiftedEndStore(store.connection, context)
    differences = tuple(check_all(context, store, ends, progress, rolled_back=rolled_back))
    if on_shifted_end is not None:
        for shifted in ends.vouchers():
            on_shifted_end(shifted)
    totals = {currency: Total(**sums) for currency, sums in store.totals().items()}
    wrong = {difference.number for difference in differences if difference.number is not None}
    unbalanced = tuple(
        Difference.of_total(currency, attrs.asdict(total, recurse=False))
        for currency, total in totals.items()
        if not total.is_balanced(source_whole=rolled_back, copied=context.leaves_source)
    )
    vouchers, moved_by_others = store.count(), store.count_moved_by_other_plans()
    return Verification(
        plan_id=context.plan_id,
        state=plan_state,
        rolled_back=rolled_back,
        vouchers=vouchers,
        as_expected=vouchers - moved_by_others - sum(1 for number in wrong if not store.is_moved_by_another(number)),
        moved_by_others=moved_by_others,
        codes_not_compared=store.count_unmatched_codes(),
        totals=totals,
        parts=store.parts(format_micros(context.gateway.provider(context.source).vendor_now())),
        shifted_ends=ends.groups(),
        unreadable=store.unreadable(_MOST_UNREADABLE),
        other_plans=store.other_plans(),
        differences=differences + unbalanced,
    )
