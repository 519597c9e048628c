"""`operations list` and `operations show`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.redemption_in_doubt import CHARGE, REDEEM
from tests.support.many_operations import write_operations
from voucher_gateway import Gateway
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.simulator import RunningSimulator


def test_operations_are_listed_by_outcome_and_account(run: Any, taken: RunningSimulator) -> None:
    unknown = run("--json", "operations", "list", "--outcome", "unknown").done().object
    assert (unknown["account"], unknown["verb"], unknown["reference"], unknown["order"]) == (
        "shop",
        "redeem",
        "a",
        "1001",
    )
    assert unknown["money"] == {"amount": "10.53", "currency": "EUR"}
    assert unknown["result"] is None
    assert len(run("--json", "operations", "list", "--account", "shop", "--limit", "2").done().objects) == 2
    none = run("operations", "list", "--outcome", "declined").done()
    assert (none.out, none.err) == ("", "There are none.\n")
    assert run("operations", "list", "--outcome", "nonsense").code == 2


def test_operations_are_listed_by_what_a_person_knows_of_them_the_newest_first(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    issue = ["issue", "shop", "20.00", "EUR", "--code", "JTL-OTHER-0001", "--activate", "--reference", "i"]
    other = run("--json", *issue).done().objects[0]["result"]["id"]
    run(*REDEEM, "a").done()
    run("redeem", "shop", "JTL-OTHER-0001", "5.00", "EUR", "--order", "1002", "--reference", "b").done()
    (tmp_path / "code.txt").write_text("JTL-OTHER-0001\n")

    def references(*options: str) -> list[str]:
        listed = run("--json", "operations", "list", *options).done().objects
        return [f"{operation['verb']} {operation['reference']}" for operation in listed]

    assert references()[:4] == ["redeem b", "redeem a", "activate i", "issue i"]
    assert references("--limit", "1") == ["redeem b"]
    assert references("--order", "1001") == ["redeem a"]
    assert (
        references("--voucher", other)
        == references("--code", "JTL-OTHER-0001")
        == ["redeem b", "activate i", "issue i"]
    )
    assert references("--code", "-", "--code-file", "code.txt") == ["redeem b", "activate i", "issue i"]
    assert references("--reference", "a") == ["redeem a"]
    assert references("--verb", "issue", "--account", "shop") == ["issue i", "issue gift"]
    assert references("--since", "2026-01-01") == references()
    assert references("--until", "2026-01-01") == references("--since", "2200-01-01T00:00:00Z") == []
    assert run("operations", "list").done().out.splitlines()[1].split()[2:5] == ["shop", "redeem", "b"]


def test_a_day_means_all_of_it(run: Any, kept: RunningSimulator) -> None:
    run(*REDEEM, "a").done()
    day = run("--json", "operations", "list", "--limit", "1").done().object["created_at"][:10]
    assert len(run("--json", "operations", "list", "--since", day, "--until", day).done().objects) > 0
    assert run("--json", "operations", "list", "--until", f"{day}T00:00:00Z").done().objects == []
    for option in ("--since", "--until"):
        for wrong in ("2026-02-30", "yesterday", "2026-11-29T10:00:00"):
            ran = run("operations", "list", option, wrong)
            assert (ran.code, wrong in ran.err, option in ran.err) == (2, False, True)


def test_operations_are_printed_while_they_are_read(
    run: Any, kept: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*REDEEM, "a").done()
    read = []
    parse = OperationRecord.from_row

    def from_row(row: Any) -> OperationRecord:
        read.append(row["reference"])
        if len(read) > 250:
            raise DatabaseUnavailable("the disk is gone")
        return parse(row)

    gateway = Gateway.from_config(tmp_path / "voucher-gateway.toml")
    assert gateway.journal is not None
    write_operations(gateway.journal, 400, begin=datetime(2026, 1, 1, tzinfo=UTC))
    gateway.close()
    monkeypatch.setattr(OperationRecord, "from_row", from_row)
    for form in ([], ["--json"]):
        read.clear()
        ran = run(*form, "operations", "list")
        assert (ran.code, len(ran.out.splitlines())) == (3, 250 if form else 251)  # the table has a heading


def test_one_operation_is_shown_whole(run: Any, taken: RunningSimulator) -> None:
    shown = run("operations", "show", "shop", "redeem", "a").done()
    assert shown.out.startswith("shop: redeem a is still unknown\n")
    assert re.search(r"  reason +POST /reservations/\{id\}/charge: the connection broke", shown.out)
    run("resolve", "shop", "redeem", "a").done()
    told = run("--json", "operations", "show", "shop", "redeem", "a").done().object
    assert (told["outcome"], told["attempt"], told["result"]["money"]["amount"]) == ("succeeded", 1, "10.53")


LOOK_FOR = [
    "what        capture of 10.53 EUR",
    "from        20",
    "to          20",
    "login       ",
    "voucher     gift",
    "of          ",
    "order mark  1001~",
    "order       1001",
]


def test_an_operation_in_doubt_says_what_to_look_for_at_the_vendor(run: Any, lost: RunningSimulator) -> None:
    shown = run("operations", "show", "shop", "redeem", "a").done().out
    lines = [line.strip() for line in re.split(r"Look at shop \(.*\) for this:\n", shown)[1].splitlines()]
    assert all(line.startswith(begin) for line, begin in zip(lines, LOOK_FOR, strict=True))
    (hint,) = run("--json", "operations", "show", "shop", "redeem", "a").done().object["look_for"]
    assert (hint["step"], hint["voucher_id"], hint["order"]) == ("capture", "gift", "1001")
    lost.clock.advance(1900)
    run("resolve", "shop", "redeem", "a").done()
    assert run("--json", "operations", "show", "shop", "redeem", "a").done().object["look_for"] == []


def test_without_a_journal_its_commands_say_that_there_is_none(run: Any, shop: RunningSimulator) -> None:
    for command in (["operations", "list"], ["operations", "backup", "b.db"], ["recover"], ["reconcile"]):
        ran = run(*command)
        assert (ran.code, shop.requests) == (2, [])
        assert "name one in the configuration" in ran.err


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_of_operations_fit_into_their_terminal(
    run: Any, lost: RunningSimulator, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost.inject("drop-before", CHARGE)
    assert run(*REDEEM, "a-reference-of-the-shop-that-is-rather-long-2026-11-20-0001").code == 4
    run("recover", "--all")
    lost.inject("commit-then-drop", CHARGE)
    assert run(*REDEEM, "b").code == 4
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    for command in (["operations", "list"], ["reconcile"], ["recover", "--all"]):
        lines = run(*command, terminal=True).out.splitlines()
        assert max(map(cell_len, lines)) <= columns, command
        assert len(lines) > 2
    assert "10.53 EUR" in run("operations", "list", terminal=True).out
