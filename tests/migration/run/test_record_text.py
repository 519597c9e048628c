"""The records of runs, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from voucher_gateway.migration.run.record_text import result_text, runs_table, work_text
from voucher_gateway.migration.run_records import RunRecord
from voucher_gateway.migration.schema import Work

BEGAN = datetime(2026, 11, 30, 6, 50, 32, 500000, tzinfo=UTC)


def record(work: Work = Work.RUN, *, ended: bool = True, **more: Any) -> RunRecord:
    fields = {"result": "completed", "ended_at": BEGAN if ended else None, **more}
    return RunRecord(work=work, performed_by="Ann", host="m", version="1", began_at=BEGAN, **fields)


def test_a_run_says_what_it_moved() -> None:
    details = {"limit": 20, "counts": {"moved": 20}, "money": {"EUR": "102850.95"}}
    assert work_text(record(details=details)) == "run of at most 20"
    assert result_text(record(details=details)) == "completed, 20 moved, 102\u202f850.95 EUR"


def test_of_many_currencies_the_largest_are_named() -> None:
    money = {"EUR": "1.00", "USD": "900.00", "JPY": "50", "CHF": "700.00", "GBP": "2.00"}
    assert result_text(record(details={"money": money})) == (
        "completed, 900.00 USD, 700.00 CHF, 50 JPY, and 2 more currencies"
    )


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (record(ended=False, working=True), "in progress"),
        (record(ended=False), "no end: the process was killed"),
        (record(Work.CERTIFICATE, details={"verdict": "rolled-back"}), "rolled back"),
        (record(Work.CODES, details={"revealed": True, "vouchers": 1}), "1 code, revealed"),
        (record(Work.CODES, details={"revealed": False, "vouchers": 2}), "2 codes, masked"),
        (record(Work.VERIFY, result="differences", details={"differences": 3}), "differences, 3"),
        (record(Work.ROLLBACK, result="incomplete"), "incomplete"),
    ],
)
def test_each_result_has_its_words(made: RunRecord, text: str) -> None:
    assert result_text(made) == text


def test_moments_are_told_to_the_second_without_their_zone_which_is_in_the_heading() -> None:
    table = runs_table([record(), record(ended=False)])
    assert [column.name for column in table.columns][3:5] == ["Began (UTC)", "Ended (UTC)"]
    assert [row[3:5] for row in table.rows] == [
        ("2026-11-30 06:50:32", "2026-11-30 06:50:32"),
        ("2026-11-30 06:50:32", ""),
    ]
