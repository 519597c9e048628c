"""`migrate certificate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_migrate_run import plan as plan
from tests.cli.test_migrate_run import running as running
from voucher_gateway.migration.plan.plan_file import open_plan
from voucher_gateway.simulator import RunningSimulator


@pytest.fixture
def moved(run: Run, plan: Path) -> Path:
    """A plan that was carried out by Ann."""
    run("migrate", "run", str(plan), "--by", "Ann").done()
    return plan


def test_a_page_a_file_and_tables_are_written_and_pass_their_checks(run: Run, moved: Path) -> None:
    written = ("--html", "move.html", "--json-file", "move.json", "--csv", "tables")
    made = run("migrate", "certificate", str(moved), *written, "--by", "Ben").done()
    assert made.out.startswith("The migration is complete, and every amount agrees.")
    assert "The whole source, by its value when the plan was made" in made.out
    for path in ("move.html", "move.json", "tables"):
        assert "is as this journal sealed it" in run("migrate", "certificate", "--check", path).done().out
    files = ("--check", "move.html", "--check", "move.json", "--check", "tables")
    checked_files = run("migrate", "certificate", str(moved), *files).done().out
    assert checked_files.count("is as this journal sealed it") == 3
    with open_plan(moved) as opened:
        assert f"\nof the plan {opened.id}\nmade at 20" in checked_files
    page = Path("move.html").read_text()
    assert "Ann" in page
    assert "Carried out by" in page
    checked = run("--json", "migrate", "certificate", "--check", "move.json").done().object
    assert checked["unchanged"] is True


def test_json_on_the_terminal_is_the_content_of_the_file(run: Run, moved: Path) -> None:
    printed = run("--json", "migrate", "certificate", str(moved), "--json-file", "move.json").done().object
    assert json.loads(Path("move.json").read_text())["certificate"] == printed


def test_an_edited_file_has_the_exit_code_of_wrong_usage(run: Run, moved: Path) -> None:
    run("migrate", "certificate", str(moved), "--json-file", "move.json").done()
    Path("move.json").write_text(Path("move.json").read_text().replace('"complete"', '"different"'))
    checked = run("migrate", "certificate", "--check", "move.json")
    assert checked.code == 2
    assert "the seal is wrong" in checked.err


def test_before_the_run_the_certificate_says_that_the_journal_knows_no_run(run: Run, plan: Path) -> None:
    made = run("migrate", "certificate", str(plan), "--html", "move.html")
    assert made.code == 5
    assert made.out.startswith("This journal knows no run of this plan.\n")
    assert "not known to this journal" in Path("move.html").read_text()
    verified = run("migrate", "verify", str(plan))
    assert verified.code == 5
    assert "knows no run of the plan" in verified.err


def test_after_a_pilot_the_certificate_says_that_a_part_was_not_moved(run: Run, plan: Path) -> None:
    run("migrate", "run", str(plan), "--limit", "1").done()
    made = run("migrate", "certificate", str(plan))
    assert made.code == 5
    assert "a part was not moved" in made.out
    assert "\nDifferences\n" in made.out
    assert "it is still at the source" in made.out


def test_a_move_whose_journal_was_lost_is_not_certified_as_complete(run: Run, moved: Path) -> None:
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (moved.parent / name).unlink(missing_ok=True)  # the key file is not lost
    made = run("migrate", "certificate", str(moved), "--json-file", "move.json")
    assert made.code == 5
    assert "complete" not in made.out
    sealed = json.loads(Path("move.json").read_text())["certificate"]
    assert (sealed["verdict"], sealed["state"]) == ("not-known", None)
    verified = run("migrate", "verify", str(moved))  # both vendors agree, and nothing says what is in doubt
    assert (verified.code, "9 of 9 vouchers as planned" in verified.out) == (5, True)
    assert "\nDifferences\n" not in verified.out


def test_a_move_with_doubts_has_an_exit_code_and_words_of_its_own_until_they_are_settled(
    run: Run, plan: Path, running: dict[str, RunningSimulator]
) -> None:
    running["events"].inject("drop-before", "POST /api/vouchers")
    assert run("migrate", "run", str(plan)).code == 4
    made = run("migrate", "certificate", str(plan), "--html", "move.html", "--csv", "tables")
    assert made.code == 4
    assert made.out.startswith("Something is in doubt: this certificate is not final.\n")
    assert "`migrate run` with this plan looks it up and goes on" in made.out
    assert "`resolve events issue move-" in made.out
    assert "Operations whose outcome is not known" in Path("move.html").read_text()
    assert "events,issue,move-" in Path("tables/open-operations.csv").read_text()
    decide = ("operations", "decide", "--plan", str(plan), "--did-not-happen", "--by", "Ann", "--reason", "case 7")
    run(*decide).done()
    run("migrate", "run", str(plan)).done()
    settled = run("migrate", "certificate", str(plan)).done()
    assert settled.out.startswith("The migration is complete, and every amount agrees.")


def test_a_second_plan_after_a_rollback_is_named_in_the_certificate_of_the_first(run: Run, moved: Path) -> None:
    run("migrate", "rollback", str(moved)).done()
    Path("again.toml").write_text(f'{Path("policy.toml").read_text()}[codes]\ntaken = "new-code"\n')
    planned = run("migrate", "plan", "shop", "events", "--out", "again.plan", "--policy", "again.toml")
    assert planned.code in (0, 1), planned.err
    run("migrate", "run", "again.plan").done()
    made = run("migrate", "certificate", str(moved), "--html", "move.html").done()
    assert made.out.startswith("The migration was rolled back, and another plan has moved vouchers of the source.\n")
    with open_plan(Path("again.plan")) as plan:
        assert f"The migration {plan.id[:12]} has moved 9 vouchers to events" in made.out
        assert plan.id in Path("move.html").read_text()
    verified = run("migrate", "verify", str(moved)).done()
    assert verified.out.startswith("0 of 9 vouchers at the source again\nThe migration ")


def test_a_path_that_cannot_be_written_is_named_before_the_vendors_are_read(run: Run, plan: Path) -> None:
    made = run("migrate", "certificate", str(plan), "--html", "missing/move.html")
    assert made.code == 2
    assert "missing/move.html cannot be written" in made.err


def test_a_page_of_another_plan_does_not_pass_beside_the_json_of_this_one(run: Run, moved: Path) -> None:
    run("migrate", "plan", "events", "shop", "--out", "other.plan", "--policy", "policy.toml")
    run("migrate", "certificate", "other.plan", "--html", "other.html")
    run("migrate", "certificate", str(moved), "--json-file", "move.json").done()
    both = run("migrate", "certificate", "--check", "other.html", "--check", "move.json")
    assert both.code == 2
    assert "is of the plan" in both.err
    assert run("migrate", "certificate", "other.plan", "--check", "move.json").code == 2


def test_a_check_that_writes_a_file_is_refused(run: Run, plan: Path) -> None:
    both = run("migrate", "certificate", str(plan), "--check", "move.json", "--html", "move.html")
    assert "--check writes nothing" in both.err
    assert "name the plan" in run("migrate", "certificate").err


@pytest.mark.parametrize(
    "command",
    [
        ("certificate", "--html"),
        ("certificate", "--json-file"),
        ("codes", "--csv"),
        ("codes", "--jsonl"),
        ("run", "--html"),
        ("status", "--html"),
    ],
    ids=" ".join,
)
def test_the_plan_itself_is_not_overwritten(run: Run, plan: Path, command: tuple[str, str]) -> None:
    before = plan.read_bytes()
    name, option = command
    refused = run("migrate", name, str(plan), option, str(plan))
    assert refused.code == 2
    assert f"{option} names the plan itself" in refused.err
    assert plan.read_bytes() == before


def test_two_files_of_one_name_and_a_file_as_a_folder_are_refused(run: Run, plan: Path) -> None:
    same = run("migrate", "certificate", str(plan), "--html", "move", "--json-file", "move")
    assert same.code == 2
    assert "name the same file" in same.err
    assert "--csv takes a folder" in run("migrate", "certificate", str(plan), "--csv", str(plan)).err
