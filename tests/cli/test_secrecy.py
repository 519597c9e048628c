"""Codes, PINs and secrets show nowhere unless they are to be revealed."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator


@pytest.fixture
def planted(canary: Any, both: dict[str, RunningSimulator]) -> tuple[str, str]:
    """A code and a PIN that must not show; the logins of both accounts must not either."""
    for running in both.values():
        for name in ("client_secret", "api_key", "token"):
            if name in running.announcement:
                canary.plant(running.announcement[name])
    return canary.plant(f"JTL-{secrets.token_hex(12)}"), canary.plant(f"pin{secrets.token_hex(8)}")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_command_shows_a_code_a_pin_or_a_secret(
    run: Any, canary: Any, planted: tuple[str, str], both: dict[str, RunningSimulator], form: list[str]
) -> None:
    code, pin = planted
    event = canary.plant(f"EVENT-{secrets.token_hex(12)}")
    commands = [
        ["issue", "shop", "50.00", "EUR", "--id", "gift", "--code", code, "--pin", pin, "--activate"],
        ["issue", "shop", "5.00", "EUR", "--id", "other", "--code", code],  # taken
        ["issue", "events", "20.00", "EUR", "--code", event],
        ["reserve", "shop", code, "10.00", "EUR", "--pin", pin],
        ["redeem", "shop", code, "10.00", "EUR", "--pin", pin],
        ["redeem", "shop", code, "10.00", "EUR", "--pin", f"{pin}x"],
        ["redeem", "shop", code, "1000.00", "EUR"],
        ["redeem", "shop", code, "1.00", "USD"],
        ["redeem", "shop", "1.00", code, "EUR"],  # swapped
        ["redeem", code, "shop", "1.00", "EUR"],
        ["redeem", "shop", "X", "1.00", code],
        ["redeem", "events", event, "5.00", "EUR"],
        ["reserve", "events", event, "5.00", "EUR"],
        ["top-up", "shop", "gift", "5.00", "EUR"],
        ["delete", "shop", code, "--reason", "none"],
    ]
    looks = [
        ["list", "shop"],
        ["list", "shop", "--filter", f"code={code}"],
        ["list", "events"],
        ["show", "shop", "--id", "gift"],
        ["show", "shop", "--id", code],
        ["show", "shop", "--code", code, "--pin", pin],
        ["show", "events", "--code", event],
        ["find", code, "--pin", pin],
        ["find", code, "--broadcast"],
        ["balance", "shop", code],
        ["balance", code, "shop"],
        ["balance", "shop", code, code],  # one too many
        ["balance", "events", event],
        ["history", "shop", "gift"],
        ["history", "shop", code],
        ["history", "events", event],
        ["presentation", "events", event],
        ["presentation", "events", event, "--id", event],
        ["presentation", event, "events"],
        ["presentation", "shop", code],
        ["accounts"],
        ["doctor"],
        ["resolve", "shop", code, "r"],
        ["resolve", code, "redeem", "r"],
        ["resolve", "--ticket", code],
        ["operations", "list", "--outcome", code],
        ["reconcile", code],
        [code],
        ["list", "shop", "--limit", code],
        ["list", "shop", "--status", code],
    ]
    for number, command in enumerate([*([*one, "--reference", "r"] for one in commands), *looks]):
        ran = run(*form, *command)
        # a reference is the caller's own name, so it may show; here it is no code
        canary.note(f"stdout of command {number}", ran.out)
        canary.note(f"stderr of command {number}", ran.err)
    assert len(both["shop"].ledger()) == 1


def test_an_unknown_outcome_shows_no_code_either(
    run: Any, canary: Any, planted: tuple[str, str], both: dict[str, RunningSimulator]
) -> None:
    code, pin = planted
    run("issue", "shop", "50.00", "EUR", "--code", code, "--pin", pin, "--activate", "--reference", "i").done()
    for fault in ("commit-then-drop", "html", "truncate", "wrong-echo", "error-after-commit"):
        for path in ("/v1/reservations", "/v1/reservations/*/charge"):
            both["shop"].inject(fault, f"POST {path}")
            ran = run("redeem", "shop", code, "1.00", "EUR", "--pin", pin, "--reference", f"r-{fault}")
            assert ran.code == 4
            canary.note("stderr", ran.err)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_neither_the_journal_nor_its_commands_hold_a_code_or_a_pin(
    run: Any,
    canary: Any,
    planted: tuple[str, str],
    both: dict[str, RunningSimulator],
    form: list[str],
    tmp_path: Path,
) -> None:
    code, pin = planted
    config = tmp_path / "voucher-gateway.toml"
    config.write_text('journal = "sqlite:///journal.db"\n' + config.read_text())
    issue = ["issue", "shop", "50.00", "EUR", "--id", "gift", "--code", code, "--pin", pin, "--activate"]
    run(*issue, "--reference", "i").done()
    both["shop"].inject("drop-before", "POST /v1/reservations/*/charge")
    redeem = ["redeem", "shop", code, "1.00", "EUR", "--pin", pin, "--reference", "a"]
    assert run(*redeem).code == 4
    commands = [
        [*issue, "--reference", "i"],
        redeem,
        [*redeem[:3], "2.00", *redeem[4:]],
        ["resolve", "shop", "redeem", "a"],
        ["recover", "--all"],
        ["operations", "list"],
        ["operations", "show", "shop", "issue", "i"],
        ["operations", "show", "shop", "redeem", "a"],
        ["operations", "list", "--code", code],
        ["operations", "list", "--order", code],
        ["operations", "list", "--since", code],
        ["operations", "list", "--limit", code],
        ["operations", "decide", "shop", "redeem", "a", "--by", "Ann", "--reason", "none", "--did-not-happen"],
        ["check", code, "--pin", pin, "--caller", "203.0.113.7"],
        ["check", code, "--pin", f"{pin}x", "--caller", "203.0.113.7"],
        ["check", f"{code}x", "--pin", pin],
        ["check", code, "--account", code],
        ["check", code, code],  # one too many
        ["explain", code, "--pin", pin],
        ["explain", code, "--pin", f"{pin}x"],
        ["explain", f"{code}x", "--broadcast"],
        *([] if form else [["explain", "--order", code]]),  # JSON repeats what was asked for
        ["explain", code, code],
        ["reconcile", "--all"],
        ["recover", "--after-restore"],
        ["doctor"],
    ]
    for number, command in enumerate(commands):
        ran = run(*form, *command)
        canary.note(f"stdout of command {number}", ran.out)
        canary.note(f"stderr of command {number}", ran.err)
    for file in tmp_path.glob("journal.db*"):
        canary.note(file.name, file.read_bytes().decode("latin-1"))
