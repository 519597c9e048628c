"""The command that checks a code that a customer typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
CALLER = ("--caller", "203.0.113.7")


@pytest.fixture
def kept(kept: RunningSimulator, tmp_path: Path) -> RunningSimulator:
    """The same without a delay of answers, and with two guesses for a caller."""
    with (tmp_path / "voucher-gateway.toml").open("a") as config:
        config.write("\n[checks]\nunusable_time_s = 0\ncaller_guesses = 2\n")
    return kept


def test_a_code_that_can_be_used_is_0_and_shows_what_is_left(run: Any, kept: RunningSimulator) -> None:
    ran = run("check", CODE, "--account", "shop").done()
    assert ran.out.splitlines()[0] == "50.00 EUR can be used"
    assert "••••4HTP" in ran.out
    assert CODE not in ran.out + ran.err
    answer = run("--json", "check", CODE, "--account", "shop", *CALLER).done().object
    assert set(answer) == {"usable", "message", "account", "masked_code", "remaining", "valid_until"}
    assert (answer["usable"], answer["account"]) == (True, "shop")
    assert answer["remaining"] == {"amount": "50.00", "currency": "EUR"}


def test_a_code_that_cannot_be_used_is_1_with_the_one_answer(run: Any, kept: RunningSimulator) -> None:
    ran = run("check", "-", "--account", "shop", stdin="JTL-GONE\n")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "This code cannot be used. Check that it is typed correctly, and that its value is not used up."
    ]
    ran = run("--json", "check", "-", "--account", "shop", stdin="JTL-GONE\n")
    assert (ran.code, ran.object["usable"], ran.object["remaining"]) == (1, False, None)


def test_too_many_codes_are_3_with_a_time_and_other_callers_go_on(run: Any, kept: RunningSimulator) -> None:
    for _ in range(2):
        assert run("check", "JTL-GONE", *CALLER).code == 1
    ran = run("--json", "check", "JTL-GONE", *CALLER)
    assert (ran.code, ran.error["error"], ran.error["retry_safe"]) == (3, "TooManyChecks", True)
    assert ran.error["retry_at"].endswith("Z")
    ran = run("check", "JTL-GONE", *CALLER)
    assert ran.err.splitlines()[1].startswith("Give the same command again at ")
    assert run("check", "JTL-GONE", "--caller", "203.0.113.8").code == 1


def test_a_vendor_that_is_down_is_3(run: Any, kept: RunningSimulator) -> None:
    kept.close()
    ran = run("--json", "check", CODE, "--account", "shop")
    assert (ran.code, ran.error["error"]) == (3, "ProviderUnavailable")


def test_without_a_journal_it_is_2(run: Any, shop: RunningSimulator) -> None:
    ran = run("--json", "check", CODE, "--account", "shop")
    assert (ran.code, ran.error["error"]) == (2, "ConfigurationError")


@pytest.mark.parametrize("caller", ["", "10.0.0.1, 203.0.113.7"])
def test_what_cannot_be_a_caller_is_2(run: Any, kept: RunningSimulator, caller: str) -> None:
    ran = run("--json", "check", CODE, "--account", "shop", "--caller", caller)
    assert (ran.code, ran.error["field"]) == (2, "caller")
