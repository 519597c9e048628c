"""`import`: the vouchers of a file are issued at an account, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.voucher_files import LOSING, SKIPPING, count_changes, write_file, write_policy
from voucher_gateway.simulator import RunningSimulator


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_an_import_issues_the_vouchers_of_a_file_and_refuses_what_no_policy_names(
    accounts: dict[str, RunningSimulator], run: Run, name: str
) -> None:
    run("export", "shop", name, "--reveal").done()
    before = Path(name).read_bytes()
    ran = run("import", "events", name, "--policy", write_policy('losses = ["medium"]'))
    assert ran.code == 1
    assert "3 vouchers went to events, compared and found right: 60.54 EUR" in ran.out
    assert "it is not active" in ran.out
    assert "it has no value left" in ran.out
    assert Path(name).read_bytes() == before
    found = {one["code"]: str(one["remaining"]) for one in accounts["events"].ledger()}
    assert found == {"=JTL-FULL-0001": "50.00", "=JTL-ODD-0001": "0.01", "=JTL-USED-0001": "10.53"}


def test_what_a_policy_skips_is_left_out_without_complaint(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    ran = run("import", "events", "out.csv", "--policy", write_policy(SKIPPING)).done()
    assert "3 vouchers went to events" in ran.out


def test_a_dry_run_changes_nothing_and_leaves_no_plan_behind(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    files = sorted(Path().iterdir())
    ran = run("import", "events", "out.csv", "--dry-run", "--policy", write_policy(SKIPPING)).done()
    assert "3 vouchers would go to events: 60.54 EUR" in ran.out
    assert count_changes(accounts["events"]) == 0
    assert sorted(Path().iterdir()) == sorted([*files, Path("policy.toml")])
    told = run("--json", "import", "events", "out.csv", "--dry-run").object
    assert (told["dry_run"], told["refused"]["count"]) == (True, 5)


def test_a_repeated_import_issues_nothing_twice(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    run("import", "events", "out.csv", "--policy", write_policy('losses = ["medium"]'))
    before = count_changes(accounts["events"])
    again = run("import", "events", "out.csv")
    assert "Continued with the plan" in again.err
    assert "3 vouchers went to events, compared and found right" in again.out
    assert count_changes(accounts["events"]) == before


def test_another_policy_for_a_plan_that_is_begun_is_refused(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("import", "events", write_file("GIFT-0001"), "--policy", write_policy(LOSING)).done()
    before = count_changes(accounts["events"])
    refused = run("import", "events", "in.csv", "--policy", write_policy(SKIPPING))
    assert refused.code == 2
    assert "was begun with another policy: continue it without a policy" in refused.err
    run("import", "events", "in.csv", "--policy", write_policy(LOSING)).done()
    run("import", "events", "in.csv").done()
    assert count_changes(accounts["events"]) == before


def test_a_plan_of_which_nothing_was_begun_is_made_again(accounts: dict[str, RunningSimulator], run: Run) -> None:
    assert run("import", "events", write_file("GIFT-0001")).code == 1  # the strictest policy refuses all of it
    ran = run(
        "--json", "import", "events", write_file("GIFT-0001", "GIFT-0002"), "--policy", write_policy(LOSING)
    ).done()
    done = ran.objects[-1]
    assert (done["resumed"], done["carried"]["count"]) == (False, 2)
    assert {one["code"] for one in accounts["events"].ledger()} == {"GIFT-0001", "GIFT-0002"}


def test_what_came_to_a_file_after_its_import_is_named_and_has_the_exit_code_of_differences(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    policy = write_policy(LOSING)
    run("import", "events", write_file("GIFT-0001", "GIFT-0002"), "--policy", policy).done()
    write_file("GIFT-0001", "GIFT-0003", "GIFT-0004")
    ran = run("import", "events", "in.csv", "--policy", policy)
    assert ran.code == 5
    assert "2 changes at" in ran.out
    assert "line:3   ••••03  it was planned with another code" in ran.out
    assert "line:4   ••••04  it did not exist when the plan was made" in ran.out
    assert "Import them from a file that has nothing else." in ran.err
    told = run("--json", "import", "events", "in.csv").objects[-1]
    assert (told["resumed"], [one["source_id"] for one in told["since"]]) == (True, ["line:3", "line:4"])
    assert {one["code"] for one in accounts["events"].ledger()} == {"GIFT-0001", "GIFT-0002"}


def test_a_plan_of_another_copy_is_not_taken_for_this_one(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    ran = run("import", "events", "out.csv", "--plan", "out.csv.plan.jsonl")
    assert ran.code == 2
    assert "plan of another copy" in ran.err


def test_the_vouchers_of_a_shops_own_list_can_be_imported(
    accounts: dict[str, RunningSimulator], run: Run, tmp_path: Path
) -> None:
    Path("in.csv").write_text("remaining,currency,code\n12.34,EUR,GIFT-0001\n0.05,EUR,GIFT-0002\n")
    run("import", "shop", "in.csv", "--policy", write_policy('losses = ["no-end"]\naccept = ["spoiled-codes"]')).done()
    found = {one["code"]: str(one["remaining"]) for one in accounts["shop"].ledger()}
    assert (found["GIFT-0001"], found["GIFT-0002"]) == ("12.34", "0.05")
