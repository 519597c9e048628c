"""Reads the parts of the source from the temporary database of a verification."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from voucher_gateway.migration.plan.assess import STOPPED
from voucher_gateway.migration.schema import RowState
from voucher_gateway.migration.verify.other_plans import OtherMove, OtherPlan, without_folder
from voucher_gateway.migration.verify.parts import PartTotal, SourcePart
from voucher_gateway.money import Money

PARTS_OF_STATES: Final[Mapping[RowState, SourcePart]] = {
    RowState.PLANNED: SourcePart.LEFT,
    RowState.WORKING: SourcePart.LEFT,
    RowState.MOVED: SourcePart.MOVED,
    RowState.CHANGED: SourcePart.CHANGED,
    RowState.REFUSED: SourcePart.REFUSED,
    RowState.IN_DOUBT: SourcePart.IN_DOUBT,
    RowState.UNDONE: SourcePart.BROUGHT_BACK,
    RowState.KEPT: SourcePart.KEPT,
}
"""The part of a voucher that is to be carried, by the state that a run has recorded."""


@attrs.frozen(kw_only=True)
class PartRow:
    """One voucher of the source, with what both accounts have for it now.

    Attributes:
        number: its number in the plan; None if it was added to the source since.
        source_id: its id at the source.
        part: what became of it.
        currency: its currency; None if its value is not known.
        before: its value by the plan.
        at_source: the value that the source has for it now.
        spendable: the part of it that can be spent now.
        source_ends: the end of its validity at the source now, as text.
        target_ids: its ids at the target, separated by spaces.
        at_target: the value that was issued for it at the target.
        left: the value that it has at the target now.
        target_ends: the end of its validity at the target now, as text.
        reason: what a run has recorded about it, and which other plan moves it.
    """

    number: int | None
    source_id: str
    part: SourcePart
    currency: str | None
    before: Money | None
    at_source: Money | None
    spendable: Money | None
    source_ends: str | None
    target_ids: str
    at_target: Money | None
    left: Money | None
    target_ends: str | None
    reason: str


# A voucher counts as spendable here as in `checks.is_spendable_now`: active, and its validity has not ended.
_VOUCHERS: Final = f"""
WITH issued AS (
    SELECT number, sum(coalesce(target.initial, target.remaining)) AS issued, sum(coalesce(used, 0)) AS used,
        sum(target.remaining) AS left, group_concat(target.id, ' ') AS ids, min(target.ends) AS ends
    FROM joined JOIN target USING (id) JOIN planned USING (number) WHERE target.currency = planned.currency
    GROUP BY number
), known AS (
    SELECT number, CASE WHEN plan_id NOTNULL THEN :another WHEN issued.number IS NULL THEN coalesce(state, :left_behind)
            WHEN state = :left_behind THEN :doubt ELSE coalesce(state, :moved) END AS part,
        currency, minor, source_id, issued, used, left, ids, ends, reason
    FROM planned LEFT JOIN issued USING (number) LEFT JOIN other_moves USING (source_id)
    UNION ALL SELECT number, CASE WHEN plan_id NOTNULL THEN :another ELSE part END, currency, minor, source_id, 0, 0, 0,
        NULL, NULL, NULL FROM stays LEFT JOIN other_moves USING (source_id)
    UNION ALL SELECT NULL, added, currency, 0, id, 0, 0, 0, NULL, NULL, NULL FROM source WHERE added NOTNULL
), vouchers AS (
    SELECT known.*, source.listed AS listed_in_any, source.ends AS source_ends,
        CASE WHEN source.currency = known.currency THEN listed END AS listed,
        CASE WHEN source.currency = known.currency AND (source.ends IS NULL OR source.ends > :now)
            AND coalesce(status, '') NOT IN ({", ".join(f"'{status}'" for status in sorted(STOPPED))})
            THEN listed END AS spendable
    FROM known LEFT JOIN source ON source.id = known.source_id
)
"""  # noqa: S608 - constants
_TOTALS: Final = f"""{_VOUCHERS}
SELECT part, currency, count(*), sum(listed_in_any IS NULL), sum(minor), sum(listed), sum(spendable), sum(issued),
    sum(used), sum("left")
