"""Self-contained HTML pages for people who answer for the money: tables, charts, and nothing that is fetched or run."""

from __future__ import annotations

from voucher_gateway.html.document import Chart, ChartKind, Column, Page, Section, Series, Table, Text
from voucher_gateway.html.render import render, write

__all__ = ["Chart", "ChartKind", "Column", "Page", "Section", "Series", "Table", "Text", "render", "write"]
