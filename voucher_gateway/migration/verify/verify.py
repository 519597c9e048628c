"""Proves the result of a migration: reads both sides again and compares them with the plan.

The source and the target are listed, and the vouchers are joined with the plan in a temporary file. A voucher at the
target is recognised by the fingerprint of its code. If it got a new code, which the plan cannot know, or if the target
does not show its code, it is recognised by the id in the journal's record of its issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import VoucherNotFound
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import PlanState
from voucher_gateway.migration.verify.checks import Difference, check_all
from voucher_gateway.migration.verify.store import ListedVoucher, VerificationStore, ends_text
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money


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
        rolled_back: whether the plan was rolled back. Then the vouchers are expected at the source.
        vouchers: the number of carried vouchers.
        as_expected: the number of these without a difference.
        codes_not_compared: the number that was recognised at the target by ids, because the target does not show codes.
        totals: the sums by currency.
        differences: all differences.
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
        """Whether there are no differences."""
        return not self.differences


def verify_plan(gateway: Gateway, plan: Path | Plan) -> Verification:
    """Read both sides of a plan again, and compare them with the plan.

    Memory does not grow with the number of vouchers: they are stored in a temporary file. A plan that was rolled back
    is compared with its source.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.

    Raises:
        ConfigurationError: if the plan was changed, or is for other accounts.
        VoucherGatewayError: if a side cannot be read.
    """
    with open_plan(plan) as opened, closing(VerificationStore()) as store:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        rolled_back = state.plan_state() is PlanState.ROLLED_BACK
        store.plan(opened.carried_vouchers())
        read_target(context, store)
        read_source(context, store)
        differences = tuple(check_all(context, store, rolled_back=rolled_back))
        totals = {currency: Total(**parts) for currency, parts in store.totals().items()}
        vouchers, not_compared = store.count(), store.count_unmatched_codes()
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


_CLOCKS_APART: Final = timedelta(days=1)
"""A voucher that was created at the target this long before the plan is not one of the plan."""


def read_target(context: MigrationContext, store: VerificationStore) -> None:
    """Read all vouchers of the target that may be those of the plan, with their codes."""
    store.add_issued_ids(_issued_by_plan(context))
    with context.gateway.vouchers(context.target, _created_since_plan(context)) as listing:
        store.target(_with_codes(context, listing, store.key_id))
    store.match_vouchers()


def _issued_by_plan(context: MigrationContext) -> Iterator[tuple[int, str]]:
    """Yield the number and the id at the target of each voucher that the plan has issued, as the journal knows."""
    for step, voucher_id in context.journal.iterate_issued_by_plan(context.target, context.plan_id):
        yield int(step.partition(".")[0]), voucher_id


def _created_since_plan(context: MigrationContext) -> VoucherQuery | None:
    """Return a query for recent vouchers, if the vendor can filter them: each code may take a request."""
    if "created_from" not in context.target_can.listing.filters:
        return None
    return VoucherQuery(created_from=context.header.made_at - _CLOCKS_APART)


def _with_codes(
    context: MigrationContext, listed: Iterable[Voucher], key_id: str | None
) -> Iterator[tuple[ListedVoucher, str | None]]:
    keys = context.journal.keys

    def read_with_code(voucher: Voucher) -> tuple[ListedVoucher, str | None] | None:
        seen = VoucherReading(voucher=voucher, remaining=voucher.remaining)
        if (voucher.code is None and context.target_can.codes.readable) or voucher.remaining is None:
            try:
                seen = context.read(context.target, voucher.id)
            except VoucherNotFound:
                return None
        code = seen.voucher.code
        mark = None if code is None else fingerprint(keys, code, key_id)
        return _listed_voucher(seen), mark

    yield from (reading for reading in context.ordered_map(read_with_code, listed) if reading is not None)


def read_source(context: MigrationContext, store: VerificationStore) -> None:
    """Read the planned vouchers at the source: from its list, and one by one if they are not in it."""
    with context.gateway.vouchers(context.source) as listing:
        seen = (VoucherReading(voucher=voucher, remaining=voucher.remaining) for voucher in listing)
        store.source(_listed_voucher(reading) for reading in seen if reading.remaining is not None)

    def read_one(id: str) -> ListedVoucher | None:
        try:
            return _listed_voucher(context.read(context.source, id))
        except VoucherNotFound:
            return None  # deleted, so it cannot be spent

    missing = context.ordered_map(read_one, store.not_at_source())
    store.source(voucher for voucher in missing if voucher is not None)


def _listed_voucher(seen: VoucherReading) -> ListedVoucher:
    voucher = seen.voucher
    return ListedVoucher(
        id=voucher.id,
        initial=voucher.initial,
        remaining=seen.remaining,
        ends=ends_text(voucher),
        status=None if voucher.status is None else voucher.status.value,
    )
