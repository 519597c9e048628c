"""The help of every command."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

UNITS = {
    "demo": "major units",
    "accounts": "limits",
    "providers": "decimals and their range",
    "doctor": "30 seconds",
    "connect": "30 minutes",
    "simulate": "Milliseconds",
    "list": "moments in UTC",
    "show": "moments in UTC",
    "find": "30 seconds",
    "balance": "(UTC)",
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
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", ran.out).split())
    assert text.startswith(f"Usage: voucher-gateway {name} ")
    assert UNITS[name] in text, text


def test_the_help_names_every_command_and_every_exit_code(run: Any) -> None:
    out = run("--help").done().out
    for name in UNITS:
        assert re.search(rf"│ {name} ", out), name
    text = " ".join(out.split())
    for meaning in ("0 done", "1 declined", "2 wrong usage", "3 surely not", "4 outcome unknown", "5 differences"):
        assert meaning in text
    assert "6 unreadable vendor answer; 70 our bug; 130 interrupted" in text


@pytest.mark.parametrize("name", ["list", "show", "decide", "backup"])
def test_the_help_of_the_journals_commands_breaks_no_line_before_its_end(run: Any, name: str) -> None:
    said = run("operations", name, "--help").done().out.split("╭", 1)[0]
    for paragraph in re.split(r"\n\s*\n", said.strip())[1:]:
        lines = [line.strip() for line in paragraph.splitlines()]
        for line, following in itertools.pairwise(lines):
            assert len(line) + 1 + len(following.split()[0]) > 76, line
