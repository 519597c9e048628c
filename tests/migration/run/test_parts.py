"""A verification shows the whole source, in parts: to the cent what the vendors' own ledgers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest
import sqlalchemy as sa

from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.ledger import Ledger
from tests.support.long import first
from voucher_gateway.migration import Action, Policy, read_vouchers, rollback_plan, verify_plan
from voucher_gateway.migration.schema import vouchers
from voucher_gateway.migration.verify.parts import CurrencySummary, PartTotal, SourcePart, summarize
from voucher_gateway.money import Money
from voucher_gateway.provider_api import NewVoucher

SKIPPING: Policy = attrs.evolve(ANYTHING, inactive=Action.SKIP)


def parts_of(pair: VendorPair) -> tuple[PartTotal, ...]:
    return verify_plan(pair.gateway, pair.path).parts


def counts(parts: tuple[PartTotal, ...]) -> Counter[SourcePart]:
    count: Counter[SourcePart] = Counter()
    for total in parts:
        count[total.part] += total.count
    return count


def values_of_ledger(pair: VendorPair) -> Counter[str]:
    values: Counter[str] = Counter()
    for voucher in Ledger(pair.source).vouchers().values():
        values[voucher.currency] += Money(voucher.remaining, voucher.currency).minor
    return values


def values(summaries: tuple[CurrencySummary, ...], name: str) -> dict[str, int]:
    return {summary.currency: getattr(summary, name).minor for summary in summaries}


@pytest.mark.parametrize("direction", first([("jtl", "ticketing"), ("ticketing", "jtl")]))
def test_before_is_the_whole_ledger_of_the_source_and_the_parts_add_up(
    make_pair: Callable[..., VendorPair], direction: tuple[str, str]
) -> None:
    pair = make_pair(*direction, vouchers=60)
    ledger = values_of_ledger(pair)
    pair.plan(SKIPPING)
    pair.run()
    parts = parts_of(pair)
    summaries = summarize(parts)
    assert +Counter(values(summaries, "before")) == +ledger
    for summary in summaries:
        assert summary.before == summary.moved + summary.stays + summary.in_doubt
        assert not summary.difference
        assert summary.at_source == summary.stays
    assert set(counts(parts)) <= {SourcePart.MOVED, SourcePart.SKIPPED, SourcePart.NOT_ACCEPTED}
    assert sum(counts(parts).values()) == 60


def test_what_stays_keeps_its_value_in_the_table_and_only_what_was_moved_is_zero_at_the_source(
    pair: VendorPair,
) -> None:
    pair.plan(SKIPPING)
    pair.run()
    for total in parts_of(pair):
        if total.part is SourcePart.MOVED:
            assert not total.held_at_source
            assert total.at_source == total.before == total.at_target  # it rests there, frozen
        else:
            assert total.held_at_source == total.before


def test_a_pilot_leaves_the_rest_in_a_part_with_its_value(pair: VendorPair) -> None:
    pair.plan()
    report = pair.run(limit=2)
    parts = parts_of(pair)
    assert counts(parts)[SourcePart.MOVED] == 2
    assert counts(parts)[SourcePart.LEFT] == report.left
    (left,) = (total for total in parts if total.part is SourcePart.LEFT)
    assert left.held_at_source == left.before


def test_a_voucher_that_was_spent_before_its_move_is_a_part_with_both_values(pair: VendorPair) -> None:
    pair.plan()
    planned = next(
        voucher
        for voucher in read_vouchers(pair.path)
        if voucher.action is Action.CARRY and voucher.remaining is not None and voucher.remaining.amount > 5
    )
    seen = pair.gateway.get("source", planned.source_id, secrets=True)
    assert seen.code is not None
    pair.gateway.redeem("source", seen.code, Money("1.25", "EUR"), seen.pin, reference="purchase")
    pair.run()
    (changed,) = (total for total in parts_of(pair) if total.part is SourcePart.CHANGED)
    assert (changed.count, changed.before) == (1, planned.remaining)
    assert changed.before is not None
    assert changed.at_source == changed.spendable == changed.before - Money("1.25", "EUR")


def test_a_voucher_that_was_issued_since_the_plan_is_named_as_that(pair: VendorPair) -> None:
    pair.plan()
    pair.gateway.issue("source", NewVoucher(initial=Money("7.77", "EUR")), reference="sale", order="1")
    pair.run()
    parts = parts_of(pair)
    (added,) = (total for total in parts if total.part is SourcePart.ISSUED_SINCE)
    assert (added.count, added.before, added.at_source) == (1, Money("0.00", "EUR"), Money("7.77", "EUR"))
    (summary,) = (summary for summary in summarize(parts) if summary.currency == "EUR")
    assert summary.added == Money("7.77", "EUR")
    assert summary.at_source == summary.stays + summary.added


def test_vouchers_of_an_earlier_plan_are_no_new_ones(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=3)
    earlier = pair.path
    pair.path = earlier.with_name("second.jsonl")
    pair.plan(after=earlier)
    parts = parts_of(pair)
    assert counts(parts)[SourcePart.ANOTHER_PLAN] == 3
    assert SourcePart.ISSUED_SINCE not in counts(parts)


def test_without_the_records_of_the_run_the_parts_are_found_at_the_vendors(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=2)
    before = parts_of(pair)
    assert pair.gateway.journal is not None
    with pair.gateway.journal.database.write() as connection:
        connection.execute(sa.delete(vouchers))
    assert parts_of(pair) == before


def test_after_a_rollback_everything_is_at_the_source_again(pair: VendorPair) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    parts = parts_of(pair)
    (back,) = (total for total in parts if total.part is SourcePart.BROUGHT_BACK)
    assert back.held_at_source == back.before
    assert not back.left


def test_a_creation_that_was_cut_off_is_in_doubt(pair: VendorPair) -> None:
    pair.plan()
    pair.target.inject("drop-before", "POST /api/vouchers", times=1)
    assert pair.run().in_doubt == 1
    parts = parts_of(pair)
    (doubt,) = (total for total in parts if total.part is SourcePart.IN_DOUBT)
    assert doubt.count == 1
    assert doubt.at_source == doubt.before
    assert doubt.spendable == Money(Decimal(0), "EUR")
    (summary,) = (summary for summary in summarize(parts) if summary.currency == "EUR")
    assert summary.in_doubt == doubt.before
