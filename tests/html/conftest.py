"""A page with one of everything."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from voucher_gateway.html.document import Chart, Column, HtmlPage, Series, Table, Text
from voucher_gateway.html.render import render


@pytest.fixture(scope="session")
def page() -> HtmlPage:
    """A page with a warning, three charts and a table of more rows than a sheet has."""
    months = tuple(f"2027-{month:02}" for month in range(1, 13))
    return HtmlPage(
        title="Outstanding vouchers",
        subtitle="Of two accounts",
        facts=(("outstanding in EUR", "1234567.89 EUR"), ("vouchers", "12345")),
        sections=(
            Text("Mind this", ("The list changed while it was read.",), warning=True),
            Chart(
                title="By month",
                unit="EUR",
                labels=months,
                series=(
                    Series("shop", tuple(Decimal(place) * 1000 for place in range(12))),
                    Series("events", tuple(Decimal("0.01") for _ in range(12))),
                ),
                kind="stacked",
            ),
            Chart(
                title="By age",
                unit="EUR",
                labels=("young", "old"),
                series=(Series("shop", (Decimal("10.53"), Decimal("99.47"))),),
            ),
            Chart(
                title="What becomes of them",
                unit="vouchers",
                labels=("carried over", "refused, as nobody said what to do about it at all in any line"),
                series=(Series("vouchers", (Decimal(900), Decimal(100))),),
            ),
            Chart(
                title="From opening to closing",
                unit="EUR",
                labels=("opening", "issued", "redeemed", "closing"),
                series=(Series("", (Decimal(100), Decimal(50), Decimal(-30), Decimal(120))),),
                kind="waterfall",
            ),
            Table(
                title="Vouchers",
                columns=(Column("voucher"), Column("EUR", numeric=True)),
                rows=tuple((f"v-{number}", f"{number}.00") for number in range(80)),
                total=("total", "3160.00"),
                note="All of them.",
            ),
        ),
        made_at=datetime(2026, 11, 21, 12, 30, 15, 999999, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def document(page: HtmlPage) -> str:
    """The document that the page becomes, for tests that only read it."""
    return render(page)
