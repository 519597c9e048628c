"""Files with mistakes, of a spreadsheet, or cut off, as the source of an import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.voucher_files import count_changes
from voucher_gateway.simulator import RunningSimulator


def test_a_file_that_is_mended_can_be_imported_after_it_was_refused(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    whole = '"code","currency","remaining"\n"GIFT-0001","EUR","1.00"\n"GIFT-0002","EUR","2.00"\n'
    Path("in.csv").write_text(whole.removesuffix(',"2.00"\n'))
    for more in (["--dry-run"], [], []):
        refused = run("import", "events", "in.csv", *more)
        assert refused.code == 2
        assert "line 3 is incomplete, and was left out" in refused.err
        assert 'Correct the file, or accept the risks in the policy: accept = ["inconsistent-listing"]' in refused.err
    Path("in.csv").write_text(whole)
    assert "2 vouchers went to events" in run("import", "events", "in.csv").done().out


def test_a_file_with_mistakes_is_refused_before_anything_is_asked(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    Path("in.csv").write_text("code,currency,remaining\nGIFT-0001,EUR,10\nGIFT-0002,EUR,ten\nGIFT-0001,EUR,1.00\n")
    ran = run("import", "events", "in.csv")
    assert ran.code == 2
    assert "line 3, column remaining" in ran.err
    assert "line 4, column code: duplicate code: line 2 has the same code" in ran.err
    assert "Correct the file at these places" in ran.err
    assert "GIFT-0001" not in ran.err
    assert len(accounts["events"].requests) == 0


def test_the_problems_of_a_file_are_counted_listed_and_never_called_a_vendors_answer(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    Path("in.csv").write_text("code,currency,remaining\n" + "".join(f"A-{n},EUR,ten\n" for n in range(300)))
    ran = run("import", "events", "in.csv", "--dry-run")
    assert ran.code == 2
    first, *problems = ran.err.splitlines()
    assert first.endswith("in.csv: the file has 300 problems in 300 lines (MalformedFile)")
    assert problems[19:21] == [
        "line 21, column remaining: must have ASCII digits with at most one point",
        "and 280 more",
    ]
    assert problems[21] == f"All problems are listed in {Path('in.csv.problems.txt').absolute()}"
    assert "vendor" not in ran.err
    assert len(Path("in.csv.problems.txt").read_text().splitlines()) == 300
    (told,) = [json.loads(line) for line in run("--json", "import", "events", "in.csv").err.splitlines()]
    assert (told["error"], told["problem_count"], told["wrong_lines"]) == ("MalformedFile", 300, 300)


@pytest.mark.parametrize("text", ["", "code,currency,remaining\n", "\ufeff"])
def test_a_file_without_a_voucher_is_an_error(accounts: dict[str, RunningSimulator], run: Run, text: str) -> None:
    Path("in.csv").write_text(text)
    ran = run("import", "events", "in.csv", "--dry-run")
    assert ran.code == 2
    assert "in.csv cannot be imported" in ran.err
    assert "the file has no voucher" in ran.err
    planned = run("migrate", "plan", "in.csv", "events", "--out", "in.plan")
    assert (planned.code, Path("in.plan").exists()) == (2, False)


def test_a_file_of_a_spreadsheet_is_shown_as_it_is_read_and_its_plan_keeps_that(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    Path("in.csv").write_text("\ufeffNummer;Betrag;Bis\nGIFT-0001;10,50;31.12.2090\nGIFT-0002;7,00;1.1.2091\n")
    form = (
        "--column",
        "Nummer=code",
        "--column",
        "Betrag=remaining",
        "--column",
        "Bis=valid_until",
        "--currency",
        "EUR",
    )
    assert "is not a header" in run("import", "events", "in.csv", "--dry-run").err
    ran = run("migrate", "plan", "in.csv", "events", "--out", "in.plan", *form, "--time-zone", "Europe/Berlin").done()
    assert "a decimal comma, dates as day, month, year in Europe/Berlin" in ran.err
    assert "Nummer is code, Betrag is remaining, Bis is valid_until" in ran.err
    assert "2 vouchers moved: 17.50 EUR" in run("migrate", "run", "in.plan").done().out
    assert "2 of 2 vouchers as planned" in run("migrate", "verify", "in.plan").done().out
    made = run("--json", "migrate", "certificate", "in.plan").done()
    assert (made.object["plan"]["source"]["account"], made.object["verdict"]) == ("in.csv", "complete")
    assert str(Path.cwd()) not in made.out
    assert '"delimiter":";"' in Path("in.plan").read_text().splitlines()[0]


def test_the_form_of_a_file_is_refused_for_a_source_that_is_none(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    ran = run("migrate", "plan", "shop", "events", "--out", "x.plan", "--date-order", "dmy")
    assert ran.code == 2
    assert "--date-order is for a source that is a CSV file" in ran.err


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (["1.23457E+15", "GIFT-0001"], "1 a number with an exponent"),
        (["4E512", "12e70"], "2 a number with an exponent"),
        (["001234", "001235", "1236"], "1 digits only, of another length"),
        (["001234", "GIFT-0001", "12-E5"], None),
    ],
)
def test_codes_that_a_spreadsheet_has_changed_need_consent_by_name(
    accounts: dict[str, RunningSimulator], run: Run, codes: list[str], found: str | None
) -> None:
    Path("in.csv").write_text("code,currency,remaining\n" + "".join(f"{code},EUR,1.00\n" for code in codes))
    Path("policy.toml").write_text('accept = ["spoiled-codes"]\n')
    if found is None:
        run("import", "events", "in.csv", "--dry-run").done()
        return
    for more in (["--dry-run"], []):
        ran = run("import", "events", "in.csv", *more)
        assert ran.code == 2
        assert found in ran.err
        assert 'accept the risks in the policy: accept = ["spoiled-codes"]' in ran.err
        assert not any(code in ran.err for code in codes)
    assert count_changes(accounts["events"]) == 0
    ran = run("import", "events", "in.csv", "--policy", "policy.toml").done()
    assert f"{len(codes)} vouchers went to events" in ran.out


def test_a_code_outside_of_the_pattern_of_the_target_needs_consent(
    accounts: dict[str, RunningSimulator], run: Run, tmp_path: Path
) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(config.read_text().replace("[accounts.events]", '[accounts.events]\ncode_pattern = "^EVENT-"'))
    Path("in.csv").write_text("code,currency,remaining\nEVENT-0001,EUR,1.00\nOTHER-0001,EUR,1.00\n")
    ran = run("import", "events", "in.csv", "--dry-run")
    assert ran.code == 2
    assert "1 outside of the code_pattern of the target" in ran.err


def test_a_file_that_was_cut_off_is_not_imported_as_if_it_were_whole(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.jsonl", "--reveal").done()
    path = Path("out.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    ran = run("import", "events", "out.jsonl")
    assert ran.code == 2
    assert "line 5 is incomplete, and was left out" in ran.err
    assert count_changes(accounts["events"]) == 0
