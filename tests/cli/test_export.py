"""`export`: a file as a copy of an account."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import Run
from tests.cli.voucher_files import code_of, count_changes, read_lines
from voucher_gateway.simulator import RunningSimulator


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_an_export_has_every_voucher_with_its_remaining_value(
    accounts: dict[str, RunningSimulator], run: Run, name: str
) -> None:
    before = count_changes(accounts["shop"])
    ran = run("export", "shop", name, "--reveal").done()
    assert "5 vouchers went to" in ran.out
    assert "67.54 EUR" in ran.out
    assert count_changes(accounts["shop"]) == before
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    if name.endswith(".jsonl"):
        found = {one["code"]: (one["remaining"]["amount"], one["status"]) for one in read_lines(name)}
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
    assert count_changes(accounts["events"]) == 0


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
    assert "EUR does not add up: before 67.54 EUR, issued at the target 17.54 EUR, used there since" in ran.out


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


def test_an_export_for_a_spreadsheet_has_its_delimiter_and_decimal_sign(
    accounts: dict[str, RunningSimulator], run: Run
) -> None:
    run("export", "shop", "out.csv", "--reveal", "--delimiter", ";", "--decimal", "comma", "--byte-order-mark").done()
    body = Path("out.csv").read_bytes()
    assert body.startswith(b'\xef\xbb\xbf"id";"code"')
    assert b'"EUR";"10,53";"10,53"' in body
