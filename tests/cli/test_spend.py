"""Commands that take value from vouchers, set it aside, or give it back."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from voucher_gateway.capabilities import Operation, OptionRule, OptionType
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import JtlProvider

CODE = "JTL-7K2M-9QXD-4HTP"


def test_value_is_reserved_captured_and_given_back_in_parts(run: Any, gift: str) -> None:
    reserved = run("--json", "reserve", "shop", CODE, "10.53", "EUR", "--reference", "a", "--order", "1001").done()
    reservation = reserved.object["result"]
    assert (reserved.object["order"], reservation["money"]["amount"]) == ("1001", "10.53")
    captured = run(
        "--json", "capture", "shop", "--reservation-id", reservation["id"], "--amount", "10.53", "--currency", "EUR",
        "--voucher-id", reservation["voucher_id"], "--reserved-until", reservation["valid_until"], "--reference", "a",
    ).done().object  # fmt: skip
    assert captured["result"]["money"] == {"amount": "10.53", "currency": "EUR"}
    refunded = run(
        "--json", "refund", "shop", "--redemption-id", captured["result"]["id"], "--amount", "3.00",
        "--redeemed", "10.53", "--currency", "EUR", "--reference", "b",
    ).done().object  # fmt: skip
    assert (refunded["verb"], refunded["result"]["money"]["amount"]) == ("refund", "3.00")
    assert run("balance", "shop", CODE).done().out.startswith("42.47 EUR")


def test_a_release_says_that_nothing_is_freed_yet_and_when_it_will_be(run: Any, gift: str) -> None:
    reservation = run("--json", "reserve", "shop", CODE, "5.00", "EUR", "--reference", "a").done().object["result"]
    arguments = ["--reservation-id", reservation["id"], "--amount", "5.00", "--currency", "EUR", "--reference", "b"]
    told = run("--json", "release", "shop", *arguments, "--reserved-until", reservation["valid_until"]).done().object
    assert (told["result"]["freed"], told["result"]["frees_at"]) == (False, reservation["valid_until"])
    assert "freed           no" in run("release", "shop", *arguments).done().out


def test_redeeming_prints_what_moved_at_the_vendor(run: Any, gift: str) -> None:
    ran = run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a", "--order", "1001").done()
    assert ran.out.startswith("shop: redeem succeeded\n")
    assert "10.53 EUR" in ran.out
    assert CODE not in ran.out + ran.err


def test_an_accepted_emulation_redeems_at_the_ticketing_vendor(run: Any, both: dict[str, RunningSimulator]) -> None:
    run("issue", "events", "29.90", "EUR", "--code", "EVENT-1", "--reference", "a").done()
    told = run("--json", "redeem", "events", "EVENT-1", "9.90", "EUR", "--reference", "b").done().object
    assert told["result"]["remaining"]["amount"] == "20.00"
    assert both["events"].ledger()[0]["remaining"] == "20.00"


def test_an_emulation_that_is_not_accepted_is_named_with_its_risk_and_nothing_is_sent(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    ran = run("--json", "refund", "events", "--redemption-id", "x", "--amount", "1", "--currency", "EUR",
              "--reference", "r")  # fmt: skip
    assert (ran.code, ran.error["error"], ran.error["emulation"]) == (1, "UnsupportedOperation", "refund-by-update")
    assert 'accept_risks = ["refund-by-update"]' in ran.error["message"]
    assert both["events"].requests == []


@pytest.mark.parametrize("option", ["--reference", "--order"])
def test_a_code_in_the_reference_or_the_order_is_refused(run: Any, shop: RunningSimulator, option: str) -> None:
    names = {"--reference": "1001-a", "--order": "1001"} | {option: f"1001 {CODE.lower()}"}
    ran = run("redeem", "shop", CODE, "1.00", "EUR", *(part for pair in names.items() for part in pair))
    assert (ran.code, shop.requests) == (2, [])
    assert f"{option[2:]} must not contain the voucher's code" in ran.err
    assert CODE.casefold() not in (ran.out + ran.err).casefold()


def test_a_reference_is_needed_for_whatever_changes_something(run: Any, shop: RunningSimulator) -> None:
    ran = run("redeem", "shop", CODE, "1.00", "EUR")
    assert (ran.code, shop.requests) == (2, [])
    assert "--reference" in ran.err
    assert run("redeem", "shop", CODE, "1.00", "EUR", "--reference", " padded ").code == 2
    assert shop.requests == []


def test_what_a_till_prints_of_the_tax_is_told_by_the_reservation_and_by_what_is_taken(
    run: Any, shop: RunningSimulator
) -> None:
    run("issue", "shop", "50.00", "EUR", "--code", CODE, "--taxable", "--tax-rate", "19", "--activate",
        "--reference", "i").done()  # fmt: skip
    for verb in ("reserve", "redeem"):
        ran = run("--json", verb, "shop", CODE, "5.00", "EUR", "--reference", verb).done()
        assert (ran.object["result"]["taxable"], ran.object["result"]["tax_rate"]) == (True, "19")
        shown = run(verb, "shop", CODE, "5.00", "EUR", "--reference", f"{verb}-2").done().out.split("\n")
        assert [" ".join(line.split()) for line in shown if "tax" in line] == ["taxable yes", "tax rate 19"]


def test_a_call_takes_the_options_that_its_vendor_declares(
    run: Any, gift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = OptionRule(name="tip", operations=frozenset({Operation.RESERVE}), type=OptionType.INTEGER, help="in cents")
    declared = attrs.evolve(JtlProvider.declared, options=(rule,))
    monkeypatch.setattr(JtlProvider, "declared", declared)
    monkeypatch.setattr(JtlProvider, "capabilities", property(lambda _: declared))
    reserve = ("reserve", "shop", CODE, "10", "EUR", "--reference", "a")
    run(*reserve, "--option", "tip=5").done()
    refused = run("--json", *reserve[:-1], "b", "--option", "tip=five")
    assert (refused.code, refused.error["field"], refused.error["rule"]) == (2, "options.tip", "an integer")
    unknown = run("--json", "redeem", "shop", CODE, "10", "EUR", "--reference", "c", "--option", "till=1")
    assert (unknown.code, unknown.error["field"]) == (2, "options.till")
    assert "reserve" in run("providers").done().out.partition("Options of single calls")[2]


def test_a_vendor_without_options_refuses_every_one(run: Any, gift: str) -> None:
    refused = run("--json", "redeem", "shop", CODE, "10", "EUR", "--reference", "a", "--option", "location=L1")
    assert (refused.code, refused.error["rule"]) == (2, "no option")


def test_a_time_out_ends_a_command_and_what_was_sent_is_unknown(run: Any, gift: str, jtl: RunningSimulator) -> None:
    run("balance", "shop", CODE, "--timeout", "5").done()
    jtl.inject("commit-then-hang", "POST */charge")
    ran = run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a", "--timeout", "0.3")
    assert ran.code == 4
    jtl.inject("hang", "* *", times=0)
    assert run("balance", "shop", CODE, "--timeout", "0.3").code == 3


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e400", "1" + "0" * 400, "true", "8s", ""])
def test_a_time_out_must_be_a_number_of_seconds(run: Any, shop: RunningSimulator, seconds: str) -> None:
    for command in (["balance", "shop", CODE], ["redeem", "shop", CODE, "1.00", "EUR", "--reference", "a"]):
        ran = run(*command, f"--timeout={seconds}")
        assert (ran.code, "timeout" in ran.err) == (2, True)
    assert shop.requests == []