FROM vouchers GROUP BY part, currency
"""  # noqa: S608 - constants
_ROWS: Final = f"""{_VOUCHERS}
SELECT number, source_id, part, currency, minor, listed, spendable, source_ends, ids, issued, "left", ends, reason,
    plan_id, to_account, to_id
FROM vouchers LEFT JOIN other_moves USING (source_id) ORDER BY number IS NULL, number, source_id
"""  # noqa: S608 - constants

_OTHER_PLANS: Final = """
SELECT plan_id, to_account, currency, count(*), sum(minor) FROM other_moves LEFT JOIN (
    SELECT source_id, currency, minor FROM planned UNION ALL SELECT source_id, currency, minor FROM stays
) USING (source_id) GROUP BY plan_id, to_account, currency ORDER BY plan_id, to_account, currency
"""
_NUMBERS: Final = f"{_VOUCHERS} SELECT number FROM vouchers WHERE part = :part AND number NOTNULL"  # noqa: S608


def select_numbers(connection: sqlite3.Connection, source_now: str, part: SourcePart) -> frozenset[int]:
    """Return the numbers of the vouchers of one part."""
    rows = connection.execute(_NUMBERS, {**_parameters(source_now), "part": part.value})
    return frozenset(int(row[0]) for row in rows)


def select_parts(connection: sqlite3.Connection, source_now: str) -> tuple[PartTotal, ...]:
    """Return the totals of all parts, by currency."""
    totals = [_part_total(row) for row in connection.execute(_TOTALS, _parameters(source_now))]
    return tuple(sorted(totals, key=_part_order))


def select_rows(connection: sqlite3.Connection, source_now: str) -> Iterator[PartRow]:
    """Yield all vouchers, in the order of the plan; at the end those that the plan does not have."""
    for row in connection.execute(_ROWS, _parameters(source_now)):
        number, source_id, part, currency, minor, listed, spendable, source_ends, ids, issued, left, ends, *rest = row
        reason, *move = rest
        other_text = None if move[0] is None else OtherMove(*move).text
        yield PartRow(
            number=number,
            source_id=source_id,
            part=SourcePart(part),
            currency=currency,
            before=_money(minor, currency),
            at_source=_money(listed, currency),
            spendable=_money(spendable if listed is None else spendable or 0, currency),
            source_ends=source_ends,
            target_ids=ids or "",
            at_target=_money(issued, currency),
            left=_money(left, currency),
            target_ends=ends,
            reason="; ".join(filter(None, (reason, other_text))),
        )


def select_other_plans(connection: sqlite3.Connection) -> tuple[OtherPlan, ...]:
    """Return the other plans that move vouchers of the source, and how many, by plan and account."""
    plans: dict[tuple[str, str | None], OtherPlan] = {}
    for plan_id, account, currency, count, minor in connection.execute(_OTHER_PLANS):
        key = plan_id, without_folder(account)
        before = plans.get(key, OtherPlan(plan_id=plan_id, target=key[1], count=0, money={}))
        money = {} if currency is None else {currency: Money.from_minor(minor, currency)}
        plans[key] = attrs.evolve(before, count=before.count + count, money={**before.money, **money})
    return tuple(plans.values())


def _parameters(source_now: str) -> dict[str, str]:
    return {
        "now": source_now,
        "moved": SourcePart.MOVED.value,
        "left_behind": SourcePart.LEFT.value,
        "doubt": SourcePart.IN_DOUBT.value,
        "another": SourcePart.ANOTHER_PLAN.value,
    }


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money.from_minor(minor, currency)


def _part_total(row: tuple[Any, ...]) -> PartTotal:
    part, currency, count, not_listed, *units = row
    names = ("before", "at_source", "spendable", "at_target", "used", "left")
    amounts = {name: _money(minor or 0, currency) for name, minor in zip(names, units, strict=True)}
    return PartTotal(part=SourcePart(part), currency=currency, count=count, not_listed=not_listed, **amounts)


def _part_order(total: PartTotal) -> tuple[str, int]:
    return total.currency or "", list(SourcePart).index(total.part)
