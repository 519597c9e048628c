"""Reports as tables and as pages, and the pages in a real browser."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.html.browser import Reader, opened
from tests.reports.memory_vendor import NOON, MemoryVendor
from voucher_gateway import Gateway
from voucher_gateway.html.document import Chart, Table, Text
from voucher_gateway.html.render import render, write
from voucher_gateway.provider_api import MovementKind, Status
from voucher_gateway.reports import (
    CurrencyRollForward,
    Liability,
    Line,
    RollForward,
    Snapshots,
    read_liability,
    roll_forward,
)
from voucher_gateway.reports.html import liability_page, roll_page
from voucher_gateway.reports.text import liability_tables, roll_table, roll_tables

DAY: Final = timedelta(days=1)


def two_accounts() -> Liability:
    """Return what two shelves owe."""
    first, second = MemoryVendor("first"), MemoryVendor("second & <b>")
    first.put("a", "1000000.53", valid_until=NOON + 40 * DAY)
    first.put("b", "2.00", valid_until=NOON + 100 * DAY)
    first.put("c", "3.00", status=Status.INACTIVE)
    first.put("d", "4.00", valid_until=NOON - DAY)
    first.put("e", "500", "JPY")
    second.put("a", "0.47", valid_until=NOON + 40 * DAY, created_at=NOON - 400 * DAY)
    return read_liability(Gateway({"first": first, second.account: second}), ["first", second.account])


def test_the_first_table_is_by_account_and_then_by_currency() -> None:
    table = liability_tables(two_accounts())[0]
    assert table.rows == (
        ("first", "EUR", "4", "1000002.53", "3.00", "4.00", "0"),
        ("first", "JPY", "1", "500", "0", "0", "0"),
        ("second & <b>", "EUR", "1", "0.47", "0.00", "0.00", "0"),
        ("all accounts", "EUR", "5", "1000003.00", "3.00", "4.00", "0"),
        ("all accounts", "JPY", "1", "500", "0", "0", "0"),
    )
    assert table.total is None


def test_the_other_tables_are_by_month_and_by_age_for_each_currency() -> None:
    tables = {one.title: one for one in liability_tables(two_accounts())[1:]}
    assert list(tables) == [
        "Outstanding in EUR by month of expiry",
        "Outstanding in EUR by age",
        "Expired in EUR by month",
        "Outstanding in JPY by month of expiry",
        "Outstanding in JPY by age",
    ]
    months = tables["Outstanding in EUR by month of expiry"]
    assert [one.name for one in months.columns] == ["expires", "first", "second & <b>", "EUR", "vouchers"]
    assert months.rows == (
        ("2026-12", "1000000.53", "0.47", "1000001.00", "2"),
        ("2027-03", "2.00", "0.00", "2.00", "1"),
    )
    assert months.total == ("total", "1000002.53", "0.47", "1000003.00", "3")
    assert tables["Outstanding in EUR by age"].rows == (
        ("under 3 months", "1000002.53", "0.00", "1000002.53", "2"),
        ("1 to 2 years", "0.00", "0.47", "0.47", "1"),
    )


def test_months_without_a_voucher_have_their_place_in_the_chart() -> None:
    page = liability_page(two_accounts(), NOON)
    chart = next(one for one in page.sections if isinstance(one, Chart) and "EUR by month" in one.title)
    assert chart.labels == ("2026-12", "2027-01", "2027-02", "2027-03")
    assert [[str(value) for value in one.values] for one in chart.series] == [
        ["1000000.53", "0.00", "0.00", "2.00"],
        ["0.47", "0.00", "0.00", "0.00"],
    ]


def test_many_years_are_drawn_by_year_and_many_accounts_together() -> None:
    shelves = [MemoryVendor(f"s-{number}") for number in range(9)]
    for vendor in shelves:
        vendor.put("a", "1.00", valid_until=datetime(2030, 5, 5, tzinfo=NOON.tzinfo))
        vendor.put("b", "2.00", valid_until=datetime(9999, 5, 5, tzinfo=NOON.tzinfo))
        vendor.put("c", "4.00")
        vendor.put("d", "8.00", valid_until=datetime(2034, 5, 5, tzinfo=NOON.tzinfo))
    found = read_liability(Gateway({one.account: one for one in shelves}), [one.account for one in shelves])
    chart = next(one for one in liability_page(found, NOON).sections if isinstance(one, Chart))
    assert chart.title == "Outstanding in EUR by year of expiry"
    # Empty years have a place. Years that are very far ahead have one together.
    assert chart.labels == ("2030", "2031", "2032", "2033", "2034", "later", "no end")
    assert [(one.name, [str(value) for value in one.values]) for one in chart.series] == [
        ("all accounts", ["9.00", "0.00", "0.00", "0.00", "72.00", "18.00", "36.00"])
    ]
    assert isinstance(chart.numbers, Table)
    assert chart.numbers.rows[0] == ("2030-05", "9.00", "9")


def test_what_speaks_against_the_numbers_stands_first() -> None:
    vendor = MemoryVendor()
    vendor.put("a")
    vendor.total = lambda _: 2
    page = liability_page(read_liability(Gateway({"shop": vendor}), ["shop"]), NOON)
    first = page.sections[0]
    assert isinstance(first, Text)
    assert first.warning
    assert "changed while it was read" in first.paragraphs[0]


def test_accounts_without_vouchers_make_a_page_too() -> None:
    page = liability_page(read_liability(Gateway({"shop": MemoryVendor()}), ["shop"]), NOON)
    assert Reader(render(page)).tables["Outstanding by account"][1:] == [["Nothing."]]


def rolled(snapshots: Snapshots) -> RollForward:
    """Return a roll-forward with a redemption and something unexplained."""
    vendor = MemoryVendor()
    gateway = Gateway({"shop": vendor})
    vendor.put("a", "1234.50")
    vendor.put("<script>", "10.00")
    opening = snapshots.take(gateway, "shop")
    vendor.clock += 10 * DAY
    vendor.move("a", MovementKind.REDEMPTION, "1000.00", vendor.clock)
    vendor.put("a", "234.50")
    vendor.put("<script>", "9.99")
    vendor.clock += 10 * DAY
    return roll_forward(gateway, snapshots, opening, snapshots.take(gateway, "shop"))


def test_a_roll_forward_is_added_up_line_by_line(snapshots: Snapshots) -> None:
    lines, unexplained = roll_tables(rolled(snapshots))
    assert lines.rows == (
        ("opening", "1244.50"),
        ("issued", "0.00"),
        ("topped up", "0.00"),
        ("redeemed", "-1000.00"),
        ("refunded", "0.00"),
        ("expired", "0.00"),
        ("unexplained", "-0.01"),
    )
    assert lines.total == ("closing", "244.49")
    assert unexplained.rows == (("<script>", "-0.01 EUR", "its history has no movement for the change"),)


def test_a_rare_line_is_told_only_where_there_is_something_in_it(snapshots: Snapshots) -> None:
    found = rolled(snapshots)
    deleted = CurrencyRollForward.of("EUR", {Line.OPENING: 5, Line.DELETED: 5})
    names = [row[0] for row in roll_table(found, deleted).rows]
    assert "deleted" in names
    assert "activated" not in names


@pytest.mark.long
def test_the_page_of_what_is_owed_is_right_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(liability_page(two_accounts(), NOON), path)
    seen = opened(path, tmp_path)
    assert (seen.console, seen.requests) == ((), ())
    tables = seen.read.tables
    assert tables["Outstanding by account"][4][:4] == ["all accounts", "EUR", "5", "1000003.00"]
    assert tables["Outstanding in EUR by month of expiry"][-1] == ["total", "1000002.53", "0.47", "1000003.00", "3"]
    assert "1000003.00 EUR" in "".join(seen.read.pieces)
    assert sum(tag == "img" for tag, _ in seen.read.tags) == 4
    assert set(seen.sheets) == {(210, 297)}
    assert 0.01 < seen.ink < 0.6


@pytest.mark.long
def test_the_page_of_a_roll_forward_is_right_in_a_browser(tmp_path: Path, snapshots: Snapshots) -> None:
    path = tmp_path / "roll.html"
    write(roll_page([rolled(snapshots)], NOON), path)
    seen = opened(path, tmp_path)
    assert (seen.console, seen.requests) == ((), ())
    tables = seen.read.tables
    assert tables["shop: roll-forward in EUR"][4] == ["redeemed", "−1000.00"]
    assert tables["shop: roll-forward in EUR"][-1] == ["closing", "244.49"]
    assert tables["shop: not explained"][1] == ["<script>", "−0.01 EUR", "its history has no movement for the change"]
    assert "the records do not explain the change of 1 voucher" in seen.read.text
