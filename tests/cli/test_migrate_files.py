"""Files as the source or the target of `migrate plan`."""

from __future__ import annotations

from tests.cli.conftest import Run
from tests.cli.voucher_files import read_lines
from voucher_gateway.simulator import RunningSimulator


def test_files_are_ends_of_migrate_plan_too(accounts: dict[str, RunningSimulator], run: Run) -> None:
    ran = run("migrate", "plan", "shop", "out.jsonl", "--out", "plan.jsonl", "--reveal")
    assert ran.code == 1  # without a policy the inactive and the empty one are refused
    run("migrate", "run", "plan.jsonl", "--reveal").done()
    run("migrate", "verify", "plan.jsonl").done()
    assert len(read_lines("out.jsonl")) == 3
    assert run("migrate", "plan", "shop", "out.txt", "--out", "p.jsonl").code == 2


def test_a_name_that_is_neither_an_account_nor_a_file_is_not_repeated(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    ran = run("migrate", "plan", "shop", "GIFT-SECRET-0001", "--out", "p.jsonl")
    assert ran.code == 2
    assert "GIFT-SECRET-0001" not in ran.err
    assert "not a path that ends in .jsonl or .csv" in ran.err


def test_a_path_that_no_journal_could_note_is_refused(accounts: dict[str, RunningSimulator], run: Run) -> None:
    refused = run("migrate", "plan", "shop", f"{'x' * 300}.csv", "--out", "a.plan")
    assert refused.code == 2
    assert "255 characters" in refused.err
