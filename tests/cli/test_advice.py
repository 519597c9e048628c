"""What is advised after an error whose arguments are written right."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

HELD = "`voucher-gateway operations list` shows what the journal holds."


@pytest.mark.parametrize(
    "command",
    [
        "operations show shop redeem never",
        "operations decide shop redeem never --happened --by Ann --reason seen",
        "resolve shop redeem never",
        "capture shop --reservation never --reference r",
        "refund shop --redemption never --reference r",
    ],
)
def test_an_operation_that_the_journal_does_not_have_is_looked_for_in_its_list(
    run: Any, kept: RunningSimulator, command: str
) -> None:
    ran = run(*command.split())
    assert (ran.code, ran.err.splitlines()[-1]) == (2, HELD)
    assert "--help" not in ran.err


def test_a_snapshot_that_is_not_there_is_told_with_those_that_are(run: Any, kept: RunningSimulator) -> None:
    none = run("report", "shop", "--as-of", "2020-01-31")
    assert "the account has none" in none.err
    assert none.err.splitlines()[-1] == "`voucher-gateway snapshot ACCOUNT` takes one; run it every night."
    day = run("snapshot", "shop").done().out.split(" at ")[1][:10]
    one = run("report", "shop", "--as-of", "2020-01-31")
    assert f"it has those of {day}" in one.err
    assert "--help" not in one.err


def test_a_decision_without_a_name_is_a_matter_of_the_arguments(run: Any, kept: RunningSimulator) -> None:
    ran = run("operations", "decide", "shop", "redeem", "never", "--happened", "--by", " ", "--reason", "seen")
    assert ran.err.splitlines()[-1] == "Correct the command; with --help it describes its arguments."
