"""Commands whose reader closes the pipe early, as `| head -1` does: what they change, and what their exit code says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.long import first
from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
POLICY = """\
losses = ["medium", "tax", "no-end", "order", "metadata", "batch"]
accept = ["validity-restarts"]
"""
PROGRAM = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


def run_unread(folder: Path, *arguments: str, stderr_too: bool = False) -> tuple[int, str]:
    """Run a command whose stdout is a pipe that nobody reads any more; return its exit code and what stderr got."""
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    try:
        errors = subprocess.STDOUT if stderr_too else subprocess.PIPE
        ran = subprocess.run(
            [*PROGRAM, *arguments], cwd=folder, stdout=writing_end, stderr=errors, text=True, check=False, timeout=60
        )
    finally:
        os.close(writing_end)
    return ran.returncode, ran.stderr or ""


@pytest.mark.parametrize("json_form", first([False, True]), ids=["people", "json"])
@pytest.mark.parametrize("stderr_too", first([False, True]), ids=["stdout", "both"])
def test_a_voucher_is_issued_and_activated(
    kept: RunningSimulator, tmp_path: Path, json_form: bool, stderr_too: bool
) -> None:
    form = ["--json"] if json_form else []
    issue = ["issue", "shop", "50", "EUR", "--code", "X1", "--activate", "--reference", "x1"]
    assert run_unread(tmp_path, *form, *issue, stderr_too=stderr_too) == (0, "")
    assert [voucher["status"] for voucher in kept.ledger() if voucher["code"] == "X1"] == ["active"]


@pytest.mark.long
@pytest.mark.parametrize("stderr_too", [False, True], ids=["stdout", "both"])
def test_an_activation_that_fails_is_told_by_the_exit_code(
    kept: RunningSimulator, tmp_path: Path, stderr_too: bool
) -> None:
    kept.inject("commit-then-drop", "PATCH /v1/vouchers/*/status", 0)
    issue = ["issue", "shop", "50", "EUR", "--activate"]
    code, err = run_unread(tmp_path, *issue, "--code", "X1", "--reference", "x1", stderr_too=stderr_too)
    assert (code, "resolve shop activate x1" in err) == (4, not stderr_too)


@pytest.mark.long
def test_a_new_login_is_written_down(jtl: RunningSimulator, tmp_path: Path) -> None:
    told = jtl.announcement
    connect = ["connect", "jtl", "--base-url", told["base_url"], "--pin", told["connect_pin"], "--account", "till"]
    written = ["--secret-file", "till.secret", "--write", "till.toml"]
    (tmp_path / "till.toml").touch()
    assert run_unread(tmp_path, *connect, *written, stderr_too=True) == (0, "")
    assert len((tmp_path / "till.secret").read_text()) > 20
    assert list(tomllib.loads((tmp_path / "till.toml").read_text())["accounts"]) == ["till"]


@pytest.mark.parametrize("form", first([[], ["--json"]]), ids=["people", "json"])
def test_a_new_secret_that_nobody_read_is_no_success(jtl: RunningSimulator, tmp_path: Path, form: list[str]) -> None:
    told = jtl.announcement
    connect = ["connect", "jtl", "--base-url", told["base_url"], "--pin", told["connect_pin"], "--reveal"]
    code, err = run_unread(tmp_path, *form, *connect)
    assert code == 2
    assert "its secret was not read" in err


@pytest.mark.long
def test_a_new_code_that_nobody_read_and_nobody_can_read_again_is_no_success(
    kept: RunningSimulator, tmp_path: Path
) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(config.read_text().replace("[accounts.shop]", '[accounts.shop]\nscopes = ["use", "manage"]'))
    issue = ["issue", "shop", "50", "EUR", "--reveal", "--reference", "x1"]
    code, err = run_unread(tmp_path, *issue)
    assert (code, "its new code was not read" in err) == (2, True)
    issued = next(voucher["id"] for voucher in kept.ledger() if voucher["code"] != CODE)
    assert f"voucher {issued} was issued" in err


@pytest.mark.long
def test_every_account_is_adopted_after_a_restore_and_changes_are_allowed_again(
    kept: RunningSimulator, tmp_path: Path, run: Any
) -> None:
    run("operations", "backup", "copy.db").done()
    (tmp_path / "voucher-gateway.db").write_bytes((tmp_path / "copy.db").read_bytes())
    assert run_unread(tmp_path, "recover", "--after-restore", stderr_too=True) == (0, "")
    run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "after").done()


@pytest.mark.long
def test_what_stays_in_doubt_is_told_by_the_exit_code_of_recover(
    kept: RunningSimulator, tmp_path: Path, run: Any
) -> None:
    kept.inject("drop-before", "POST /v1/reservations/*/charge")
    assert run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a").code == 4
    assert run_unread(tmp_path, "recover", "--all", stderr_too=True)[0] == 4
    decide = ["operations", "decide", "--did-not-happen", "--by", "me", "--reason", "asked", "shop", "redeem", "a"]
    assert run_unread(tmp_path, *decide, stderr_too=True) == (0, "")
    told = run("--json", "operations", "list").done().objects
    assert [one["outcome"] for one in told if one["reference"] == "a"] == ["not_executed"]


@pytest.mark.long
def test_a_snapshot_is_taken_of_every_account(
    simulate: Callable[..., RunningSimulator], configure: Any, tmp_path: Path, run: Any
) -> None:
    config = configure({"shop": simulate("jtl", vouchers=3), "events": simulate("ticketing", vouchers=3)})
    config.write_text(f'journal = "sqlite:///{tmp_path}/journal.db"\n{config.read_text()}')
    assert run_unread(tmp_path, "snapshot", stderr_too=True) == (0, "")
    as_of = ["--as-of", "9999-12-30T00:00:00Z"]
    told = run("--json", "report", *as_of).objects
    assert {one["account"] for one in told if "account" in one} == {"shop", "events"}


@pytest.mark.long
def test_vouchers_are_exported_and_imported(
    kept: RunningSimulator, simulate: Callable[..., RunningSimulator], configure: Any, tmp_path: Path
) -> None:
    target = simulate("ticketing")
    config = configure({"shop": kept, "events": target})
    config.write_text(f'journal = "sqlite:///{tmp_path}/voucher-gateway.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    assert run_unread(tmp_path, "export", "shop", "out.jsonl", "--reveal", stderr_too=True) == (0, "")
    assert CODE in (tmp_path / "out.jsonl").read_text()
    imported = run_unread(tmp_path, "--json", "import", "events", "out.jsonl", "--policy", "policy.toml")
    assert imported[0] == 0, imported
    assert [voucher["code"] for voucher in target.ledger()] == [CODE]


@pytest.mark.long
def test_vouchers_are_planned_moved_and_verified(
    kept: RunningSimulator, simulate: Callable[..., RunningSimulator], configure: Any, tmp_path: Path
) -> None:
    target = simulate("ticketing")
    config = configure({"shop": kept, "events": target})
    config.write_text(f'journal = "sqlite:///{tmp_path}/voucher-gateway.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    plan = ["migrate", "plan", "shop", "events", "--out", "move.plan", "--policy", "policy.toml"]
    assert run_unread(tmp_path, *plan, stderr_too=True) == (0, "")
    assert run_unread(tmp_path, "--json", "migrate", "run", "move.plan", stderr_too=True) == (0, "")
    assert [voucher["remaining"] for voucher in target.ledger()] == ["50.00"]
    assert run_unread(tmp_path, "migrate", "verify", "move.plan", stderr_too=True) == (0, "")


@pytest.mark.long
def test_the_worst_problem_is_told_by_the_exit_code_of_doctor(
    both: dict[str, RunningSimulator], tmp_path: Path
) -> None:
    both["events"].close()
    assert run_unread(tmp_path, "doctor", stderr_too=True)[0] == 3


@pytest.mark.parametrize("arguments", first([["--help"], ["--version"], ["issue", "--help"]]))
def test_help_that_nobody_reads_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    assert run_unread(tmp_path, *arguments) == (0, "")


@pytest.mark.long
def test_a_list_that_nobody_reads_ends_early(simulate: Any, configure: Any, tmp_path: Path) -> None:
    vendor = simulate("jtl", vouchers=3000, seed=1)
    configure({"shop": vendor})
    for form in ([], ["--json"]):
        before = len(vendor.requests)
        assert run_unread(tmp_path, *form, "list", "shop") == (0, "")
        assert len(vendor.requests) - before < 25


def test_a_broken_pipe_of_another_kind_is_not_taken_for_it(
    run: Any, shop: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voucher_gateway.gateway.gateway import Gateway

    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Gateway, "redeem", broken)
    ran = run("--json", "redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert (ran.code, json.loads(ran.err)["outcome"]) == (70, "unknown")
