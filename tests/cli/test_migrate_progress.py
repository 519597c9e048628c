"""How far a migration is, as a terminal, a log and a program are shown it."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Mapping
from decimal import Decimal

import attrs
import pytest

from tests.cli.conftest import Terminal
from voucher_gateway.cli import progress as progress_module
from voucher_gateway.cli.output import GAP, Output
from voucher_gateway.cli.progress import progress_printer, progress_sentence
from voucher_gateway.migration import PlanProgress, Progress, RowState, VerificationProgress, rate_meter
from voucher_gateway.provider_api import Money


def progress(counts: Mapping[RowState, int], *moved: Money, eta_s: int | None = 90) -> Progress:
    per_s = None if eta_s is None else Decimal("12.3")
    by_currency = {money.currency: money for money in moved}
    return Progress(total=10, counts=counts, moved=by_currency, elapsed_s=30, per_s=per_s, eta_s=eta_s)


def test_a_sentence_tells_count_money_and_time() -> None:
    one = progress({RowState.MOVED: 3}, Money("12.50", "EUR"), Money("700", "JPY"))
    assert progress_sentence(one) == "3 of 10 vouchers; 700 JPY, 12.50 EUR, 12 a second, about 1 min 30 s left"


def test_large_numbers_and_amounts_are_grouped() -> None:
    one = attrs.evolve(progress({RowState.MOVED: 12_345}, Money("1234567.50", "EUR")), total=1_000_000)
    assert progress_sentence(one).startswith(f"12{GAP}345 of 1{GAP}000{GAP}000 vouchers; 1{GAP}234{GAP}567.50 EUR, ")


def test_a_sentence_tells_what_did_not_simply_move() -> None:
    counts = {RowState.REFUSED: 1, RowState.MOVED: 3, RowState.IN_DOUBT: 2}
    assert progress_sentence(progress(counts, Money("12.50", "EUR"))).startswith(
        "6 of 10 vouchers, 2 in-doubt, 1 refused; 12.50 EUR"
    )


def test_a_sentence_says_nothing_of_what_is_not_known_yet() -> None:
    assert progress_sentence(progress({}, eta_s=None)) == "0 of 10 vouchers; nothing moved yet"


def test_a_bar_on_a_terminal_tells_money_count_and_time() -> None:
    err = Terminal()
    with progress_printer(Output(out=io.StringIO(), err=err)) as printer:
        printer.print_progress(progress({RowState.MOVED: 2}, Money("8.25", "EUR")))
        time.sleep(0.2)
        printer.print_progress(progress({RowState.MOVED: 4}, Money("12.50", "EUR")))
        time.sleep(0.2)
    assert re.search(r" 4/10[^\r\n]*12 a second, about 1 min 30 s left 12\.50 EUR", err.getvalue())


def test_a_line_that_is_too_long_loses_amounts_and_not_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    err = Terminal()
    amounts = [Money("22375.25", currency) for currency in ("CHF", "EUR", "GBP", "INR", "TRY", "USD")]
    with progress_printer(Output(out=io.StringIO(), err=err)) as printer:
        printer.print_progress(progress({RowState.MOVED: 4}, *amounts))
        time.sleep(0.2)
    lines = re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err.getvalue()))
    assert any(f" 4/10 12 a second, about 1 min 30 s left 22{GAP}375.25" in line and len(line) <= 80 for line in lines)


def test_reading_for_a_plan_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_LINE_EVERY_S", 0)
    terminal, out, err = Terminal(), io.StringIO(), io.StringIO()
    with progress_printer(Output(out=out, err=terminal)) as printer:
        printer.print_plan(PlanProgress(work="read", count=1200))
        time.sleep(0.2)
    assert "1200/?" in terminal.getvalue()
    with progress_printer(Output(out=out, err=err)) as printer:
        printer.print_plan(PlanProgress(work="read", count=1200))
    with progress_printer(Output(as_json=True, out=out, err=err)) as printer:
        printer.print_plan(PlanProgress(work="read", count=1200))
    assert (out.getvalue(), err.getvalue()) == ("", f"1{GAP}200 vouchers read\n")


def test_reading_tells_the_total_and_the_time_that_is_left_where_they_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress_module, "_LINE_EVERY_S", 0)
    monkeypatch.setattr(rate_meter, "_LEAST_S", 0)
    err = io.StringIO()
    with progress_printer(Output(out=io.StringIO(), err=err)) as printer:
        for count in (100, 200):
            printer.print_plan(PlanProgress(work="read", count=count, total=1000))
            time.sleep(0.1)
        printer.print_plan(PlanProgress(work="checked in the file", count=7, total=90, estimated=True))
    lines = err.getvalue().splitlines()
    assert re.fullmatch(rf"200 of 1{GAP}000 vouchers read, \d+ a second, about .* left", lines[1])
    assert lines[2] == "7 of about 90 vouchers checked in the file"


def test_a_verification_tells_rate_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_LINE_EVERY_S", 0)
    monkeypatch.setattr(rate_meter, "_LEAST_S", 0)
    err = io.StringIO()
    with progress_printer(Output(out=io.StringIO(), err=err)) as printer:
        for count in (100, 200):
            printer.print_verification(VerificationProgress(work="read at shop", count=count, total=100_000))
            time.sleep(0.1)
        printer.print_verification(VerificationProgress(work="compared", count=0, total=1000))
    lines = err.getvalue().splitlines()
    assert re.fullmatch(rf"200 of 100{GAP}000 vouchers read at shop, \d+ a second, about .* left", lines[1])
    assert lines[2] == f"0 of 1{GAP}000 vouchers compared"


def test_a_log_and_a_program_are_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_LINE_EVERY_S", 0)
    monkeypatch.setattr(progress_module, "_OBJECT_EVERY_S", 0)
    one = progress({RowState.MOVED: 4}, Money("12.50", "EUR"))
    out, err = io.StringIO(), io.StringIO()
    with progress_printer(Output(out=out, err=err)) as printer:
        printer.print_progress(one)
    assert (out.getvalue(), err.getvalue()) == ("", f"{progress_sentence(one)}\n")
    with progress_printer(Output(as_json=True, out=out, err=err)) as printer:
        printer.print_progress(one)
    said = json.loads(out.getvalue())["progress"]
    assert (said["total"], said["counts"], said["eta_s"]) == (10, {"moved": 4}, 90)
    assert said["moved"] == {"EUR": {"amount": "12.50", "currency": "EUR"}}
