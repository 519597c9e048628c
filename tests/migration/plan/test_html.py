"""The page of a plan, read as a finance person reads it: in a browser, and printed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from tests.html.browser import Reader, opened
from tests.migration.plan.conftest import TEXTS, Vendors
from voucher_gateway.html.document import Chart, Table, Text
from voucher_gateway.html.render import render, write
from voucher_gateway.html.time_axis import all_months
from voucher_gateway.migration import Action, PlanSummary, Policy
from voucher_gateway.migration.plan.html import plan_page
from voucher_gateway.provider_api import Money

POLICY = Policy(losses=TEXTS, empty=Action.SKIP, expired=Action.SKIP)


@pytest.fixture
def summary(make_vendors: Callable[..., Vendors]) -> PlanSummary:
    """A plan of all kinds of vouchers and six currencies."""
    return make_vendors(jtl_vouchers=200).plan(policy=POLICY)[0]


@pytest.fixture
def small(make_vendors: Callable[..., Vendors]) -> PlanSummary:
    """A plan in one currency."""
    return make_vendors(ticketing_vouchers=30).plan("events", "shop", POLICY)[0]


@pytest.mark.long
def test_the_page_opens_without_a_request_prints_and_holds_the_right_sums(summary: PlanSummary, tmp_path: Path) -> None:
    folder = tmp_path / "browser"
    folder.mkdir()
    write(plan_page(summary), tmp_path / "plan.html")
    seen = opened(tmp_path / "plan.html", folder)
    assert seen.console == ()
    assert seen.requests == ()
    assert set(seen.sheets) == {(210, 297)}
    rows = seen.read.tables["Value by currency and action"][1:]
    told = {row[0]: [Decimal(cell) for cell in row[1:]] for row in rows}
    assert told == {
        currency: [
            *(summary.totals.of(action).money.get(currency, Money.zero(currency)).amount for action in Action),
            money.amount,
        ]
        for currency, money in summary.totals.all.money.items()
    }
    for *parts, whole in told.values():
        assert sum(parts, Decimal(0)) == whole
    assert summary.id in seen.read.text


def test_every_chart_of_a_currency_adds_up_to_its_value(summary: PlanSummary) -> None:
    charts = [one for one in plan_page(summary).sections if isinstance(one, Chart)]
    assert len(charts) == 2 * len([one for one in summary.totals.all.money.values() if one])
    for chart in charts:
        drawn = sum((value for series in chart.series for value in series.values), Decimal(0))
        assert drawn == summary.totals.all.money[chart.unit].amount


def test_value_is_drawn_by_the_month_in_which_it_ends(summary: PlanSummary) -> None:
    charts = {one.title: one for one in plan_page(summary).sections if isinstance(one, Chart)}
    chart = charts["EUR: value by month of expiry"]
    assert chart.labels[0] == "earlier"
    assert chart.labels[-1] == "no end known"
    months = [one for one in chart.labels if one[0].isdigit()]
    assert months == sorted(months)
    month = months[0]
    money = summary.totals.months[f"{month}/carry"].money["EUR"]
    assert dict(zip(chart.labels, chart.series[0].values, strict=True))[month] == money.amount


def test_reasons_losses_and_the_window_are_told(summary: PlanSummary) -> None:
    read = Reader(render(plan_page(summary, window=timedelta(microseconds=1))))
    reasons = {row[0]: int(row[1]) for row in read.tables["Why vouchers stay"][1:]}
    assert reasons == {name: one.count for name, one in summary.totals.reasons.items()}
    losses = {row[0].partition(":")[0]: int(row[1]) for row in read.tables["What is lost or changed"][1:]}
    assert losses == {name: one.count for name, one in summary.totals.losses.items()}
    assert "A voucher can never be spent at both accounts." in read.text
    assert "The run will probably take longer than" in read.text
    assert "200 listed vouchers, as many as the vendor counts" in read.text


def test_what_must_be_accepted_cannot_be_overlooked(small: PlanSummary) -> None:
    changed = attrs.evolve(small.totals.listing, consistent=False, problems=("the total changed",))
    totals = attrs.evolve(small.totals, listing=changed, double_spendable={"EUR": Money("120.50", "EUR")})
    read = Reader(render(plan_page(attrs.evolve(small, totals=totals))))
    assert "Before a run" in read.text
    assert "At most 120.50 EUR at any moment." in read.text
    assert "the total changed" in read.text
    assert "inconsistent-listing" in read.text


def test_the_same_plan_gives_the_same_page(small: PlanSummary) -> None:
    assert render(plan_page(small)) == render(plan_page(small))


def test_months_without_a_voucher_have_a_place_on_the_axis(summary: PlanSummary) -> None:
    months = [
        [label for label in section.labels if label[:2] == "20"]
        for section in plan_page(summary).sections
        if isinstance(section, Chart) and "month of expiry" in section.title
    ]
    assert any(len(labels) > 12 for labels in months)
    for labels in months:
        assert labels == all_months(labels)


def test_currencies_stand_in_the_order_of_their_value(summary: PlanSummary) -> None:
    page = plan_page(summary)
    (table,) = [section for section in page.sections if isinstance(section, Table) and "currency" in section.title]
    totals = [Decimal(row[-1]) for row in table.rows]
    assert totals == sorted(totals, reverse=True)
    charts = [section.unit for section in page.sections if isinstance(section, Chart) and "by action" in section.title]
    assert charts == [row[0] for row in table.rows if Decimal(row[-1])]


def test_the_warning_has_the_value_that_is_refused_and_a_link_to_the_reasons(summary: PlanSummary) -> None:
    page = plan_page(summary)
    warning = next(section for section in page.sections if isinstance(section, Text) and section.warning)
    refused = summary.totals.of(Action.REFUSE)
    assert any(
        f"{refused.count} vouchers are refused" in sentence and "EUR" in sentence for sentence in warning.paragraphs
    )
    ((_, anchor),) = warning.links
    assert [section.title for section in page.sections if isinstance(section, Table) and section.anchor == anchor] == [
        "Why vouchers stay"
    ]


def test_a_page_with_six_currencies_is_a_small_file(summary: PlanSummary) -> None:
    assert len(render(plan_page(summary))) < 400_000
