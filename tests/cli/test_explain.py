"""The command that a support desk uses: one sentence, and the story behind it."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
REDEEM = ["redeem", "shop", CODE]


@pytest.fixture
def used(run: Any, kept: RunningSimulator) -> RunningSimulator:
    """A shop whose voucher the orders 1000 and 1001 used up."""
    run(*REDEEM, "40.00", "EUR", "--order", "1000", "--reference", "a").done()
    run(*REDEEM, "10.00", "EUR", "--order", "1001", "--reference", "b").done()
    return kept


def test_the_sentence_comes_first_and_then_the_story(run: Any, used: RunningSimulator) -> None:
    lines = run("explain", CODE).done().out.splitlines()
    assert lines[0].startswith("Used up on ")
    assert lines[0].endswith(" by order 1001.")
    assert lines[2] == "shop: voucher gift"
    assert lines[3].split() == ["code", "••••4HTP"]
    assert lines[-5].split() == ["at", "(UTC)", "what", "amount", "outcome", "by"]
    story = [line.split()[2:] for line in lines[-4:]]
    assert story == [
        ["issue", "50.00", "EUR", "succeeded", "gift"],
        ["activate", "succeeded", "gift"],
        ["redeem", "40.00", "EUR", "succeeded", "order", "1000"],
        ["redeem", "10.00", "EUR", "succeeded", "order", "1001"],
    ]


def test_an_explanation_as_json(run: Any, used: RunningSimulator) -> None:
    told = run("--json", "explain", CODE).done()
    assert (told.object["reason"], told.object["order"], told.object["missing"]) == ("used_up", None, [])
    (voucher,) = told.object["vouchers"]
    assert (voucher["account"], voucher["code"], voucher["reason"]) == ("shop", "••••4HTP", "used_up")
    assert {event["source"] for event in told.object["events"]} == {"journal", "both"}
    assert told.object["events"][-1]["money"] == {"amount": "10.00", "currency": "EUR"}


def test_an_order_is_explained_without_a_question_to_a_vendor(run: Any, used: RunningSimulator) -> None:
    before = len(used.requests)
    ran = run("explain", "--order", "1001").done()
    assert ran.out.splitlines()[0] == "Order 1001 took 10.00 EUR."
    assert len(used.requests) == before


def test_the_exit_code_says_whether_it_is_known(run: Any, used: RunningSimulator) -> None:
    unknown = run("explain", "JTL-NOT-THERE")
    assert (unknown.code, unknown.out) == (1, "Not known at any account: asked shop.\n")
    assert run("explain", "--order", "404").code == 1
    used.inject("error-before", "GET *", 0)
    used.inject("error-before", "POST /v1/vouchers/*", 0)
    ran = run("explain", "JTL-NOT-THERE")
    assert (ran.code, "Missing: shop could not be asked: " in ran.err) == (3, True)
    for wrong in ([], [CODE, "--order", "1001"]):
        assert run("explain", *wrong).code == 2


def test_what_is_in_doubt_says_which_command_finds_out(run: Any, kept: RunningSimulator) -> None:
    kept.inject("drop-before", "POST /v1/reservations/*/charge")
    assert run(*REDEEM, "10.00", "EUR", "--order", "9", "--reference", "c").code == 4
    ran = run("explain", "--order", "9").done()
    assert "is in doubt since" in ran.out.splitlines()[0]
    assert ran.err.splitlines()[-1] == "Find out with: voucher-gateway resolve shop redeem c"


def test_what_was_not_executed_is_said_in_the_words_of_the_other_tables(run: Any, kept: RunningSimulator) -> None:
    kept.inject("drop-before", "POST /v1/reservations/*/charge")
    assert run(*REDEEM, "10.00", "EUR", "--order", "9", "--reference", "c").code == 4
    by = ["--did-not-happen", "--by", "Ann", "--reason", "ticket 4711"]
    run("operations", "decide", "shop", "redeem", "c", *by).done()
    assert "not executed" in run("explain", "--order", "9").done().out
    events = run("--json", "explain", "--order", "9").done().object["events"]
    assert [event["state"] for event in events] == ["not_executed"]


def test_no_code_is_printed_from_a_file_or_from_the_command_line(
    run: Any, used: RunningSimulator, tmp_path: Any
) -> None:
    (tmp_path / "code.txt").write_text(f"{CODE}\n")
    for arguments in ([CODE], ["-", "--code-file", "code.txt"]):
        for form in ([], ["--json"]):
            ran = run(*form, "explain", *arguments).done()
            assert CODE not in ran.out + ran.err


def test_a_story_fits_into_80_columns(run: Any, used: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    reserve = ["reserve", "shop", CODE, "10.53", "EUR", "--order", "2026-11-0003", "--reference"]
    assert run(*reserve, "a-reference-of-the-shop-that-is-rather-long-2026-11-20-0001").code == 1
    for arguments in ([CODE], ["--order", "2026-11-0003"]):
        lines = run("explain", *arguments, terminal=True).out.splitlines()
        assert max(map(cell_len, lines)) <= 80
        assert len(lines) > 4
