"""Cells that no spreadsheet runs, and that come back as they were."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voucher_gateway_file.csv_format import CsvFormat
from voucher_gateway_file.formula_cells import escape_formula, unescape_formula

FORMULA_STARTS = "=+-@＝＋－＠﹢﹣−"
NASTY = st.text(alphabet=st.sampled_from(list("=+-@＝＠\t\r\n ;,|'\"“a1\0\u200b\u00a0")), max_size=12)
TEXTS = st.text() | NASTY
BLANKS = ' \t\r\n"“\0\u200b\u00a0'


@given(TEXTS)
@example("")
@example("'")
@example("''=1")
@example("a;=1\r\n+2\t@x")
def test_every_text_comes_back_from_its_cell_as_it_was(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text


@given(st.lists(NASTY, min_size=1, max_size=4))
@example(["x;=cmd|' /C calc'!A0;y"])
@example(["x\n=1+1\ny"])
@example(["\t=1+1"])
@example(['";=1+1;"'])
def test_no_spreadsheet_finds_a_formula_whatever_it_takes_for_separators(texts: list[str]) -> None:
    columns = ["sku", "batch", "order", "tax_rate"][: len(texts)]
    row = CsvFormat().line(dict(zip(columns, texts, strict=True)), columns).decode()
    for separator in (",", ";", "\t", "|"):
        for cells in csv.reader(io.StringIO(row, newline=""), delimiter=separator):
            for cell in cells:
                assert cell.strip(BLANKS)[:1] not in FORMULA_STARTS or not cell.strip(BLANKS), (separator, row)
    for cells in csv.reader(io.StringIO(row, newline="")):
        assert not any(cell.startswith(("\t", "\r", "\n")) for cell in cells)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (' "=1', "' \"=1"),
        ("", "'"),
    ],
)
def test_an_apostrophe_goes_in_front_of_what_could_start_a_formula(text: str, cell: str) -> None:
    assert escape_formula(text) == cell


@pytest.mark.parametrize("text", ["GIFT-2026", "a-b=c", "5,00 EUR", "A; B", "'s-Hertogenbosch", "Größe"])
def test_ordinary_text_stays_as_it_is_in_both_directions(text: str) -> None:
    assert escape_formula(text) == text
    assert unescape_formula(text) == text


@pytest.mark.parametrize("unit", ["'", " ", ";", "\n", "'\"", "; ", ";'"])
def test_a_long_run_of_odd_characters_takes_no_more_than_its_length(unit: str) -> None:
    begun = time.perf_counter()
    escape_formula(unit * 60_000)
    assert time.perf_counter() - begun < 2
