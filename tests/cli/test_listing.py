"""The command that lists vouchers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

Simulate = Callable[..., RunningSimulator]


@pytest.fixture
def full(simulate: Simulate, configure: Any) -> RunningSimulator:
    """The account `shop` with 250 varied vouchers, three pages at a hundred each."""
    running = simulate("jtl", vouchers=250, seed=7)
    configure({"shop": running})
    return running


def test_every_voucher_is_one_line_of_json_with_its_true_value(run: Any, full: RunningSimulator) -> None:
    listed = {one["id"]: one for one in run("--json", "list", "shop").done().objects}
    ledger = {str(one["id"]): one for one in full.ledger()}
    assert listed.keys() == ledger.keys()
    for id, voucher in listed.items():
        assert voucher["remaining"]["currency"] == ledger[id]["currency"]
        assert f"{voucher['remaining']['amount']}.00".startswith(str(ledger[id]["remaining"]).removesuffix(".00"))


def test_the_report_goes_to_stderr_and_compares_with_the_vendors_total(run: Any, full: RunningSimulator) -> None:
    report = run("--json", "list", "shop").done().error["report"]
    assert (report["seen"], report["vendor_total"], report["duplicates"]) == (250, 250, 0)
    assert (report["finished"], report["consistent"], report["resume_token"]) == (True, True, None)
    assert run("list", "shop").done().err == "250 vouchers, as many as the vendor counts.\n"


def test_a_limited_list_goes_on_where_it_stopped(run: Any, full: RunningSimulator) -> None:
    first = run("--json", "list", "shop", "--limit", "130").done()
    token = first.error["report"]["resume_token"]
    rest = run("--json", "list", "shop", "--resume", token).done()
    ids = [one["id"] for one in first.objects + rest.objects]
    assert len(first.objects) == 130
    assert len(ids) == len(set(ids)) == 250
    assert rest.error["report"]["seen"] == 250


def test_people_get_a_table_of_all_rows_under_one_heading(run: Any, full: RunningSimulator) -> None:
    lines = run("list", "shop").done().out.splitlines()
    assert len(lines) == 251
    assert lines[0].split() == ["id", "status", "remaining", "initial", "expires", "(UTC)"]
    assert sum(line.startswith("id ") for line in lines) == 1


def test_filters_go_to_the_vendor(run: Any, full: RunningSimulator) -> None:
    listed = run(
        "--json", "list", "shop", "--status", "active", "--has-value", "--filter", "type=print",
        "--created-from", "2020-01-31T00:00:00Z", "--newest-first",
    ).done().objects  # fmt: skip
    assert listed
    assert {(one["status"], one["medium"]) for one in listed} == {("active", "print")}
    assert all(one["remaining"]["amount"] != "0.00" for one in listed)
    created = [one["created_at"] for one in listed]
    assert created == sorted(created, reverse=True)
    assert "filter%5Bcreated_from%5D=2020-01-31T00%3A00%3A00%2B00%3A00" in full.requests[-1].query


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--filter", "nonsense"),
        ("--filter", "colour=red"),
        ("--created-to", "31.01.2026"),
        ("--valid-until-from", "2026-01-31T00:00:00"),
        ("--limit", "0"),
        ("--resume", "not-a-token"),
        ("--status", "spent"),
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_sent(
    run: Any, full: RunningSimulator, option: str, value: str
) -> None:
    ran = run("--json", "list", "shop", option, value)
    assert ran.code == 2
    assert "error" in ran.error
    assert full.requests == []


def test_a_filter_that_the_vendor_lacks_is_unsupported(run: Any, both: dict[str, RunningSimulator]) -> None:
    ran = run("--json", "list", "events", "--sku", "A-1")
    assert (ran.code, ran.error["error"]) == (1, "UnsupportedOperation")
    assert both["events"].requests == []


@pytest.fixture
def breaking(simulate: Simulate, configure: Any) -> RunningSimulator:
    """As `full`, but only the first page comes."""
    running = simulate("jtl", vouchers=250, seed=7)
    configure({"shop": running}, shop="workers = 1\ntries = 1")
    running.inject("slow", "GET /v1/vouchers", 1, delay_s=0)  # the first page uses this one up
    running.inject("error-before", "GET /v1/vouchers", 0)
    return running


def test_what_came_before_an_error_is_kept_and_the_list_can_go_on(run: Any, breaking: RunningSimulator) -> None:
    ran = run("--json", "list", "shop")
    assert (ran.code, len(ran.objects)) == (3, 100)
    report, error = (json.loads(line) for line in ran.err.splitlines())
    assert error["error"] == "ProviderUnavailable"
    breaking.clear_faults()
    rest = run("--json", "list", "shop", "--resume", report["report"]["resume_token"]).done()
    ids = [one["id"] for one in ran.objects + rest.objects]
    assert len(ids) == len(set(ids)) == 250


def test_people_see_the_rows_before_an_error_and_how_to_go_on(run: Any, breaking: RunningSimulator) -> None:
    ran = run("list", "shop")
    assert len(ran.out.splitlines()) == 101
    said = ran.err.splitlines()
    assert said[0] == "100 vouchers of 250; the list was not read to its end."
    assert said[2].startswith("--resume ")
    assert "(ProviderUnavailable)" in said[3]
    breaking.clear_faults()
    rest = run("list", "shop", *said[2].split()).done()
    assert len(rest.out.splitlines()) == 151


def test_a_list_that_changes_while_it_is_read_says_so(run: Any, full: RunningSimulator) -> None:
    full.inject("insert-while-paging", "GET /v1/vouchers", 1)
    ran = run("list", "shop").done()
    assert "but the list changed while it was read:" in ran.err
    assert "- the total changed" in ran.err


def test_an_interrupted_list_goes_on_without_losing_a_voucher(
    run: Any, simulate: Simulate, configure: Any, tmp_path: Path
) -> None:
    configure({"shop": simulate("jtl", vouchers=700, seed=1, latency_ms=100)}, shop="workers = 1")
    command = [sys.executable, "-c", "from voucher_gateway.cli import main; main()", "--json", "list", "shop"]
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out = first + process.stdout.read()
    report, error = (json.loads(line) for line in errors.read_text().splitlines())
    assert (process.returncode, error["error"], error["outcome"]) == (130, "Interrupted", "not_executed")
    rest = run("--json", "list", "shop", "--resume", report["report"]["resume_token"]).done().objects
    ids = [one["id"] for one in [*map(json.loads, out.splitlines()), *rest]]
    assert len(set(ids)) == 700
    assert len(ids) <= 701  # the one that was under way may come again


def test_a_terminal_shows_progress_while_the_rows_go_elsewhere(
    run: Any, full: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway.cli.output.PROGRESS_AFTER_S", 0.0)
    watched = run("list", "shop", progress=True).done()
    assert " of 250" in watched.err
    assert " of 250" not in run("list", "shop", progress=True, terminal=True).done().err
    assert " of 250" not in run("list", "shop").done().err
