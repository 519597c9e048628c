"""Proving what a migration came to, by reading both sides again; the run's own records are not asked.

The plan says what was to be. The source and the target are listed, what is found is joined with the plan in a file of
its own, and every difference is named. A voucher at the target is recognised by its code's fingerprint. Only where it
got a new code, which the plan cannot know, or the target does not show its code, the journal's record of its issuing
says which one it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.rows import PlanState
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.verify.checks import Difference, check_all
from voucher_gateway.migration.verify.readers import read_source, read_target
from voucher_gateway.migration.verify.store import VerificationStore
from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class Total:
    """What one currency came to.

    Attributes:
        before: the planned value.
        at_target: what was issued for it at the target.
        used: what was spent, given back or added there since, as the target's records tell it: negative where more
            was spent.
        left: what is on those vouchers now, without those that should be spendable and are not.
        at_source: what could still be spent at the source; after a rollback, what is there as it was before.
    """

    before: Money
    at_target: Money
    used: Money
    left: Money
    at_source: Money

    def is_balanced(self, *, source_whole: bool, copied: bool) -> bool:
        """Whether it adds up to the cent."""
        nothing = Money.zero(self.before.currency)
        if source_whole:
            return self.at_source == self.before and self.left == nothing
        kept = copied or self.at_source == nothing
        return kept and self.before == self.at_target and self.at_target + self.used == self.left


@attrs.frozen(kw_only=True)
class Verification:
    """What reading both sides again showed.

    Attributes:
        plan_id: the plan.
        rolled_back: whether the source is expected whole, as the plan was rolled back.
        vouchers: how many vouchers the plan carries.
        as_expected: how many of them are as they should be.
        codes_not_compared: how many of them were recognised at the target by their ids, as it shows no code of theirs.
        totals: by currency.
        differences: everything that is not as it should be.
    """

    plan_id: str
    rolled_back: bool
    vouchers: int
    as_expected: int
    codes_not_compared: int = 0
    totals: Mapping[str, Total] = attrs.field(hash=False)
    differences: tuple[Difference, ...]

    @property
    def proved(self) -> bool:
        """Whether everything is as it should be."""
        return not self.differences


def verify_plan(gateway: Gateway, plan: Path | Plan) -> Verification:
    """Read both sides of a plan again, and compare them with the plan.

    Memory stays flat: what is read goes into a temporary file. A plan that was rolled back is compared with its source.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.

    Raises:
        ConfigurationError: if the plan was changed, or is for other accounts.
        VoucherGatewayError: if a side cannot be read.
    """
    with open_plan(plan) as opened, closing(VerificationStore()) as evidence:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState(context.journal.database, opened.id, opened.header)
        rolled_back = state.plan_state() is PlanState.ROLLED_BACK
        evidence.plan(opened.carried_vouchers())
        read_target(context, evidence)
        read_source(context, evidence)
        differences = tuple(check_all(context, evidence, rolled_back=rolled_back))
        totals = {currency: Total(**parts) for currency, parts in evidence.totals().items()}
        vouchers, not_compared = evidence.count(), evidence.count_unmatched_codes()
    wrong = Counter(difference.number for difference in differences if difference.number is not None)
    unbalanced = tuple(
        Difference.of_total(currency, attrs.asdict(total, recurse=False))
        for currency, total in totals.items()
        if not total.is_balanced(source_whole=rolled_back, copied=context.leaves_source)
    )
    return Verification(
        plan_id=context.plan_id,
        rolled_back=rolled_back,
        vouchers=vouchers,
        as_expected=vouchers - len(wrong),
        codes_not_compared=not_compared,
        totals=totals,
        differences=differences + unbalanced,
    )
