"""The page of a migration's status: what is where, who has run it, and what needs attention with its value."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.html.browser import Reader
from tests.migration.run.vendor_pair import VendorPair
from voucher_gateway.html.document import Table, Text
from voucher_gateway.html.render import render
from voucher_gateway.migration import MigrationStatus, ReportedVoucher, RowState, status_of
from voucher_gateway.migration.run.html import status_page
from voucher_gateway.migration.run.progress import StateTotal
from voucher_gateway.money import Money

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_after_a_pilot_the_page_has_what_was_moved_what_is_left_and_who_ran_it(pair: VendorPair) -> None:
    pair.plan()
    report = pair.run(limit=2, by="Ann")
    read = Reader(render(status_page(status_of(pair.gateway, pair.path), NOW)))
    (head, row) = read.tables["Value by currency"]
    assert head == ["Currency", "To carry", "Moved", "Still to be moved"]
    assert row[2] == f"{report.moved['EUR'].amount:f}"
    runs = read.tables["Who did what, and when"]
    assert [runs[1][0], runs[1][1]] == ["run of at most 2", "Ann"]
    assert "limit, 2 moved" in runs[1][-1]
    assert "This needs attention" not in read.text


def test_before_a_run_there_is_a_page_as_well(pair: VendorPair) -> None:
    pair.plan()
    assert "Migration: not begun" in Reader(render(status_page(status_of(pair.gateway, pair.path), NOW))).text


def test_what_is_in_doubt_stands_first_with_its_value_and_a_link() -> None:
    voucher = ReportedVoucher(
        number=7,
        source_id="a\u202e<b>",
        code="••••1234",
        state=RowState.IN_DOUBT,
        value=Money("1234.50", "EUR"),
        reason="r",
    )
    status = MigrationStatus(
        plan_id="p" * 64,
        source="shop",
        target="events",
        state=None,
        vouchers={RowState.IN_DOUBT: StateTotal(count=1, money={"EUR": Money("1234.50", "EUR")})},
        workers={},
        left_behind=2,
        noted=(voucher,),
    )
    page = status_page(status, NOW)
    first = page.sections[0]
    assert isinstance(first, Text)
    assert first.warning
    assert "In doubt, to be looked up by the next run: 1 voucher, 1\u202f234.50 EUR." in first.paragraphs
    assert "to be continued by a run: 2 vouchers." in first.paragraphs[1]
    ((_, anchor),) = first.links
    assert [section.anchor for section in page.sections if isinstance(section, Table) and section.anchor] == [anchor]
    text = render(page)
    assert "<b>" not in text
    assert "a\\u202e&lt;b&gt;" in text


def test_twenty_currencies_stand_in_one_table_by_their_value() -> None:
    currencies = [
        *("EUR", "USD", "GBP", "CHF", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK"),
        *("HUF", "RON", "TRY", "INR", "BRL", "MXN", "ZAR", "AUD", "CAD", "NZD"),
    ]
    money = {currency: Money(str(number * 100), currency) for number, currency in enumerate(currencies, 1)}
    status = MigrationStatus(
        plan_id="p" * 64,
        source="shop",
        target="events",
        state=None,
        vouchers={RowState.MOVED: StateTotal(count=20, money=money)},
        workers={},
        left_behind=0,
    )
    rows = Reader(render(status_page(status, NOW))).tables["Value by currency"][1:]
    assert [row[0] for row in rows] == list(reversed(currencies))
