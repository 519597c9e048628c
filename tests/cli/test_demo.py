"""The demo, and that it shows the calls that it makes."""

from __future__ import annotations

import ast
import inspect
import json
from typing import Any

import pytest

from voucher_gateway.cli.commands.demo import script
from voucher_gateway.cli.commands.demo.runner import Demo
from voucher_gateway.provider_api import Money


def test_the_demo_ends_well_with_every_cent_where_it_should_be(run: Any) -> None:
    ran = run("demo").done()
    assert ran.err == ""
    assert "The sums agree to the cent." in ran.out
    assert "\n   Requests that reached the vendor: 0." in ran.out
    assert "The call succeeded: the vendor shows it" in ran.out
    assert ran.out.count("Replayed: True. Requests that reached the vendor: 0.") == 2
    assert ran.out.count("\n1. ") == 1
    numbers = [int(line.split(".")[0]) for line in ran.out.splitlines() if line[:1].isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_demo_shows_vouchers_of_both_vendors_in_one_form(run: Any) -> None:
    out = run("demo").done().out
    rows = [line.split() for line in out.splitlines() if line.startswith(("shop ", "events "))]
    table = [row for row in rows if any(cell.startswith("20") and ":" in row[-1] for cell in row)]
    assert {row[0] for row in table} == {"shop", "events"}
    assert "5\u00a0000 JPY" in out
    assert "29.90 EUR" in out


def test_the_demo_fits_into_a_terminal_of_80_columns(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    out = run("demo", terminal=True).done().out
    assert max(len(line) for line in out.splitlines()) <= 80
    folded = [line for line in out.splitlines() if line.startswith("   ... ") and line.rstrip().endswith("(")]
    assert "   >>> gateway = Gateway.from_config(config)" in out
    assert all(line.startswith("   ...     ") for line in folded)


def test_the_demo_pays_an_order_with_vouchers_of_both_vendors_and_a_card(run: Any) -> None:
    out = run("demo").done().out
    assert "of shop is held for 30.50 EUR.\n" in out
    assert "of events is checked for 20.00 EUR.\n" in out
    assert "The shop authorizes its card for 9.50 EUR now.\n" in out
    assert "Given back at shop: 6.10 EUR.\n" in out


def test_the_demo_without_the_extra_for_payments_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.cli.commands.demo.demo.find_spec", {}.get)
    out = run("demo").done().out
    assert "With voucher-gateway[payments], the demo also pays an order" in out
    assert "gateway.payment(" not in out


def test_the_demo_as_json_is_one_event_a_line(run: Any) -> None:
    events = run("--json", "demo").done().objects
    assert [one["step"] for one in events if "step" in one] == list(range(1, 16))
    assert [one["raises"]["error"] for one in events if "raises" in one] == [
        "UnsupportedOperation",
        "InsufficientValue",
        "CurrencyMismatch",
        "OutcomeUnknown",
    ]
    (ticket,) = [one["says"] for one in events if one.get("says", "").startswith("Any process")]
    assert json.loads(ticket[ticket.index("{") :])["amount"] == "12.00"


def test_the_demo_ends_with_5_if_a_cent_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Demo, "ledger_balance", lambda self, account, currency: Money.zero(currency))
    ran = run("demo")
    assert ran.code == 5
    assert "The sums do not agree" in ran.out


def test_every_call_of_the_script_is_shown_as_it_stands(run: Any) -> None:
    shown = [event["call"] for event in run("--json", "demo").done().objects if "call" in event]
    calls = [
        ast.unparse(node)
        for step in script.STEPS + script.PAYMENT_STEPS
        for node in ast.walk(ast.parse(inspect.getsource(step)))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("gateway.", "Gateway."))
    ]
    source = "\n".join(ast.unparse(ast.parse(code)) for code in shown)
    hidden = {call for call in calls if call not in source}
    assert hidden == {"gateway.balance('shop', SHOP_CODE)"}
    assert len(shown) == 26


def test_the_script_shows_nothing_of_the_demos_own_machinery(run: Any) -> None:
    out = run("demo").done().out
    assert "demo." not in out
    assert "return gateway" not in out
    assert "noqa" not in out
