"""Plans between two simulated vendors, over real HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.migration.plan.conftest import ALL, TEXTS, Vendors, only, remaining_by_currency
from voucher_gateway import Gateway
from voucher_gateway.migration import (
    Action,
    Kind,
    PlanProgress,
    Recode,
    Retire,
    Step,
    find_unaccepted_risks,
    make_plan,
    read_summary,
    read_vouchers,
    run_plan,
)
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.plan.scan import listing_of
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.provider_api import Code, ConfigurationError, InvalidRequest, Money, VoucherGatewayError
from voucher_gateway.testing.harness.canary import Canary

# --- the whole estate ---


@pytest.mark.parametrize(("source", "target"), [("shop", "events"), ("events", "shop")])
def test_every_voucher_is_in_the_plan_once_and_nothing_changes_at_either_vendor(
    make_vendors: Callable[..., Vendors], source: str, target: str
) -> None:
    vendors = make_vendors(jtl_vouchers=120, ticketing_vouchers=60)
    truth = vendors.jtl.ledger() if source == "shop" else vendors.ticketing.ledger()
    before = vendors.jtl.ledger(), vendors.ticketing.ledger()
    summary, planned = vendors.plan(source, target, ALL)
    assert [one.source_id for one in planned] == [one["id"] for one in truth]
    assert [one.number for one in planned] == list(range(1, len(truth) + 1))
    assert {one.currency: one.amount for one in summary.totals.all.money.values()} == remaining_by_currency(truth)
    assert summary.totals.listing.consistent is True
    assert vendors.changes() == []
    assert (vendors.jtl.ledger(), vendors.ticketing.ledger()) == before


def test_totals_are_the_sums_of_the_lines(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(jtl_vouchers=150)
    summary, planned = vendors.plan(policy=ALL)
    for action in Action:
        mine = [one for one in planned if one.action is action]
        assert summary.totals.of(action).count == len(mine)
        for currency, money in summary.totals.of(action).money.items():
            values = [one.remaining for one in mine if one.remaining and one.remaining.currency == currency]
            assert sum((one.amount for one in values), Decimal(0)) == money.amount
    assert summary.totals.of(Action.CARRY).count > 10
    assert {one.kind for one in planned} >= {Kind.EMPTY, Kind.EXPIRED, Kind.INACTIVE, Kind.PARTLY_USED, Kind.UNUSED}
    assert sum(one.count for one in summary.totals.kinds.values()) == 150
    assert sum(one.count for one in summary.totals.months.values()) == 150


def test_the_strictest_policy_says_of_each_voucher_why_it_stays(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(jtl_vouchers=60)
    summary, planned = vendors.plan()
    assert all(one.reasons for one in planned if one.action is not Action.CARRY)
    assert summary.totals.of(Action.SKIP).count == 0
    assert set(summary.totals.losses_of_refused) >= TEXTS


# --- single vouchers ---


def test_a_voucher_is_known_by_its_fingerprint_and_never_by_its_code(vendors: Vendors) -> None:
    made = vendors.issue_at_jtl(code="GIFT-7K2M-9QXD")
    summary, planned = vendors.plan(policy=ALL)
    one = only(planned)
    journal = vendors.gateway.journal
    assert journal is not None
    assert one.source_id == made["id"]
    assert one.fingerprint == fingerprint(journal.keys, Code("GIFT-7K2M-9QXD"))
    assert one.key_id == journal.keys.newest
    assert one.code == "••••9QXD"
    assert "GIFT-7K2M" not in summary.path.read_text("utf-8")


def test_what_is_left_is_carried_and_not_what_was_there_at_first(vendors: Vendors) -> None:
    vendors.issue_at_jtl("80.00", code="GIFT-7K2M-9QXD")
    vendors.gateway.redeem("shop", "GIFT-7K2M-9QXD", Money("29.99", "EUR"), reference="1")
    _, planned = vendors.plan(policy=ALL)
    one = only(planned)
    assert (one.kind, one.initial) == (Kind.PARTLY_USED, Money("80.00", "EUR"))
    assert one.destination is not None
    assert one.destination.value == Money("50.01", "EUR")


def test_a_reservation_of_ours_keeps_a_voucher_back_until_it_is_over(vendors: Vendors) -> None:
    vendors.issue_at_jtl(code="GIFT-7K2M-9QXD")
    vendors.gateway.reserve("shop", "GIFT-7K2M-9QXD", Money("10.00", "EUR"), reference="r")
    assert only(vendors.plan(policy=ALL)[1]).kind is Kind.RESERVED
    assert only(vendors.plan(policy=ALL)[1]).action is Action.REFUSE
    vendors.jtl.clock.advance(7200)
    assert only(vendors.plan(policy=ALL)[1]).kind is Kind.UNUSED


def test_codes_that_the_login_may_not_read_are_refused(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(scopes=("read", "read-lists", "use"), jtl_vouchers=20)
    summary, planned = vendors.plan(policy=ALL)
    assert summary.totals.of(Action.CARRY).count == 0
    refused = [one for one in planned if one.kind is Kind.UNREADABLE]
    assert refused
    assert {one.reasons for one in refused} == {("its code cannot be read",)}
    assert not [one for one in vendors.jtl.requests if one.path.endswith("/complete")]


def test_secrets_are_read_only_of_vouchers_that_may_be_carried(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(jtl_vouchers=80)
    _, planned = vendors.plan(policy=ALL)
    kinds = {one.source_id: one.kind for one in planned}
    read = [one.path for one in vendors.jtl.requests if one.path.endswith("/complete")]
    assert len(read) == sum(kind not in (Kind.EMPTY, Kind.EXPIRED) for kind in kinds.values())


def test_a_voucher_in_another_currency_than_the_targets_stays(vendors: Vendors) -> None:
    vendors.issue_at_jtl(currency="CHF")
    assert only(vendors.plan(policy=ALL)[1]).reasons == ("it is in CHF, and the target has EUR only",)


# --- completeness ---


def test_a_source_that_changes_while_it_is_listed_must_be_accepted_by_name(
    make_vendors: Callable[..., Vendors],
) -> None:
    vendors = make_vendors(ticketing_vouchers=60, page_size=10)
    vendors.ticketing.inject("insert-while-paging", match="GET /api/vouchers", after=3)
    summary, _ = vendors.plan("events", "shop", ALL)
    assert summary.totals.listing.consistent is False
    assert list(find_unaccepted_risks(summary.header, summary.totals)) == ["inconsistent-listing"]
    assert find_unaccepted_risks(summary.header, summary.totals, "inconsistent-listing") == {}


def test_a_voucher_that_goes_at_jtl_cannot_hide_behind_one_that_comes(make_vendors: Callable[..., Vendors]) -> None:
    """JTL pages by number, without overlap; but it filters by creation, so what comes later leaves the total alone."""
    vendors = make_vendors(page_size=2)
    made = [vendors.issue_at_jtl(status="inactive") for _ in range(40)]
    provider = vendors.gateway.provider("shop")
    provider.check()
    with listing_of(provider, dated=True) as listing:
        next(listing)
        vendors.jtl.clock.advance(60)
        vendors.issue_at_jtl()
        vendors.delete_at_jtl(made[0]["id"])
        assert len(list(listing)) < 40
    assert listing.report.consistent is False


def test_vouchers_that_are_made_at_jtl_while_it_is_listed_are_left_for_the_next_plan(
    make_vendors: Callable[..., Vendors],
) -> None:
    vendors = make_vendors(page_size=2, jtl_vouchers=40)
    provider = vendors.gateway.provider("shop")
    provider.check()
    with listing_of(provider, dated=True) as listing:
        next(listing)
        vendors.jtl.clock.advance(60)
        vendors.issue_at_jtl()
        assert len(list(listing)) == 39
    assert listing.report.consistent is True


# --- what can be spent twice ---


def test_between_vendors_without_status_the_window_is_the_largest_vouchers_at_a_time(
    make_vendors: Callable[..., Vendors], tmp_path: Path
) -> None:
    vendors, others = make_vendors(ticketing_vouchers=1), make_vendors()
    for amount in ("10.00", "70.00", "30.00", "50.00"):
        vendors.issue_at_ticketing(amount)
    both = {"events": vendors.gateway.provider("events"), "others": others.gateway.provider("events")}
    gateway = Gateway(both, journal=f"sqlite:///{tmp_path}/both.db")
    summary = make_plan(gateway, "events", "others", tmp_path / "both.plan", policy=ALL, workers=2)
    largest = sorted((one.minor for one in _values(summary.path)), reverse=True)[:2]
    assert summary.header.steps == (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE)
    assert summary.totals.double_spendable == {"EUR": Money.from_minor(sum(largest), "EUR")}
    assert list(find_unaccepted_risks(summary.header, summary.totals)) == ["spendable-twice"]
    named = attrs.evolve(ALL, accept={"spendable-twice"})
    accepted = make_plan(gateway, "events", "others", tmp_path / "both.plan", policy=named)
    assert find_unaccepted_risks(accepted.header, accepted.totals) == {}
    assert gateway.journal is not None
    gateway.journal.close()


def _values(path: Path) -> list[Money]:
    return [one.remaining for one in read_vouchers(path) if one.action is Action.CARRY and one.remaining]


def test_a_copy_between_two_vendors_doubles_all_of_it(vendors: Vendors) -> None:
    vendors.issue_at_jtl("50.00")
    vendors.issue_at_jtl("20.00")
    summary, _ = vendors.plan(policy=ALL, copy=True, workers=1)
    assert summary.totals.double_spendable == {"EUR": Money("70.00", "EUR")}
    assert "70.00 EUR permanently" in find_unaccepted_risks(summary.header, summary.totals)["spendable-twice"]


def test_a_frozen_source_leaves_nothing_to_spend_twice(vendors: Vendors) -> None:
    vendors.issue_at_jtl()
    summary, _ = vendors.plan(policy=ALL)
    assert summary.totals.double_spendable == {}


# --- what was moved already ---


def test_what_an_earlier_plan_has_moved_is_left_out_or_refused(vendors: Vendors) -> None:
    moved = vendors.issue_at_jtl(code="GIFT-0001")
    first, _ = vendors.plan(policy=ALL)
    report = run_plan(vendors.gateway, first.path, accept={"validity-restarts"})
    assert report is not None
    kept = first.path.rename(first.path.with_name("first.plan"))
    stayed = vendors.issue_at_jtl(code="GIFT-0002")
    _, again = vendors.plan(policy=attrs.evolve(ALL, code_taken=Recode.NEW_CODE))
    told = {one.source_id: one for one in again}
    assert told[moved["id"]].reasons == ("another plan moves it, or has moved it",)
    assert told[stayed["id"]].action is Action.CARRY
    _, after = vendors.plan(policy=ALL, after=kept)
    assert [one.source_id for one in after] == [stayed["id"]]


# --- what cannot be planned ---


def test_a_migration_needs_a_journal(vendors: Vendors, tmp_path: Path) -> None:
    gateway = Gateway({name: vendors.gateway.provider(name) for name in ("shop", "events")})
    with pytest.raises(ConfigurationError, match="journal"):
        make_plan(gateway, "shop", "events", tmp_path / "a.plan")


def test_source_and_target_must_differ(vendors: Vendors, tmp_path: Path) -> None:
    provider = vendors.gateway.provider("shop")
    gateway = Gateway({"a": provider, "b": provider}, journal=f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(InvalidRequest, match="the same account"):
        make_plan(gateway, "a", "b", tmp_path / "a.plan")
    assert gateway.journal is not None
    gateway.journal.close()


@pytest.mark.parametrize("more", [{"workers": 0}, {"rates": {"shop": 0.0}}, {"rates": {"nobody": 1.0}}])
def test_arguments_that_make_no_sense_are_refused_before_anything_is_asked(
    vendors: Vendors, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequest):
        vendors.plan(**more)
    assert len(vendors.jtl.requests) == 0


def test_an_error_while_reading_leaves_no_plan_behind(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(ticketing_vouchers=40, page_size=10)
    vendors.ticketing.inject("html", match="GET /api/vouchers", after=3)
    with pytest.raises(VoucherGatewayError):
        vendors.plan("events", "shop", ALL)
    assert not list(vendors.folder.glob("*.plan*"))
    assert not list(vendors.folder.glob(".*.part"))


# --- and the rest ---


def test_the_policy_decides_how_the_source_ends(vendors: Vendors) -> None:
    vendors.issue_at_jtl()
    summary, _ = vendors.plan(policy=attrs.evolve(ALL, retire=Retire.DELETE))
    assert summary.header.retire == "delete"
    assert summary.header.steps[-1] is Step.RETIRE


def test_costs_and_latency_are_measured(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(jtl_latency_ms=40)
    vendors.issue_at_jtl()
    summary, _ = vendors.plan(policy=ALL, rates={"events": 2.0})
    assert summary.estimate.source.latency >= timedelta(milliseconds=40)
    assert summary.estimate.least == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("source", "target", "retire"),
    [
        ("shop", "events", None),
        ("shop", "events", Retire.DELETE),
        ("shop", "events", Retire.EMPTY),
        ("events", "shop", None),
        ("events", "shop", Retire.EMPTY),
    ],
)
def test_a_run_sends_as_many_requests_as_the_plan_says(
    vendors: Vendors, source: str, target: str, retire: Retire | None
) -> None:
    for number in range(6):
        if source == "shop":
            vendors.issue_at_jtl(code=f"GIFT-000{number}")
        else:
            vendors.issue_at_ticketing(code=f"GIFT-000{number}", validUntil="2099-01-01T00:00:00.000Z")
    policy = attrs.evolve(ALL, retire=retire, accept={"spendable-twice", "validity-restarts"})
    summary, _ = vendors.plan(source, target, policy)
    running = {"shop": vendors.jtl, "events": vendors.ticketing}
    before = {name: len(one.requests) for name, one in running.items()}
    assert run_plan(vendors.gateway, summary.path).left == 0
    # Before the run each vendor is asked whether it answers, and the source is listed.
    looks = {target: 1, source: 2 if Step.FREEZE in summary.header.steps else 1}
    sent = {name: (len(one.requests) - before[name] - looks[name]) / 6 for name, one in running.items()}
    estimate = summary.estimate
    assert sent == {load.account: load.requests for load in (estimate.source, estimate.target)}


def test_a_limit_of_requests_a_second_is_kept_while_planning(vendors: Vendors) -> None:
    for number in range(5):
        vendors.issue_at_jtl(code=f"GIFT-000{number}")
    begun = time.monotonic()
    vendors.plan(policy=ALL, rates={"shop": 10.0})
    assert time.monotonic() - begun >= (5 * 2 - 1) / 10


def test_no_code_shows_anywhere(make_vendors: Callable[..., Vendors], canary: Canary) -> None:
    vendors = make_vendors(jtl_vouchers=30, ticketing_vouchers=30)
    for one in (*vendors.jtl.ledger(), *vendors.ticketing.ledger()):
        if re.fullmatch("[A-Z0-9-]{8,}", code := str(one["code"])):  # an odd one may be a part of an id
            canary.plant(code)
    for source, target in (("shop", "events"), ("events", "shop")):
        summary, planned = vendors.plan(source, target, ALL)
        canary.note("the plan", summary.path.read_text("utf-8"))
        canary.note("its objects", repr((summary, planned)))


def test_the_plan_is_bound_to_what_it_says(vendors: Vendors) -> None:
    vendors.issue_at_jtl()
    summary, _ = vendors.plan(policy=ALL)
    assert read_summary(summary.path).id == summary.id
    journal = vendors.gateway.journal
    assert journal is not None
    assert MigrationState(journal.database, summary.id, summary.header, journal.keys).plan_state() is None


def test_it_tells_how_far_it_is_and_the_total_that_the_vendor_tells(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(jtl_vouchers=250)
    reports: list[PlanProgress] = []
    vendors.plan(policy=ALL, on_progress=reports.append)
    told = [(report.work, report.count, report.total) for report in reports]
    assert told == [("read", count, 250) for count in (100, 200, 250)]
