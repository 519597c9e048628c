"""The demo, and that it shows the calls that it makes."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from typing import Any

import pytest

from voucher_gateway.cli.demo import stage
from voucher_gateway.provider_api import Money

STEPS = ("issuing", "spending", "trouble")


def test_the_demo_ends_well_with_every_cent_where_it_should_be(run: Any) -> None:
    ran = run("demo").done()
    assert ran.err == ""
    assert "It agrees, to the cent." in ran.out
    assert "\n   Requests that reached the vendor meanwhile: 0." in ran.out
    assert "The call succeeded: the vendor shows it" in ran.out
    assert ran.out.count("Replayed: True. Requests that reached the vendor meanwhile: 0.") == 2
    assert ran.out.count("\n1. ") == 1
    numbers = [int(line.split(".")[0]) for line in ran.out.splitlines() if line[:1].isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_demo_shows_vouchers_of_both_vendors_in_one_form(run: Any) -> None:
    out = run("demo").done().out
    rows = [line.split() for line in out.splitlines() if line.startswith(("shop ", "events "))]
    table = [row for row in rows if any(cell.startswith("20") and ":" in row[-1] for cell in row)]
    assert {row[0] for row in table} == {"shop", "events"}
    assert "5000 JPY" in out
    assert "29.90 EUR" in out


def test_the_demo_fits_into_a_terminal_of_80_columns(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    out = run("demo", terminal=True).done().out
    assert max(len(line) for line in out.splitlines()) <= 80
    folded = [line for line in out.splitlines() if line.startswith("   ... ") and line.rstrip().endswith("(")]
    assert "   >>> gateway = Gateway.from_config(config)" in out
    assert all(line.startswith("   ...     ") for line in folded)


def test_the_demo_as_json_is_one_event_a_line(run: Any) -> None:
    events = run("--json", "demo").done().objects
    assert [one["step"] for one in events if "step" in one] == list(range(1, 13))
    assert [one["raises"]["error"] for one in events if "raises" in one] == [
        "UnsupportedOperation",
        "InsufficientValue",
        "CurrencyMismatch",
        "OutcomeUnknown",
    ]
    (ticket,) = [one["says"] for one in events if one.get("says", "").startswith("The ticket")]
    assert json.loads(ticket[ticket.index("{") :])["amount"] == "12.00"


def test_the_demo_ends_with_5_if_a_cent_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.Stage, "truly_left", lambda self, account, currency: Money.zero(currency))
    ran = run("demo")
    assert ran.code == 5
    assert "It does not agree" in ran.out


@pytest.mark.parametrize("step", STEPS)
def test_the_calls_that_the_demo_shows_are_those_that_it_makes(step: str) -> None:
    module = importlib.import_module(f"voucher_gateway.cli.demo.{step}")
    tree = ast.parse(inspect.getsource(module))
    shown = 0
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for statement, following in zip(function.body, function.body[1:], strict=False):
            source = _shown(statement)
            if source is not None:
                made = following.body[0] if isinstance(following, ast.Try) else following
                assert ast.unparse(made) == ast.unparse(ast.parse(source))
                shown += 1
    assert shown >= 4


def _shown(statement: ast.stmt) -> str | None:
    """Return the source that a `story.call(...)` shows; None for any other statement."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return None
    call = statement.value
    if ast.unparse(call.func) != "story.call":
        return None
    return "\n".join(ast.literal_eval(one) for one in call.args)
