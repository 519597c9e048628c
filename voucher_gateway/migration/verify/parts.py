"""The whole source after a migration, in parts: what was moved, what stayed and why, and what was added since."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

import attrs

from voucher_gateway.money import Money


class SourcePart(enum.StrEnum):
    """What became of a voucher of the source.

    The run's record names the part; without a record it is `MOVED` if the target has the voucher, and otherwise `LEFT`.
    All amounts are read from the vendors.

    Attributes:
        MOVED: it was moved to the target.
        KEPT: it was moved, and a rollback could not bring it back.
        IN_DOUBT: the outcome of a step is unknown, or the move was interrupted after the target had it.
        LEFT: it is to be moved, and has not been moved yet.
        CHANGED: it was not moved, because it had changed since the plan.
        REFUSED: it was not moved, because a vendor or a rule refused it during the run.
        BROUGHT_BACK: a rollback brought it back.
        SKIPPED: the policy leaves it at the source.
        NOT_ACCEPTED: the plan refuses it, because the policy does not provide for it.
        UNREADABLE: its value is not known.
        ISSUED_SINCE: it is at the source and not in the plan.
        ANOTHER_PLAN: another plan moves it, or has moved it.
    """

    MOVED = "moved"
    KEPT = "kept-at-target"
    IN_DOUBT = "in-doubt"
    LEFT = "left"
    CHANGED = "changed"
    REFUSED = "refused-in-run"
    BROUGHT_BACK = "brought-back"
    SKIPPED = "skipped"
    NOT_ACCEPTED = "refused-by-plan"
    UNREADABLE = "unreadable"
    ISSUED_SINCE = "issued-since-plan"
    ANOTHER_PLAN = "moved-by-another-plan"


AT_TARGET: Final = (SourcePart.MOVED, SourcePart.KEPT)
"""The parts that are at the target."""
ADDED: Final = (SourcePart.ISSUED_SINCE, SourcePart.ANOTHER_PLAN)
"""The parts that do not count as vouchers that stay."""


@attrs.frozen(kw_only=True)
class PartTotal:
    """The vouchers of one part and one currency.

    Attributes:
        part: what became of them.
        currency: their currency; None if their value is not known. Then all amounts are None.
        count: the number of vouchers.
        before: their value by the plan.
        at_source: the value that the source has for them now, whether it can be spent or not.
        spendable: the part of it that can be spent now.
        at_target: the value that was issued for them at the target.
        used: the change of that value since; negative if it was spent.
        left: the value that they have at the target now.
        not_listed: the number of those that the source does not have any more, or whose value it does not show.
    """

    part: SourcePart
    currency: str | None
    count: int
    before: Money | None = None
    at_source: Money | None = None
    spendable: Money | None = None
    at_target: Money | None = None
    used: Money | None = None
    left: Money | None = None
    not_listed: int = 0

    @property
    def held_at_source(self) -> Money | None:
        """The value that counts at the source. The rest of a moved voucher does not count if it cannot be spent."""
        return self.spendable if self.part in (*AT_TARGET, SourcePart.ANOTHER_PLAN) else self.at_source


@attrs.frozen(kw_only=True)
class CurrencySummary:
    """The whole source in one currency. `before` is the sum of `moved`, `stays`, `moved_by_others` and `in_doubt`.

    Attributes:
        currency: the currency.
        before: the value of all vouchers of the source by the plan.
        moved: the part of it that was moved.
        stays: the part of it that was not moved.
        moved_by_others: the part of it that other plans move or have moved. Their certificates prove it.
        in_doubt: the part of it that is in doubt.
        at_target: the value that was issued at the target for what was moved.
        difference: `moved` minus `at_target`.
        at_source: the value that counts at the source now, with what was issued since.
        added: the part of `at_source` that was issued since the plan.
    """

    currency: str
    before: Money
    moved: Money
    stays: Money
    moved_by_others: Money
    in_doubt: Money
    at_target: Money
    difference: Money
    at_source: Money
    added: Money


def summarize(parts: Iterable[PartTotal]) -> tuple[CurrencySummary, ...]:
    """Return a summary for each currency, the largest value first."""
    by_currency: dict[str, list[PartTotal]] = {}
    for total in parts:
        if total.currency is not None:
            by_currency.setdefault(total.currency, []).append(total)
    summaries = [_summary(currency, totals) for currency, totals in by_currency.items()]
    return tuple(sorted(summaries, key=_by_value))


def _summary(currency: str, totals: list[PartTotal]) -> CurrencySummary:
    moved = [total for total in totals if total.part in AT_TARGET]
    in_doubt = [total for total in totals if total.part is SourcePart.IN_DOUBT]
    stays = [total for total in totals if total.part not in (*AT_TARGET, *ADDED, SourcePart.IN_DOUBT)]
    added = [total for total in totals if total.part is SourcePart.ISSUED_SINCE]
    moved_value = _sum(currency, (total.before for total in moved))
    at_target = _sum(currency, (total.at_target for total in moved))
    return CurrencySummary(
        currency=currency,
        before=_sum(currency, (total.before for total in totals)),
        moved=moved_value,
        stays=_sum(currency, (total.before for total in stays)),
        moved_by_others=_sum(currency, (total.before for total in totals if total.part is SourcePart.ANOTHER_PLAN)),
        in_doubt=_sum(currency, (total.before for total in in_doubt)),
        at_target=at_target,
        difference=moved_value - at_target,
        at_source=_sum(currency, (total.held_at_source for total in totals)),
        added=_sum(currency, (total.at_source for total in added)),
    )


def _sum(currency: str, amounts: Iterable[Money | None]) -> Money:
    total = Money.zero(currency)
    for amount in amounts:
        if amount is not None:
            total += amount
    return total


def _by_value(summary: CurrencySummary) -> tuple[int, str]:
    """Return the key that sorts by value in whole units of the currency, the largest first."""
    return -int(summary.before.amount), summary.currency
