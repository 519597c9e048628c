"""`resolve`: find out what became of an operation whose outcome is unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.redemption_in_doubt import CHARGE, CODE, REDEEM, left
from voucher_gateway.simulator import RunningSimulator


def test_an_unknown_outcome_says_which_command_finds_out(run: Any, kept: RunningSimulator) -> None:
    kept.inject("commit-then-drop", CHARGE)
    *said, ticket = run(*REDEEM, "order 7; rm").err.splitlines()
    assert said[-3:] == [
        "It is not known whether it happened.",
        "Find out with: voucher-gateway resolve shop redeem 'order 7; rm'",
        "The same command does that too before anything else, and never does it twice.",
    ]
    assert json.loads(ticket)["verb"] == "redeem"
    assert run("resolve", "shop", "redeem", "order 7; rm").code == 0


def test_what_happened_is_found_and_written_down(run: Any, taken: RunningSimulator) -> None:
    told = run("--json", "resolve", "shop", "redeem", "a").done().object
    assert (told["verb"], told["reference"], told["outcome"]) == ("redeem", "a", "succeeded")
    assert told["result"]["money"] == {"amount": "10.53", "currency": "EUR"}
    assert run("resolve", "shop", "redeem", "a").done().out.startswith("shop: redeem a succeeded\n")
    assert run("--json", *REDEEM, "a").done().object["replayed"] is True
    assert left(taken) == "39.47"


def test_the_same_command_finds_out_by_itself(run: Any, taken: RunningSimulator) -> None:
    assert run("--json", *REDEEM, "a").done().object["replayed"] is True
    assert left(taken) == "39.47"


def test_what_stays_unknown_is_4_and_says_how_a_person_decides(run: Any, lost: RunningSimulator) -> None:
    ran = run("resolve", "shop", "redeem", "a")
    assert ran.code == 4
    assert ran.out.startswith("shop: redeem a is still unknown\n")
    assert "JTL has no charge, but the reservation could still be captured" in ran.out
    decide = "voucher-gateway operations decide --happened (or --did-not-happen) --by NAME --reason TEXT shop redeem a"
    assert decide in ran.err
    assert run("--json", "resolve", "shop", "redeem", "a").object["outcome"] == "unknown"


def test_what_did_not_happen_is_known_once_the_reservation_is_over(run: Any, lost: RunningSimulator) -> None:
    lost.clock.advance(1900)
    told = run("--json", "resolve", "shop", "redeem", "a").done().object
    assert (told["outcome"], told["result"]) == ("not_executed", None)
    run(*REDEEM, "a").done()
    assert left(lost) == "39.47"


def test_a_ticket_is_resolved_from_a_file_or_stdin_even_without_a_journal(
    run: Any, gift: str, shop: RunningSimulator, tmp_path: Path
) -> None:
    shop.inject("commit-then-drop", CHARGE)
    ran = run(*REDEEM, "a")
    assert "Do not repeat it: no journal remembers it." in ran.err
    ticket = ran.err.splitlines()[-1]
    (tmp_path / "ticket.json").write_text(ticket + "\n")
    assert run("--json", "resolve", "--ticket", "ticket.json").done().object["outcome"] == "succeeded"
    assert run("resolve", "--ticket", "-", stdin=ticket).code == 0
    assert run("resolve", "--ticket", "-", stdin="{}").code == 2
    assert run("resolve", "--ticket", "nowhere.json").code == 2
    assert run("resolve", "shop", "redeem", "a", "--ticket", "ticket.json").code == 2
    keyed = run("resolve", "shop", "redeem", "a")
    assert (keyed.code, "without a journal only a ticket can be resolved" in keyed.err) == (2, True)


def test_what_the_journal_never_had_and_what_is_no_verb_are_2(run: Any, kept: RunningSimulator) -> None:
    assert run("resolve", "shop", "redeem", "nothing").code == 2
    shown = run("operations", "show", "shop", "redeem", "nothing")
    assert (shown.code, "under this reference it sent nothing" in shown.err) == (2, True)
    wrong = run("resolve", "shop", CODE, "a")
    assert (wrong.code, CODE in wrong.err, "top-up" in wrong.err) == (2, False, True)


def test_an_update_that_leaves_the_value_alone_waits_for_nobody(run: Any, kept: RunningSimulator) -> None:
    id = run("--json", "issue", "shop", "29.90", "EUR", "--reference", "i").done().object["result"]["id"]
    kept.inject("drop-before", "PATCH /v1/vouchers/*", 1)
    update = ["update", "shop", id, "--sku", "GIFT", "--reference", "u"]
    assert run(*update).code == 4
    run(*update).done()
    assert "earlier request" not in run("resolve", "shop", "update", "u").done().out
    assert "earlier request" not in run("operations", "show", "shop", "update", "u").done().out
