"""`export` and `import`: a file as a copy of an account, planned, carried out and compared."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.long import first
from voucher_gateway import Code, Gateway, Money, NewVoucher

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from voucher_gateway.simulator import RunningSimulator


def code_of(id: str) -> str:
    return f"=JTL-{id.upper()}-0001"


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def accounts(both: dict[str, RunningSimulator], tmp_path: Path) -> dict[str, RunningSimulator]:
    """Both vendors and a journal; `shop` has five vouchers: two good ones, one inactive, one empty, one partly used."""
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('journal = "sqlite:///voucher-gateway.db"\n' + path.read_text())
    with Gateway.from_config(path) as gateway:
        for id, amount in {
            "full": "50.00",
            "odd": "0.01",
            "used": "20.00",
            "empty": "5.00",
            "inactive": "7.00",
        }.items():
            new = NewVoucher(initial=euros(amount), id=id, code=Code(code_of(id)), active=id != "inactive")
            gateway.issue("shop", new, reference=id)
        gateway.redeem("shop", code_of("used"), euros("9.47"), reference="r-used")
        gateway.redeem("shop", code_of("empty"), euros("5.00"), reference="r-empty")
    return both


def _changes(running: RunningSimulator) -> int:
    return sum(one.method != "GET" and one.path != "/oauth/token" for one in running.requests)


def _lines(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_an_export_has_every_voucher_with_its_remaining_value(
    accounts: dict[str, RunningSimulator], run: Run, name: str
) -> None:
    before = _changes(accounts["shop"])
    ran = run("export", "shop", name, "--reveal").done()
    assert "5 vouchers went to" in ran.out
    assert "67.54 EUR" in ran.out
    assert _changes(accounts["shop"]) == before
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    if name.endswith(".jsonl"):
        found = {one["code"]: (one["remaining"]["amount"], one["status"]) for one in _lines(name)}
        assert found == {
            "=JTL-FULL-0001": ("50.00", "active"),
            "=JTL-ODD-0001": ("0.01", "active"),
            "=JTL-USED-0001": ("10.53", "active"),
            "=JTL-EMPTY-0001": ("0.00", "active"),
            "=JTL-INACTIVE-0001": ("7.00", "inactive"),
        }
    else:
        assert '\'=JTL-USED-0001","","EUR","10.53","10.53"' in Path(name).read_text()


def test_an_export_tells_what_it_leaves_behind(accounts: dict[str, RunningSimulator], run: Run) -> None:
    said = accounts["shop"].announcement
    body = {"amount": "3.00", "currency": "EUR", "type": "digital", "status": "active", "data": "for Anna"}
    headers = {"Authorization": f"Bearer {said['token']}"}
    assert requests.post(f"{said['base_url']}/vouchers", json=body, headers=headers, timeout=5).ok
    ran = run("export", "shop", "out.jsonl", "--reveal").done()
    assert "6 vouchers went to" in ran.out
    assert ran.out.splitlines()[-2:] == ["what is lost  vouchers  value", "metadata             1  3.00 EUR"]


def test_without_reveal_no_code_is_in_the_file_or_the_plan_and_it_is_no_source(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.csv").done()
    for path in (Path("out.csv"), Path("out.csv.plan.jsonl")):
        assert "JTL-" not in path.read_text()
    assert "••••0001" in Path("out.csv").read_text()
    refused = run("import", "events", "out.csv")
    assert refused.code == 2
    assert "out.csv has masked codes" in refused.err
    assert _changes(accounts["events"]) == 0


def test_a_masked_export_is_compared_with_its_plan_too(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.jsonl").done()
    path = Path("out.jsonl")
    path.write_text(path.read_text().replace('"amount":"50.00"', '"amount":"51.00"'))
    ran = run("--json", "export", "shop", "out.jsonl")
    assert ran.code == 5
    told = ran.objects[-1]
    assert told["verified"] is False
    assert [one["kind"] for one in told["differences"]] == ["lost", "doubled"]
    assert told["differences"][0]["source_id"] == "full"


def test_an_export_that_somebody_changed_is_told(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.jsonl", "--reveal").done()
    path = Path("out.jsonl")
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "FULL" not in line))
    ran = run("export", "shop", "out.jsonl", "--reveal")
    assert ran.code == 5
    assert "full" in ran.out
    assert "EUR does not add up: before 67.54 EUR, at target 17.54 EUR" in ran.out


def test_as_json_an_export_says_what_it_carried_and_what_came_of_it(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    told = run("--json", "export", "shop", "out.jsonl", "--reveal").done().objects[-1]
    assert told["carried"] == {"count": 5, "money": {"EUR": {"amount": "67.54", "currency": "EUR"}}}
    assert (told["verified"], told["differences"], told["refused"]["count"]) == (True, [], 0)
    assert told["run"]["moved"] == {"EUR": {"amount": "67.54", "currency": "EUR"}}


def test_an_export_does_not_write_into_a_file_that_is_there(accounts: dict[str, RunningSimulator], run: Run) -> None:
    Path("out.jsonl").write_text('{"id":"a"}\n')
    assert run("export", "shop", "out.jsonl").code == 2
    assert Path("out.jsonl").read_text() == '{"id":"a"}\n'


def test_a_file_of_another_suffix_needs_a_format(accounts: dict[str, RunningSimulator], run: Run) -> None:
    assert "--format" in run("export", "shop", "out.txt").err
    run("export", "shop", "out.txt", "--format", "csv", "--reveal").done()
    assert Path("out.txt").read_text().startswith('"id","code"')


def test_an_export_without_a_journal_says_that_it_needs_one(shop: RunningSimulator, run: Run) -> None:
    ran = run("export", "shop", "out.jsonl")
    assert ran.code == 2
    assert "needs a journal" in ran.err


def _policy(text: str) -> str:
    Path("policy.toml").write_text(text)
    return "policy.toml"


SKIPPING = """
losses = ["medium"]
[vouchers]
inactive = "skip"
empty = "skip"
"""


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_an_import_issues_the_vouchers_of_a_file_and_refuses_what_no_policy_names(
    accounts: dict[str, RunningSimulator], run: Run, name: str
) -> None:
    run("export", "shop", name, "--reveal").done()
    before = Path(name).read_bytes()
    ran = run("import", "events", name, "--policy", _policy('losses = ["medium"]'))
    assert ran.code == 1
    assert "3 vouchers went to events, compared and found right: 60.54 EUR" in ran.out
    assert "it is not active" in ran.out
    assert "it has no value left" in ran.out
    assert Path(name).read_bytes() == before
    found = {one["code"]: str(one["remaining"]) for one in accounts["events"].ledger()}
    assert found == {"=JTL-FULL-0001": "50.00", "=JTL-ODD-0001": "0.01", "=JTL-USED-0001": "10.53"}


def test_what_a_policy_skips_is_left_out_without_complaint(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    ran = run("import", "events", "out.csv", "--policy", _policy(SKIPPING)).done()
    assert "3 vouchers went to events" in ran.out


def test_a_dry_run_changes_nothing_and_leaves_no_plan_behind(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    files = sorted(Path().iterdir())
    ran = run("import", "events", "out.csv", "--dry-run", "--policy", _policy(SKIPPING)).done()
    assert "3 vouchers would go to events: 60.54 EUR" in ran.out
    assert _changes(accounts["events"]) == 0
    assert sorted(Path().iterdir()) == sorted([*files, Path("policy.toml")])
    told = run("--json", "import", "events", "out.csv", "--dry-run").object
    assert (told["dry_run"], told["refused"]["count"]) == (True, 5)


def test_a_repeated_import_issues_nothing_twice(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    run("import", "events", "out.csv", "--policy", _policy('losses = ["medium"]'))
    before = _changes(accounts["events"])
    again = run("import", "events", "out.csv")
    assert "Continued with the plan" in again.err
    assert "3 vouchers went to events, compared and found right" in again.out
    assert _changes(accounts["events"]) == before


def _file(*codes: str, name: str = "in.csv", amount: str = "10.00") -> str:
    rows = [f"{code},EUR,{amount},active,digital" for code in codes]
    Path(name).write_text("\n".join(["code,currency,remaining,status,medium", *rows, ""]))
    return name


LOSING = 'losses = ["medium"]'


def test_another_policy_for_a_plan_that_is_begun_is_refused(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("import", "events", _file("GIFT-0001"), "--policy", _policy(LOSING)).done()
    before = _changes(accounts["events"])
    refused = run("import", "events", "in.csv", "--policy", _policy(SKIPPING))
    assert refused.code == 2
    assert "was begun with another policy: continue it without a policy" in refused.err
    run("import", "events", "in.csv", "--policy", _policy(LOSING)).done()
    run("import", "events", "in.csv").done()
    assert _changes(accounts["events"]) == before


def test_a_plan_of_which_nothing_was_begun_is_made_anew(accounts: dict[str, RunningSimulator], run: Run) -> None:
    assert run("import", "events", _file("GIFT-0001")).code == 1  # the strictest policy refuses all of it
    ran = run("--json", "import", "events", _file("GIFT-0001", "GIFT-0002"), "--policy", _policy(LOSING)).done()
    done = ran.objects[-1]
    assert (done["resumed"], done["carried"]["count"]) == (False, 2)
    assert {one["code"] for one in accounts["events"].ledger()} == {"GIFT-0001", "GIFT-0002"}


def test_what_came_to_a_file_after_its_import_is_named_and_has_the_exit_code_of_differences(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    policy = _policy(LOSING)
    run("import", "events", _file("GIFT-0001", "GIFT-0002"), "--policy", policy).done()
    _file("GIFT-0001", "GIFT-0003", "GIFT-0004")
    ran = run("import", "events", "in.csv", "--policy", policy)
    assert ran.code == 5
    assert "2 changes at" in ran.out
    assert "line:3   ••••03  it was planned with another code" in ran.out
    assert "line:4   ••••04  it did not exist when the plan was made" in ran.out
    assert "Import them from a file that has nothing else." in ran.err
    told = run("--json", "import", "events", "in.csv").objects[-1]
    assert (told["resumed"], [one["source_id"] for one in told["since"]]) == (True, ["line:3", "line:4"])
    assert {one["code"] for one in accounts["events"].ledger()} == {"GIFT-0001", "GIFT-0002"}


def test_an_account_that_changed_after_its_export_is_not_said_to_be_all_in_the_file(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.jsonl", "--reveal").done()
    assert run("--json", "export", "shop", "out.jsonl", "--reveal").done().objects[-1]["since"] == []
    run("issue", "shop", "1.00", "EUR", "--id", "late", "--reference", "late").done()
    run("redeem", "shop", code_of("full"), "50.00", "EUR", "--reference", "all").done()
    ran = run("export", "shop", "out.jsonl", "--reveal")
    assert ran.code == 5
    assert "late" in ran.out
    assert "it was planned with another value" in ran.out
    assert "An export into a new file has them." in ran.err


@pytest.mark.parametrize("first", [True, False])
def test_an_export_goes_on_in_the_form_in_which_it_was_begun(
    accounts: dict[str, RunningSimulator], run: Run, first: bool
) -> None:
    ways = {True: ["--reveal"], False: []}
    run("export", "shop", "out.csv", *ways[first]).done()
    refused = run("export", "shop", "out.csv", *ways[not first])
    assert refused.code == 2
    assert f"out.csv holds {'codes' if first else 'masked codes'}" in refused.err


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


def test_a_plan_of_another_copy_is_not_taken_for_this_one(accounts: dict[str, RunningSimulator], run: Run) -> None:
    run("export", "shop", "out.csv", "--reveal").done()
    ran = run("import", "events", "out.csv", "--plan", "out.csv.plan.jsonl")
    assert ran.code == 2
    assert "plan of another copy" in ran.err


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
    assert _changes(accounts["events"]) == 0
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


def test_an_export_for_a_spreadsheet_has_its_delimiter_and_decimal_sign(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.csv", "--reveal", "--delimiter", ";", "--decimal", "comma", "--byte-order-mark").done()
    body = Path("out.csv").read_bytes()
    assert body.startswith(b'\xef\xbb\xbf"id";"code"')
    assert b'"EUR";"10,53";"10,53"' in body


def test_a_file_that_was_cut_off_is_not_imported_as_if_it_were_whole(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.jsonl", "--reveal").done()
    path = Path("out.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    ran = run("import", "events", "out.jsonl")
    assert ran.code == 2
    assert "line 5 is incomplete, and was left out" in ran.err
    assert _changes(accounts["events"]) == 0


def test_the_vouchers_of_a_shops_own_list_can_be_imported(
    accounts: dict[str, RunningSimulator], run: Run, tmp_path: Path
) -> None:
    Path("in.csv").write_text("remaining,currency,code\n12.34,EUR,GIFT-0001\n0.05,EUR,GIFT-0002\n")
    run("import", "shop", "in.csv", "--policy", _policy('losses = ["no-end"]\naccept = ["spoiled-codes"]')).done()
    found = {one["code"]: str(one["remaining"]) for one in accounts["shop"].ledger()}
    assert (found["GIFT-0001"], found["GIFT-0002"]) == ("12.34", "0.05")


def test_files_are_ends_of_migrate_plan_too(accounts: dict[str, RunningSimulator], run: Run) -> None:
    ran = run("migrate", "plan", "shop", "out.jsonl", "--out", "plan.jsonl", "--reveal")
    assert ran.code == 1  # without a policy the inactive and the empty one are refused
    run("migrate", "run", "plan.jsonl", "--reveal").done()
    run("migrate", "verify", "plan.jsonl").done()
    assert len(_lines("out.jsonl")) == 3
    assert run("migrate", "plan", "shop", "out.txt", "--out", "p.jsonl").code == 2


def test_a_name_that_is_neither_an_account_nor_a_file_is_not_repeated(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    ran = run("migrate", "plan", "shop", "GIFT-SECRET-0001", "--out", "p.jsonl")
    assert ran.code == 2
    assert "GIFT-SECRET-0001" not in ran.err
    assert "not a path that ends in .jsonl or .csv" in ran.err


@pytest.mark.parametrize("seed", first([0.3, 0.0, 0.8]))
@pytest.mark.long
def test_a_killed_export_and_import_go_on_with_the_same_command(
    accounts: dict[str, RunningSimulator], run: Run, tmp_path: Path, seed: float
) -> None:
    Path("in.csv").write_text(
        "remaining,currency,code\n" + "".join(f"1.{number:02},EUR,GIFT-{number:04}\n" for number in range(60))
    )

    def killed(*arguments: str) -> None:
        command = [sys.executable, "-c", "from voucher_gateway.cli import main; main()", *arguments]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while process.poll() is None and not _begun(accounts, arguments, seed) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()

    killed("import", "events", "in.csv")
    ran = run("import", "events", "in.csv")
    in_doubt = ran.out.count(" in-doubt: ")  # killed between the note in the journal and the request
    assert ran.code == (4 if in_doubt else 0), ran.err
    ledger = accounts["events"].ledger()
    issued = {str(voucher["code"]): str(voucher["remaining"]) for voucher in ledger}
    assert 60 - in_doubt <= len(issued) == len(ledger)
    assert issued == {code: f"1.{code[-2:]}" for code in issued}

    killed("export", "events", "out.csv", "--reveal")
    run("export", "events", "out.csv", "--reveal").done()
    assert len(Path("out.csv").read_text().splitlines()) == len(ledger) + 1


def _begun(accounts: dict[str, RunningSimulator], arguments: tuple[str, ...], share: float) -> bool:
    """Whether about this share of sixty vouchers is through."""
    if arguments[0] == "import":
        return _changes(accounts["events"]) > 60 * share
    path = Path("out.csv")
    return path.exists() and path.read_bytes().count(b"\n") > 60 * share


def test_a_path_that_no_journal_could_note_is_refused(accounts: dict[str, RunningSimulator], run: Run) -> None:
    refused = run("migrate", "plan", "shop", f"{'x' * 300}.csv", "--out", "a.plan")
    assert refused.code == 2
    assert "255 characters" in refused.err
