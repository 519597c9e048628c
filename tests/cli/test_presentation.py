"""The command that says how the seller presents a voucher."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

EVENT = "EVENT-2F8C-6WJN"


@pytest.fixture
def ticket(run: Any, both: dict[str, RunningSimulator]) -> str:
    """The id of a voucher of the ticketing vendor."""
    made = run("--json", "issue", "events", "29.90", "EUR", "--code", EVENT, "--valid-until", "2030-01-31T23:59:59Z",
               "--reference", "r").done()  # fmt: skip
    return str(made.object["result"]["id"])


def test_json_has_every_field_and_the_code_is_masked_unless_it_is_revealed(run: Any, ticket: str) -> None:
    shown = run("--json", "presentation", "events", EVENT).done().object
    assert (shown["account"], shown["voucher"]["id"], shown["voucher"]["code"]) == ("events", ticket, "••••6WJN")
    assert shown["seller"]["tax_number"] == "DE000000000"
    assert shown["branding"]["wallet_label_color"] == "#c0c0c0"
    assert shown["document"]["footer"][0] == {"text": "Example Events", "active": True}
    assert "raw" not in shown
    revealed = run("--json", "presentation", "events", EVENT, "--reveal").done().object
    assert revealed["voucher"]["code"] == EVENT


def test_people_read_it_in_parts_and_see_no_code(run: Any, ticket: str) -> None:
    ran = run("presentation", "events", EVENT, "--id", ticket).done()
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[:5] == [
        "events: presentation",
        f"voucher id {ticket}",
        "code ••••6WJN",
        "initial 29.90 EUR",
        "valid until 2030-01-31 23:59:59 UTC",
    ]
    assert {"seller", "branding", "document"} <= set(lines)
    assert {"name Example Events", "timezone Europe/Berlin", "tax rate 10.5"} <= set(lines)
    assert {"footer 1 Example Events", "footer 2 Example Street 1, 10115 Berlin (not active)"} <= set(lines)
    assert EVENT not in ran.out + ran.err
    assert EVENT in run("presentation", "events", EVENT, "--reveal").done().out


def test_the_code_can_come_from_stdin(run: Any, ticket: str) -> None:
    assert run("--json", "presentation", "events", "-", stdin=f"{EVENT}\n").done().object["voucher"]["id"] == ticket


def test_a_vendor_without_it_says_so_and_nothing_is_sent(run: Any, both: dict[str, RunningSimulator]) -> None:
    ran = run("--json", "presentation", "shop", "JTL-1")
    assert (ran.code, ran.error["error"], ran.error["operation"]) == (1, "UnsupportedOperation", "presentation")
    assert both["shop"].requests == []


def test_a_code_that_nobody_has_is_not_found(run: Any, ticket: str) -> None:
    ran = run("presentation", "events", "EVENT-GONE-0000")
    assert (ran.code, ran.out) == (1, "")
    assert "EVENT-GONE-0000" not in ran.err
