"""A certificate has the amounts of the vendors' own ledgers, to the cent, whatever happened during the move."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from tests.migration.certificate.conftest import KEEPING_CODES, EventfulMove
from tests.migration.run.conftest import make_pair as make_pair
from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.ledger import Ledger
from tests.support.long import first
from voucher_gateway.migration import Recode, RowState, VerificationProgress, rollback_plan
from voucher_gateway.migration.certificate.make import make_certificate
from voucher_gateway.migration.certificate.model import Verdict
from voucher_gateway.migration.plan.plan_file import open_plan
from voucher_gateway.migration.schema import Work
from voucher_gateway.migration.verify.checks import DifferenceKind
from voucher_gateway.migration.verify.parts import PartTotal, SourcePart
from voucher_gateway.money import Money


def test_each_total_is_that_of_both_ledgers(eventful_move: EventfulMove) -> None:
    move = eventful_move
    source, target = Ledger(move.pair.source).vouchers(), Ledger(move.pair.target).vouchers()
    before, moved, stays, issued, at_source = (Counter[str]() for _ in range(5))
    for code, voucher in move.before.items():
        currency, cents = voucher.currency, minor(voucher.remaining)
        before[currency] += cents
        if code in target:
            moved[currency] += cents
            issued[currency] += minor(target[code].remaining)
            assert not source[code].spendable
        else:
            at_source[currency] += minor(source[code].remaining)
            if code != move.in_doubt:
                stays[currency] += cents
    issued["EUR"] += move.spent_after.minor
    at_source["EUR"] += move.sold.minor
    in_doubt = Counter({"EUR": minor(move.before[move.in_doubt].remaining)})

    certificate = make_certificate(move.pair.gateway, move.pair.path)

    assert {summary.currency for summary in certificate.currencies} == set(before)
    for summary in certificate.currencies:
        currency = summary.currency
        assert summary.before.minor == before[currency] * scale(currency)
        assert summary.moved.minor == moved[currency] * scale(currency)
        assert summary.at_target.minor == issued[currency] * scale(currency)
        assert summary.stays.minor == stays[currency] * scale(currency)
        assert summary.in_doubt.minor == in_doubt[currency] * scale(currency)
        assert summary.at_source.minor == at_source[currency] * scale(currency)
        assert not summary.difference
    assert certificate.verdict is Verdict.IN_DOUBT


def minor(amount: Decimal) -> int:
    return int(amount * 100)


def scale(currency: str) -> Decimal:
    """Return how many of the smallest units of a currency are a hundredth of the unit."""
    return {"JPY": Decimal("0.01"), "BHD": Decimal(10), "KWD": Decimal(10)}.get(currency, Decimal(1))


def test_the_list_of_all_vouchers_has_the_ledger_of_the_source_line_by_line(eventful_move: EventfulMove) -> None:
    file = io.BytesIO()
    certificate = make_certificate(eventful_move.pair.gateway, eventful_move.pair.path, voucher_list=file)
    assert hashlib.sha256(file.getvalue()).hexdigest() == certificate.rows_sha256
    rows = {row["source_id"]: row for row in csv.DictReader(io.StringIO(file.getvalue().decode()))}
    entries = {str(entry["id"]): entry for entry in eventful_move.pair.source.ledger()}
    assert rows.keys() == entries.keys()
    assert len(rows) == certificate.rows
    for id, row in rows.items():
        assert Decimal(row["at_source"]) == Decimal(str(entries[id]["remaining"]))
        assert row["currency"] == entries[id]["currency"]
    became = Counter(row["became"] for row in rows.values())
    assert became == {total.part.value: count_of(certificate.parts, total.part) for total in certificate.parts}
    assert became["issued-since-plan"] == became["changed"] == became["in-doubt"] == 1


def count_of(parts: tuple[PartTotal, ...], part: SourcePart) -> int:
    return sum(total.count for total in parts if total.part is part)


def test_it_names_who_did_what_and_when(eventful_move: EventfulMove) -> None:
    certificate = make_certificate(eventful_move.pair.gateway, eventful_move.pair.path, by="Cleo")
    assert [(record.work, record.performed_by) for record in certificate.runs] == [
        (Work.RUN, "Ann"),
        (Work.RUN, "Ben"),
        (Work.CERTIFICATE, "Cleo"),
    ]
    assert certificate.made_by == "Cleo"


def test_a_finished_move_is_complete(pair: VendorPair) -> None:
    pair.move()
    certificate = make_certificate(pair.gateway, pair.path)
    assert certificate.verdict is Verdict.COMPLETE
    assert certificate.difference_count == 0


def test_a_move_that_was_rolled_back_is_certified_as_that(pair: VendorPair) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    assert make_certificate(pair.gateway, pair.path).verdict is Verdict.ROLLED_BACK


def test_a_source_that_can_be_spent_again_is_different(pair: VendorPair) -> None:
    pair.move()
    moved = [id for id in Ledger(pair.source).codes() if pair.gateway.find_moved("source", id) is not None]
    pair.gateway.provider("source").activate(moved[0], reference="by-hand")
    certificate = make_certificate(pair.gateway, pair.path)
    assert certificate.verdict is Verdict.DIFFERENT
    assert certificate.differences


def test_a_decision_is_named_with_its_reason(eventful_move: EventfulMove) -> None:
    pair = eventful_move.pair
    (record,) = [
        record
        for record in pair.gateway.operations(account="target")
        if record.state.is_unresolved and record.key.reference.startswith("move-")
    ]
    pair.gateway.decide(record.key, succeeded=False, by="Dan", reason="support case 7")
    (decision,) = make_certificate(pair.gateway, pair.path).decisions
    assert (decision.by, decision.reason, decision.verb) == ("Dan", "support case 7", "issue")
    assert decision.reference == record.key.reference
    assert pair.run().in_doubt == 0  # the voucher is created now
    (decision,) = make_certificate(pair.gateway, pair.path).decisions
    assert (decision.by, decision.state, decision.reference) == ("Dan", "not_executed", record.key.reference)


def test_no_code_is_in_it(eventful_move: EventfulMove) -> None:
    file = io.BytesIO()
    certificate = make_certificate(eventful_move.pair.gateway, eventful_move.pair.path, voucher_list=file)
    text = file.getvalue().decode() + repr(certificate)
    assert not [code for code in eventful_move.before if code in text]


def test_a_voucher_in_doubt_is_not_called_lost_without_more(eventful_move: EventfulMove) -> None:
    pair = eventful_move.pair
    certificate = make_certificate(pair.gateway, pair.path)
    codes = Ledger(pair.source).codes()
    doubts = [
        difference.explanation
        for difference in certificate.differences
        if difference.source_id is not None and codes[difference.source_id] == eventful_move.in_doubt
    ]
    assert doubts
    assert all(explanation.startswith("it is in doubt: ") for explanation in doubts)


def test_a_plan_that_the_journal_does_not_know_is_not_complete(pair: VendorPair, tmp_path: Path) -> None:
    pair.move(KEEPING_CODES)
    pair.url = f"sqlite:///{tmp_path}/new.db"
    certificate = make_certificate(pair.another_gateway(), pair.path)
    assert certificate.verdict is Verdict.NOT_KNOWN
    assert certificate.state is None
    assert certificate.difference_count == 0  # both vendors have what the plan says
    for summary in certificate.currencies:
        assert summary.moved == summary.at_target


def test_a_new_code_that_no_record_names_is_a_difference_that_says_so(pair: VendorPair, tmp_path: Path) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    pair.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE))  # the target keeps the codes of the first move
    moved = pair.run().counts[RowState.MOVED]
    pair.url = f"sqlite:///{tmp_path}/new.db"
    certificate = make_certificate(pair.another_gateway(), pair.path)
    explanations = [difference.explanation for difference in certificate.differences if difference.number is not None]
    assert len(explanations) == moved > 0
    assert all(text.startswith("it gets a new code, and the journal has no record") for text in explanations)


@pytest.mark.parametrize("direction", first([("ticketing", "jtl"), ("jtl", "ticketing")]))
def test_vouchers_that_a_second_plan_moved_after_a_rollback_are_named_with_it_and_counted_once(
    make_pair: Callable[..., VendorPair], direction: tuple[str, str]
) -> None:
    pair = make_pair(*direction, vouchers=24)
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    first_plan, pair.path = pair.path, pair.path.with_name("second.jsonl")
    second_plan = pair.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE))
    moved = pair.run().moved

    first_certificate = make_certificate(pair.gateway, first_plan)
    assert first_certificate.verdict is Verdict.ROLLED_BACK
    assert first_certificate.difference_count == 0
    (other,) = first_certificate.other_plans
    assert (other.plan_id, other.target) == (second_plan.id, "target")
    assert {currency: money for currency, money in other.money.items() if money} == moved
    for summary in first_certificate.currencies:
        assert not summary.moved
        assert not summary.at_target
        assert summary.moved_by_others == moved.get(summary.currency, Money.zero(summary.currency))
        assert summary.before == summary.stays + summary.moved_by_others
    not_moved = Counter[str]()
    for entry in pair.source.ledger():
        if pair.gateway.find_moved("source", str(entry["id"])) is None:
            not_moved[str(entry["currency"])] += minor(Decimal(str(entry["remaining"])))
    for summary in first_certificate.currencies:
        assert summary.at_source.minor == not_moved[summary.currency] * scale(summary.currency)
    assert SourcePart.BROUGHT_BACK not in {total.part for total in first_certificate.parts}

    second_certificate = make_certificate(pair.gateway, pair.path)
    assert second_certificate.verdict is Verdict.COMPLETE
    assert {summary.currency: summary.moved for summary in second_certificate.currencies if summary.moved} == moved


@pytest.fixture
def overtaken_pair(pair: VendorPair) -> VendorPair:
    """A plan of which another plan has moved two vouchers, after it was made and before it was run."""
    pair.plan()
    first_plan, pair.path = pair.path, pair.path.with_name("second.jsonl")
    pair.plan()
    assert pair.run(limit=2).counts[RowState.MOVED] == 2
    pair.path = first_plan
    pair.run()
    return pair


def test_a_voucher_that_another_plan_moved_first_is_a_difference_that_names_it(overtaken_pair: VendorPair) -> None:
    certificate = make_certificate(overtaken_pair.gateway, overtaken_pair.path)
    assert certificate.verdict is Verdict.PARTIAL
    assert [difference.kind for difference in certificate.differences] == [DifferenceKind.ANOTHER_PLAN] * 2
    (other,) = certificate.other_plans
    assert all(other.plan_id[:12] in difference.explanation for difference in certificate.differences)
    for summary in certificate.currencies:
        assert summary.before == summary.moved + summary.stays + summary.moved_by_others
        assert not summary.difference


def test_a_voucher_that_another_plan_moved_and_that_can_be_spent_at_the_source_is_spendable_twice(
    overtaken_pair: VendorPair,
) -> None:
    pair = overtaken_pair
    codes = Ledger(pair.source).codes()
    moves = {id: move for id in codes if (move := pair.gateway.find_moved("source", id)) is not None}
    by_other = next(id for id, move in moves.items() if move.plan_id != read_plan_id(pair))
    pair.gateway.provider("source").activate(by_other, reference="by-hand")
    certificate = make_certificate(pair.gateway, pair.path)
    assert certificate.verdict is Verdict.DIFFERENT
    (twice,) = (one for one in certificate.differences if one.kind is DifferenceKind.SPENDABLE_TWICE)
    assert twice.source_id == by_other


def read_plan_id(pair: VendorPair) -> str:
    with open_plan(pair.path) as plan:
        return plan.id


def test_it_tells_how_far_it_is(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair(vouchers=150)
    pair.plan()
    pair.run(limit=1)
    reports: list[VerificationProgress] = []
    certificate = make_certificate(pair.gateway, pair.path, on_progress=reports.append)
    last = {report.work: (report.count, report.total) for report in reports}
    assert list(last) == ["read at target", "read at source", "compared", "written to the list"]
    assert last["read at source"] == last["written to the list"] == (certificate.rows, certificate.rows)
