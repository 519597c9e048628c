"""`migrate run`, `status`, `pause`, `verify` and `rollback` on the command line."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Configure, Run
from voucher_gateway.migration.run import context
from voucher_gateway.migration.schema import vouchers
from voucher_gateway.simulator import RunningSimulator

POLICY = """\
losses = ["batch", "medium", "metadata", "no-end", "order", "pin", "sku", "tax"]
accept = ["validity-restarts"]
"""


@pytest.fixture
def running(simulate: Callable[..., RunningSimulator]) -> dict[str, RunningSimulator]:
    """The vendors of the accounts `shop` and `events`."""
    return {"shop": simulate("jtl", vouchers=40, seed=7), "events": simulate("ticketing", vouchers=5, seed=7)}


@pytest.fixture
def plan(tmp_path: Path, configure: Configure, run: Run, running: dict[str, RunningSimulator]) -> Path:
    """A plan from the account `shop` at JTL to `events` at the ticketing vendor."""
    simulators = running
    config = configure(simulators, events='accept_risks = ["redeem-by-update"]')
    config.write_text(f'journal = "sqlite:///{tmp_path}/journal.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    made = run("migrate", "plan", "shop", "events", "--out", "plan.jsonl", "--policy", "policy.toml")
    assert made.code in (0, 1), made.err
    return tmp_path / "plan.jsonl"


def test_a_plan_is_carried_out_proved_and_rolled_back(run: Run, plan: Path) -> None:
    dry = run("migrate", "run", str(plan), "--dry-run").done()
    assert "would move: " in dry.out
    done = run("migrate", "run", str(plan)).done()
    assert dry.out.replace("would move", "moved") == done.out
    assert " EUR" in done.out
    seen = run("migrate", "status", str(plan)).done()
    assert seen.out.startswith("shop to events: done\n")
    proved = run("migrate", "verify", str(plan)).done()
    assert "as planned" in proved.out
    back = run("migrate", "rollback", str(plan)).done()
    assert " brought back: " in back.out
    whole = run("migrate", "verify", str(plan)).done()
    assert "at the source again" in whole.out
    assert "Ends of validity that are not as before" in whole.out  # JTL counts validity again after an activation
    (verified,) = run("--json", "migrate", "verify", str(plan)).done().objects
    assert {one["shift"] for one in verified["shifted_vouchers"]} == {"later"}
    assert sum(group["count"] for group in verified["shifted_ends"]) == len(verified["shifted_vouchers"]) > 0


def test_all_unknown_operations_of_a_plan_are_looked_at_and_decided_at_once(
    run: Run, plan: Path, running: dict[str, RunningSimulator]
) -> None:
    running["events"].inject("drop-before", "POST /api/vouchers", times=3)
    assert run("migrate", "run", str(plan)).code == 4
    decide = ("operations", "decide", "--plan", str(plan), "--did-not-happen", "--by", "Ann", "--reason", "case 7")
    decided = run("--json", *decide).done().objects
    assert {operation["outcome"] for operation in decided} == {"not_executed"}
    assert len(decided) == 3
    assert "No operation of the plan is unknown." in run(*decide).done().err
    run("migrate", "run", str(plan)).done()
    assert "as planned" in run("migrate", "verify", str(plan)).done().out


def test_json_tells_the_same(run: Run, plan: Path) -> None:
    report = run("--json", "migrate", "run", str(plan)).done().objects[-1]
    assert report["counts"] == {"moved": report["counts"]["moved"]}
    assert set(report["moved"]) == {"EUR"}
    assert report["left"] == 0
    seen = run("--json", "migrate", "status", str(plan)).done().object
    assert seen["state"] == "done"
    assert seen["vouchers"]["moved"]["money"] == report["moved"]
    found = run("--json", "migrate", "verify", str(plan)).done().object
    assert found["differences"] == []
    assert found["totals"]["EUR"]["before"] == found["totals"]["EUR"]["left"] == report["moved"]["EUR"]
    back = run("--json", "migrate", "rollback", str(plan)).done().objects[-1]
    assert back["money"] == report["moved"]


def test_a_pilot_says_what_is_left(run: Run, plan: Path) -> None:
    pilot = run("migrate", "run", str(plan), "--limit", "1").done()
    assert "1 voucher moved" in pilot.out
    assert "the limit is reached" in pilot.out


def test_a_finished_plan_says_what_has_moved_already(run: Run, plan: Path) -> None:
    moved = run("migrate", "run", str(plan)).done().out
    count, _, amounts = moved.partition(" vouchers moved: ")
    again = run("migrate", "run", str(plan)).done().out
    assert again == f"All {count} vouchers have moved already: {amounts}"
    assert run("migrate", "run", str(plan), "--dry-run").done().out == again


def test_a_vendor_that_is_down_is_said_without_a_row_and_without_progress(
    run: Run, plan: Path, running: dict[str, RunningSimulator]
) -> None:
    running["events"].close()
    failed = run("migrate", "run", str(plan), progress=True)
    assert (failed.code, failed.out) == (3, "")
    assert "events" in failed.err
    assert "left" not in failed.err


def test_vouchers_that_were_put_off_are_left_and_not_listed(
    run: Run, plan: Path, running: dict[str, RunningSimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "_PAUSES_S", ())
    running["events"].inject("rate-limit", "POST /api/vouchers", times=0, retry_after_s=0)
    failed = run("migrate", "run", str(plan), "--workers", "64")
    assert failed.code == 3
    assert re.fullmatch(r"No voucher was moved\n9 vouchers left: broken off\n", failed.out)


def test_several_processes_make_one_report(run: Run, plan: Path) -> None:
    done = run("migrate", "run", str(plan), "--processes", "2").done()
    assert re.fullmatch(r"9 vouchers moved: [0-9.]+ EUR\n", done.out)


def test_differences_have_their_exit_code_and_are_listed(run: Run, plan: Path) -> None:
    found = run("migrate", "verify", str(plan))
    assert found.code == 5
    assert "not-moved" in found.out


def test_codes_that_cannot_be_read_at_the_target_are_not_said_to_be_compared(
    tmp_path: Path, configure: Configure, run: Run, simulate: Callable[..., RunningSimulator]
) -> None:
    simulators = {"shop": simulate("jtl", vouchers=40, seed=7), "other": simulate("jtl", vouchers=5, seed=8)}
    scopes = "scopes = ['manage', 'use', 'read', 'read-lists', 'update', 'recharge']"
    config = configure(simulators, other=scopes)
    config.write_text(f'journal = "sqlite:///{tmp_path}/journal.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    run("migrate", "plan", "shop", "other", "--out", "plan.jsonl", "--policy", "policy.toml")
    run("migrate", "run", "plan.jsonl").done()
    proved = run("migrate", "verify", "plan.jsonl").done()
    assert "not compared, as the target does not show them" in proved.out


def test_a_changed_voucher_has_the_exit_code_of_differences(run: Run, plan: Path) -> None:
    carried = next(line for line in plan.read_text().splitlines() if '"action":"carry"' in line)
    source_id = carried.split('"source_id":"')[1].split('"')[0]
    run("deactivate", "shop", source_id, "--reference", "by-hand").done()
    done = run("migrate", "run", str(plan))
    assert done.code == 5
    assert "it is inactive, not active" in done.out
    for command in (("run",), ("run", "--dry-run"), ("status",)):  # the voucher is named until it is planned again
        again = run("migrate", *command, str(plan))
        assert again.code == 5
        assert f"{source_id}" in again.out
        assert "it is inactive, not active" in again.out
    assert run("migrate", "run", str(plan)).out.startswith("8 of 9 vouchers have moved already: ")
    assert "1 voucher changed in another run" in run("migrate", "run", str(plan)).out
    run("migrate", "rollback", str(plan)).done()
    run("migrate", "status", str(plan)).done()  # all is at the source, where it should be


def test_nothing_to_pause_is_said(run: Run, plan: Path) -> None:
    paused = run("migrate", "pause", str(plan))
    assert paused.code == 2
    assert "nothing to pause" in paused.err


def test_a_pause_holds_until_the_next_run(run: Run, plan: Path) -> None:
    run("migrate", "run", str(plan), "--limit", "1").done()
    assert "paused" in run("migrate", "pause", str(plan)).done().out
    run("migrate", "run", str(plan)).done()
    assert "done" in run("migrate", "status", str(plan)).done().out


def test_a_run_that_leaves_vouchers_to_another_process_ends_with_3(run: Run, plan: Path, tmp_path: Path) -> None:
    run("migrate", "run", str(plan), "--limit", "1").done()  # a limit is not a reason for another exit code
    code = (
        "import sys; from voucher_gateway import Gateway; gateway = Gateway.from_config(sys.argv[1]);"
        " print(gateway.journal.database.locks.owner(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "voucher-gateway.toml")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        owner = other.stdout.readline().strip()
        with closing(sqlite3.connect(tmp_path / "journal.db")) as journal, journal:
            planned = f"SELECT max(number) FROM {vouchers.name} WHERE state = 'planned'"
            journal.execute(
                f"UPDATE {vouchers.name} SET state = 'working', owner = ? WHERE number = ({planned})", (owner,)
            )
        left = run("migrate", "run", str(plan))
        assert (left.code, "1 voucher left: others work on them" in left.out) == (3, True)
        other.stdin.close()
    run("migrate", "run", str(plan)).done()


def test_a_file_that_is_no_plan_is_refused(run: Run, plan: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("{}\n")
    refused = run("migrate", "run", str(other))
    assert refused.code == 2
    assert "other.jsonl" in refused.err


def test_progress_shows_a_bar_on_a_terminal_with_money_count_and_time(run: Run, plan: Path) -> None:
    carried = sum('"action":"carry"' in line for line in plan.read_text().splitlines())
    shown = run("migrate", "run", str(plan), progress=True).done()
    assert re.search(rf"[ m]{carried}/{carried}[^\r\n]*\d EUR", shown.err)


def test_a_run_into_a_file_is_refused_as_a_whole_where_codes_may_not_be_written(run: Run, plan: Path) -> None:
    made = run("migrate", "plan", "shop", "copy.jsonl", "--reveal", "--out", "copy.plan", "--policy", "policy.toml")
    assert made.code in (0, 1), made.err
    refused = run("migrate", "run", "copy.plan")
    assert refused.code == 2
    assert "--reveal" in refused.err
    assert not (plan.parent / "copy.jsonl").exists()
    moved = run("migrate", "run", "copy.plan", "--reveal").done()
    assert "moved" in moved.out


def test_a_run_and_a_status_write_a_page(run: Run, plan: Path) -> None:
    run("migrate", "run", str(plan), "--limit", "2", "--by", "Ann", "--html", "run.html").done()
    page = Path("run.html").read_text()
    assert "Migration: running" in page
    assert "Ann" in page
    run("migrate", "run", str(plan), "--by", "Ben").done()
    shown = run("migrate", "status", str(plan), "--html", "status.html").done()
    assert [line.split()[:2] for line in shown.out.splitlines() if "completed" in line] == [["run", "Ben"]]
    assert "Migration: done" in Path("status.html").read_text()


def test_a_page_that_cannot_be_written_is_named_before_a_voucher_moves(run: Run, plan: Path) -> None:
    failed = run("migrate", "run", str(plan), "--html", "missing/run.html")
    assert failed.code == 2
    assert "missing/run.html cannot be written" in failed.err
    assert "not begun" in run("migrate", "status", str(plan)).out
