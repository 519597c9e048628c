"""The help of every command."""

from __future__ import annotations

import re
from typing import Any

import pytest

UNITS = {
    "demo": "major units",
    "providers": "decimals and their range",
    "doctor": "30 seconds",
    "connect": "30 minutes",
    "simulate": "Milliseconds",
    "list": "moments in UTC",
    "show": "moments in UTC",
    "find": "8 seconds",
    "balance": "moment in UTC",
    "report": "in UTC",
    "snapshot": "N days",
    "issue": "0.00 to 99999.99",
    "activate": "3 years",
    "deactivate": "200 characters",
    "update": "255 characters",
    "top-up": "0.01 to 99999.99",
    "delete": "255 characters",
    "reserve": "30 minutes",
    "capture": "30 minutes",
    "release": "30 minutes",
    "redeem": "major units",
    "refund": "from 0.01",
    "history": "in UTC",
    "presentation": "moments in UTC",
    "resolve": "4 while it stays unknown",
    "recover": "a minute to six hours",
    "reconcile": "3 if something could not be checked",
}


@pytest.mark.parametrize("name", UNITS)
def test_every_command_says_in_its_help_which_units_and_limits_it_knows(run: Any, name: str) -> None:
    ran = run(name, "--help").done()
    text = " ".join(ran.out.split())
    assert text.startswith(f"Usage: voucher-gateway {name} ")
    assert UNITS[name] in text, text


def test_the_help_names_every_command_and_every_exit_code(run: Any) -> None:
    out = run("--help").done().out
    for name in UNITS:
        assert re.search(rf"^  {name} +[A-Z]", out, re.MULTILINE), name
    text = " ".join(out.split())
    for meaning in ("0 done", "1 declined", "2 wrong usage", "3 certainly not", "4 outcome unknown", "5 differences"):
        assert meaning in text
    assert "6 unreadable vendor answer; 70 our bug; 130 interrupted" in text


@pytest.mark.parametrize("arguments", [[], ["operations"], ["redeem"], ["operations", "decide"]])
def test_the_help_fits_80_columns_and_h_is_short_for_it(
    run: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = run(*arguments, "--help").done().out
    assert max(map(len, out.splitlines())) <= 80
    assert run(*arguments, "-h").done().out == out


def test_headings_have_colours_on_a_terminal_that_wants_them(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = run("redeem", "--help", terminal=True).done().out
    assert "\x1b[1mOptions:" in coloured
    assert "\x1b[36m--reference" in coloured
    assert "\x1b" not in run("redeem", "--help").done().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("redeem", "--help", terminal=True).done().out


def test_examples_are_printed_as_they_stand(run: Any) -> None:
    out = run("redeem", "--help").done().out
    assert out.endswith("  Examples:\n      voucher-gateway redeem shop - 10.53 EUR --reference 1002-a < code.txt\n")
