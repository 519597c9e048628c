"""`migrate codes`: who has to be told of a new code."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Configure, Run
from tests.support.ledger import Ledger
from voucher_gateway.simulator import RunningSimulator

POLICY = """
losses = ["batch", "medium", "metadata", "no-end", "order", "pin", "sku", "tax"]
accept = ["validity-restarts"]
[codes]
taken = "new-code"
unfit = "new-code"
"""


@pytest.fixture
def vendors(simulate: Callable[..., RunningSimulator]) -> dict[str, RunningSimulator]:
    """Both vendors. The target already has a code of the source."""
    return {"shop": simulate("jtl", vouchers=20, seed=7), "events": simulate("ticketing")}


@pytest.fixture
def moved(tmp_path: Path, configure: Configure, run: Run, vendors: dict[str, RunningSimulator]) -> Path:
    """A plan that was carried out, with one voucher whose code the target had already."""
    config = configure(vendors, events='accept_risks = ["redeem-by-update"]')
    config.write_text(f'journal = "sqlite:///{tmp_path}/journal.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    sold = ("--reference", "sale-1", "--order", "1007")
    run("issue", "shop", "25", "EUR", "--code", "SHOP-TAKEN-1234", "--activate", *sold).done()
    run("issue", "events", "5", "EUR", "--code", "SHOP-TAKEN-1234", "--reference", "sale-2").done()
    made = run("migrate", "plan", "shop", "events", "--out", "plan.jsonl", "--policy", "policy.toml")
    assert made.code in (0, 1), made.err
    run("migrate", "run", "plan.jsonl").done()
    return tmp_path / "plan.jsonl"


def new_code_at_target(vendors: dict[str, RunningSimulator], target_id: str) -> str:
    return Ledger(vendors["events"]).codes()[target_id]


def test_the_list_has_both_ids_the_order_and_masked_codes(
    run: Run, moved: Path, vendors: dict[str, RunningSimulator]
) -> None:
    listed = run("--json", "migrate", "codes", str(moved)).done().objects
    (entry,) = [entry for entry in listed if entry["order"] == "1007"]
    assert entry["old_code"] == "••••1234"
    assert entry["value"] == {"amount": "25.00", "currency": "EUR"}
    new = new_code_at_target(vendors, entry["target_id"])
    assert entry["new_code"] == f"••••{new[-4:]}"
    assert (entry["old_code_from"], entry["new_code_from"]) == ("source", "target")
    assert "SHOP-TAKEN-1234" not in run("migrate", "codes", str(moved)).done().out


def test_revealed_codes_are_those_of_the_ledgers_and_the_file_is_for_its_owner_only(
    run: Run, moved: Path, vendors: dict[str, RunningSimulator]
) -> None:
    done = run("migrate", "codes", str(moved), "--csv", "letters.csv", "--reveal").done()
    assert "letters.csv" in done.out
    with open("letters.csv") as file:
        (row,) = [row for row in csv.DictReader(file) if row["order"] == "1007"]
    assert row["old_code"] == "SHOP-TAKEN-1234"
    assert row["new_code"] == new_code_at_target(vendors, row["target_id"])
    assert (row["amount"], row["currency"]) == ("25.00", "EUR")
    assert stat.S_IMODE(Path("letters.csv").stat().st_mode) == 0o600


def test_json_lines_have_the_same(run: Run, moved: Path) -> None:
    written = run("--json", "migrate", "codes", str(moved), "--jsonl", "letters.jsonl").done().object
    listed = run("--json", "migrate", "codes", str(moved)).done().objects
    assert [json.loads(line) for line in Path("letters.jsonl").read_text().splitlines()] == listed
    assert written == {"path": "letters.jsonl", "vouchers": len(listed), "revealed": False}


def test_who_revealed_codes_is_in_the_certificate(run: Run, moved: Path) -> None:
    run("migrate", "codes", str(moved), "--csv", "letters.csv", "--reveal", "--by", "Ann").done()
    runs = run("--json", "migrate", "certificate", str(moved)).done().object["runs"]
    (record,) = [record for record in runs if record["work"] == "codes"]
    assert (record["performed_by"], record["details"]) == ("Ann", {"revealed": True, "vouchers": 1})


def test_a_voucher_that_the_source_deleted_has_the_mask_of_the_plan(run: Run, moved: Path) -> None:
    (entry,) = run("--json", "migrate", "codes", str(moved)).done().objects
    run("delete", "shop", entry["source_id"], "--reason", "moved", "--reference", "tidy-1").done()
    (later,) = run("--json", "migrate", "codes", str(moved), "--reveal").done().objects
    assert (later["old_code"], later["old_code_from"], later["order"]) == ("••••1234", "plan", None)
    assert later["target_id"] == entry["target_id"]


def test_a_file_that_cannot_be_written_is_named(run: Run, moved: Path) -> None:
    failed = run("migrate", "codes", str(moved), "--csv", "missing/letters.csv", "--reveal")
    assert failed.code == 2
    assert "missing/letters.csv cannot be written" in failed.err


def test_two_files_at_once_are_refused(run: Run, moved: Path) -> None:
    assert "give one" in run("migrate", "codes", str(moved), "--csv", "a", "--jsonl", "b").err


def test_a_journal_that_knows_no_run_of_the_plan_does_not_say_that_no_code_is_new(
    run: Run, moved: Path, tmp_path: Path
) -> None:
    (config,) = [file for file in tmp_path.glob("*.toml") if "journal = " in file.read_text()]
    shutil.copy(tmp_path / "journal.db.key", tmp_path / "empty.db.key")
    config.write_text(config.read_text().replace("/journal.db", "/empty.db"))
    for verb in ("codes", "rollback"):
        refused = run("migrate", verb, str(moved))
        assert refused.code == 2
        assert "this journal knows no run of the plan" in refused.err
