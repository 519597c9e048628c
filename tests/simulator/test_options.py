"""A vendor's own options in the words of the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from attrs import frozen

from tests.support.long import first
from voucher_gateway.simulator import SimulatorOptions
from voucher_gateway.simulator.options import parse_options


@frozen(kw_only=True)
class Options(SimulatorOptions):
    colour: Literal["red", "blue"] = "red"
    currency: str = "EUR"
    noisy: bool = False
    most: int | None = None
    factor: float = 1.0
    odd: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("colour=blue", {"colour": "blue"}),
        ("currency=CHF", {"currency": "CHF"}),
        ("currency=a=b", {"currency": "a=b"}),
        ("noisy=TRUE", {"noisy": True}),
        ("noisy = false", {"noisy": False}),
        ("most=12", {"most": 12}),
        ("most=none", {"most": None}),
        ("factor=0.5", {"factor": 0.5}),
        ("history=250", {"history": 250}),
        ("start=2030-01-31T12:00:00Z", {"start": datetime(2030, 1, 31, 12, tzinfo=UTC)}),
    ],
)
def test_a_value_gets_the_type_of_its_option(text: str, expected: dict[str, Any]) -> None:
    assert parse_options(Options, [text]) == expected


def test_several_are_read_together_and_hyphens_will_do() -> None:
    assert parse_options(Options, ["colour=blue", "most=1"]) == {"colour": "blue", "most": 1}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["colour"], "written NAME=VALUE"),
        (["colour=green"], "is one of red, blue"),
        (["noisy=yes"], "is true or false"),
        (["most=1.5"], "is a whole number"),
        (["most=١"], "is a whole number"),
        (["factor=NaN"], "is a number"),
        (["start=tomorrow"], "is a moment such as"),
        (["start=2030-01-31T12:00:00"], "is a moment with its offset"),
        (["odd=1"], "can be given in Python only"),
        (["colour=red", "colour=blue"], "is given twice"),
        (["port=1"], "has its own switch, --port"),
        (["latency-ms=1"], "has its own switch, --latency-ms"),
        (
            ["size=1"],
            "unknown option 'size'; the options are colour, currency, factor, history, most, noisy, odd, start",
        ),
    ],
)
def test_what_is_no_option_or_no_value_is_refused_with_the_rule(given: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_options(Options, given)


@pytest.mark.parametrize(
    "program",
    first([["-m", "voucher_gateway.simulator"], ["-c", "from voucher_gateway.cli import main; main()", "simulate"]]),
)
def test_the_command_takes_them(program: list[str]) -> None:
    command = [sys.executable, *program, "ticketing", "--option", "seller_currency=CHF", "--option", "show-id=false"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.terminate()
        process.wait(timeout=20)
    assert told["currency"] == "CHF"


def test_the_command_refuses_others_as_wrong_usage() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "voucher_gateway.simulator", "jtl", "--option", "seller_currency=CHF"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "unknown option 'seller_currency'" in ran.stderr
