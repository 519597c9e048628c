"""Commands that look at vouchers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"


def test_a_voucher_is_shown_by_its_id_with_exact_amounts_and_moments_in_utc(run: Any, gift: str) -> None:
    shown = run("--json", "show", "shop", "--id", gift).done().object
    assert shown["id"] == gift
    assert shown["initial"] == {"amount": "50.00", "currency": "EUR"}
    assert shown["remaining"] == {"amount": "50.00", "currency": "EUR"}
    assert shown["valid_until"].endswith("Z")
    assert "raw" not in shown


def test_a_voucher_is_shown_by_its_code_and_the_code_stays_masked(run: Any, gift: str) -> None:
    ran = run("show", "shop", "--code", CODE).done()
    assert "••••4HTP" in run("--json", "show", "shop", "--code", CODE).done().object["code"]
    assert CODE not in ran.out
    assert gift in ran.out


def test_reveal_shows_code_and_pin_however_the_voucher_is_found(run: Any, shop: RunningSimulator) -> None:
    run("issue", "shop", "5.00", "EUR", "--id", "card", "--code", CODE, "--pin", "4711", "--reference", "r").done()
    for found_by in (["--id", "card"], ["--code", CODE]):
        masked = run("--json", "show", "shop", *found_by).done()
        assert "4711" not in masked.out
        shown = run("--json", "show", "shop", *found_by, "--reveal").done().object
        assert (shown["code"], shown["pin"], shown["remaining"]["amount"]) == (CODE, "4711", "5.00")


def test_what_is_left_is_shown_even_where_the_vendor_tells_it_only_by_the_code(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    issued = run("--json", "issue", "events", "29.90", "EUR", "--code", "EVENT-1", "--reference", "r").done().object
    shown = run("--json", "show", "events", "--id", issued["result"]["id"]).done().object
    assert shown["remaining"] == {"amount": "29.90", "currency": "EUR"}


def test_a_code_is_asked_for_without_an_echo_where_stdin_is_a_terminal(
    run: Any, gift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return CODE

    monkeypatch.setattr("getpass.getpass", getpass)
    assert run("--json", "balance", "shop", "-", typing=True).done().object["voucher_id"] == gift
    assert asked == ["code: "]


def test_a_code_can_come_from_stdin_or_a_file_so_that_no_process_list_shows_it(
    run: Any, gift: str, tmp_path: Path
) -> None:
    file = tmp_path / "code.txt"
    file.write_text(f"{CODE}\nsecond line\n")
    expected = run("--json", "balance", "shop", CODE).done().object
    assert run("--json", "balance", "shop", "-", stdin=f"{CODE}\n").done().object == expected
    assert run("--json", "balance", "shop", "-", "--code-file", str(file)).done().object == expected
    assert run("--json", "show", "shop", "--code-file", str(file)).done().object["id"] == gift


def test_a_pin_on_stdin_comes_after_the_code(run: Any, shop: RunningSimulator) -> None:
    run("issue", "shop", "5.00", "EUR", "--id", "card", "--code", CODE, "--pin", "4711", "--reference", "a").done()
    run("activate", "shop", "card", "--reference", "a").done()
    taken = run("redeem", "shop", "-", "1.00", "EUR", "--pin", "-", "--reference", "b", stdin=f"{CODE}\r\n4711\r\n")
    assert taken.done().code == 0
    assert json.loads(shop.requests[-2].body)["pin"] == "4711"


def test_a_code_keeps_its_blanks_because_no_vendor_says_that_they_do_not_count(
    run: Any, shop: RunningSimulator
) -> None:
    run("balance", "shop", "-", stdin=" A B \n")
    assert "=%20A%20B%20" in shop.requests[-1].query


@pytest.mark.parametrize("stdin", ["", "\n"])
def test_an_empty_code_is_refused_before_anything_is_sent(run: Any, shop: RunningSimulator, stdin: str) -> None:
    ran = run("--json", "balance", "shop", "-", stdin=stdin)
    assert (ran.code, ran.error["error"], ran.error["field"]) == (2, "InvalidRequest", "code")
    assert shop.requests == []


def test_a_code_given_twice_or_in_a_file_that_is_not_there_is_refused(run: Any, shop: RunningSimulator) -> None:
    assert run("balance", "shop", "SOME-CODE", "--code-file", "code.txt").code == 2
    missing = run("balance", "shop", "-", "--code-file", "code.txt")
    assert missing.code == 2
    assert "No such file" in missing.err
    assert shop.requests == []


def test_show_wants_exactly_one_of_id_and_code(run: Any, shop: RunningSimulator) -> None:
    assert run("show", "shop").code == 2
    assert run("show", "shop", "--id", "a", "--code", "b").code == 2
    assert shop.requests == []


def test_find_tells_whose_voucher_a_code_is_and_asks_nobody_else(run: Any, both: dict[str, RunningSimulator]) -> None:
    run("issue", "shop", "5.00", "EUR", "--id", "gift", "--code", CODE, "--reference", "r").done()
    found = run("--json", "find", CODE).done().object
    assert (found["state"], found["asked"], found["left_out"]) == ("found", ["shop"], ["events"])
    assert [voucher["id"] for voucher in found["vouchers"]] == ["gift"]
    assert both["events"].requests == []
    assert CODE not in run("find", CODE).done().out


def test_find_ends_with_1_if_nobody_has_the_code_and_says_who_was_not_asked(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    ran = run("find", "ELSEWHERE")
    assert ran.code == 1
    assert "Not asked, because no code_pattern matches: shop, events" in ran.err
    assert run("--json", "find", "ELSEWHERE").object["state"] == "not_found"
    assert both["shop"].requests == both["events"].requests == []


def test_broadcasting_a_code_shows_it_to_every_vendor(run: Any, both: dict[str, RunningSimulator]) -> None:
    run("issue", "events", "5.00", "EUR", "--code", "ELSEWHERE", "--reference", "r").done()
    found = run("--json", "find", "ELSEWHERE", "--broadcast").done().object
    assert [voucher["account"] for voucher in found["vouchers"]] == ["events"]
    assert both["shop"].requests != []


def test_find_ends_with_3_and_names_who_could_not_be_asked(run: Any, both: dict[str, RunningSimulator]) -> None:
    both["shop"].inject("error-before", "GET /v1/vouchers", 0)
    ran = run("find", CODE)
    assert ran.code == 3
    assert "shop find" in ran.err
    told = run("--json", "find", CODE).object
    assert (told["state"], told["failed"]["shop"]["error"]) == ("incomplete", "ProviderUnavailable")


def test_balance_says_what_is_left_and_until_when(run: Any, gift: str) -> None:
    run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "r").done()
    assert run("balance", "shop", CODE).done().out.startswith("39.47 EUR\n")
    assert run("--json", "balance", "shop", CODE).done().object["remaining"]["amount"] == "39.47"


def test_history_lists_every_movement_with_its_reference(run: Any, shop: RunningSimulator, gift: str) -> None:
    run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "1001-a").done()
    shop.clock.advance(60)
    run("top-up", "shop", gift, "5.00", "EUR", "--reference", "1002-t").done()
    told = run("--json", "history", "shop", gift).done().object
    assert told["complete"] is True
    assert [(one["kind"], one["money"]["amount"], one["reference"]) for one in told["movements"]] == [
        ("redemption", "10.53", "1001-a"),
        ("top_up", "5.00", "1002-t"),
    ]
    shown = run("history", "shop", gift).done().out
    assert "redemption" in shown
    assert "1001-a" in shown


def test_an_empty_history_is_said_to_be_empty(run: Any, gift: str) -> None:
    ran = run("history", "shop", gift).done()
    assert (ran.out, ran.err) == ("", "Nothing has happened to it yet.\n")
