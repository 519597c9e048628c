"""`operations decide`: a person writes down what no look-up can know."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.cli.redemption_in_doubt import CODE, REDEEM, left, wait_until
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_ticketing.simulator import TicketingSimulator


def test_a_person_decides_what_no_reading_can_and_that_is_kept(run: Any, lost: RunningSimulator) -> None:
    arguments = [
        "operations",
        "decide",
        "shop",
        "redeem",
        "a",
        "--by",
        "Ann",
        "--reason",
        "the vendor's support says so",
    ]
    assert run(*arguments).code == 2
    decided = run(*arguments, "--did-not-happen").done()
    assert decided.out.startswith("shop: redeem a was not executed: nothing moved\n")
    told = run("--json", "operations", "show", "shop", "redeem", "a").done().object
    assert (told["decided_by"], told["decision"]) == ("Ann", "the vendor's support says so")
    assert run(*arguments, "--did-not-happen").code == 2
    corrected = run("--json", *arguments[:6], "Bob", *arguments[7:-1], "seen", "--happened").done().object
    assert corrected["reason"].startswith("decided by Bob: seen (before, Ann decided that it had not happened: ")
    run(*arguments, "--did-not-happen").done()
    run(*REDEEM, "a", "--if-held", "replace").done()
    assert left(lost) == "39.47"


def test_a_decision_is_asked_for_after_what_to_look_for(run: Any, lost: RunningSimulator) -> None:
    decide = ["operations", "decide", "shop", "redeem", "a"]
    ran = run(*decide)
    assert (ran.code, ran.out.startswith("Look at shop (127.0.0.1:")) == (2, True)
    assert "left before  50.00 EUR" in ran.out
    assert "left after   39.47 EUR, if it happened and nothing else did" in ran.out
    assert "a decision needs --happened or --did-not-happen, with --by NAME and --reason TEXT" in ran.err
    json_form = run("--json", *decide)
    assert (json_form.code, json_form.object["look_for"][0]["before"]["amount"]) == (2, "50.00")
    ran = run(*decide, stdin="no\nAnn\nsupport case 4711\n", typing=True)
    assert ran.code == 0, ran.err
    assert "Does the vendor show it? [y/N]" in ran.err
    assert "shop: redeem a was not executed: nothing moved" in ran.out
    told = run("--json", "operations", "show", "shop", "redeem", "a").done().object
    assert (told["decided_by"], told["decision"]) == ("Ann", "support case 4711")


def test_an_issue_that_happened_is_decided_with_its_id_and_an_operation_is_named(
    run: Any, taken: RunningSimulator
) -> None:
    decide = ("operations", "decide", "--happened", "--by", "Ann", "--reason", "seen")
    ran = run(*decide, "shop", "issue", "x")
    assert ran.code == 2
    assert "name its id at the vendor" in ran.err
    assert "name the operation: ACCOUNT VERB REFERENCE, or --plan PLAN" in run(*decide, "shop").err
    assert "--plan is given alone" in run(*decide, "--plan", "move.plan").err


def test_what_a_person_says_has_happened_is_never_sent_again(run: Any, lost: RunningSimulator) -> None:
    told = run("--json", "operations", "decide", "shop", "redeem", "a", "--by", "Ann", "--reason", "seen", "--happened")
    assert told.done().object["outcome"] == "succeeded"
    assert run("--json", *REDEEM, "a").done().object["replayed"] is True
    assert left(lost) == "50.00"


def test_somebody_elses_change_goes_to_a_person_who_writes_the_decision_down(
    run: Any, both: dict[str, RunningSimulator], tmp_path: Path
) -> None:
    config, events = tmp_path / "voucher-gateway.toml", both["events"]
    config.write_text('journal = "sqlite:///voucher-gateway.db"\n' + config.read_text())
    run("issue", "events", "29.90", "EUR", "--code", "EVENT-1", "--reference", "i").done()
    events.inject("slow", "PUT /api/vouchers/*", 1, delay_s=0.4)
    before = len(events.requests)
    simulator = events.simulator
    assert isinstance(simulator, TicketingSimulator)

    def at_the_checkout() -> None:
        wait_until(lambda: len(events.requests) > before)
        time.sleep(0.1)
        simulator.redeem_at_checkout("EVENT-1", "5.00")

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(at_the_checkout)
        ran = run("redeem", "events", "EVENT-1", "9.90", "EUR", "--reference", "a")
        other.result()
    assert ran.code == 4
    assert "no look-up can tell what is right, a person must" in ran.err
    assert "operations decide --happened (or --did-not-happen) --by NAME --reason TEXT events redeem a\n" in ran.err
    assert run("recover", "--all").code == 4
    decide = ["operations", "decide", "events", "redeem", "a", "--by", "Ann", "--reason", "compared the readings"]
    assert run("--json", *decide, "--happened").done().object["outcome"] == "succeeded"
    assert run("recover", "--all").code == 0


def test_a_reservation_in_doubt_is_made_again_and_nobody_decides_it(run: Any, kept: RunningSimulator) -> None:
    reserve = ["reserve", "shop", CODE, "10.53", "EUR", "--order", "1001", "--reference", "r"]
    kept.inject("drop-before", "POST /v1/reservations")
    assert run(*reserve).code == 4
    for command in (
        ["recover", "--all"],
        ["resolve", "shop", "reserve", "r"],
        ["operations", "show", "shop", "reserve", "r"],
    ):
        told = run(*command).err
        assert "lapses by itself" in told
        assert "give the same reserve command with the same reference" in told
        assert "decide --happened" not in told
    assert run("--json", *reserve).done().object["outcome"] == "succeeded"


def test_an_update_whose_first_request_may_still_arrive_says_so_and_how_to_close_it(
    run: Any, both: dict[str, RunningSimulator], tmp_path: Path
) -> None:
    config, events = tmp_path / "voucher-gateway.toml", both["events"]
    config.write_text('journal = "sqlite:///voucher-gateway.db"\n' + config.read_text())
    id = run("--json", "issue", "events", "29.90", "EUR", "--reference", "i").done().object["result"]["id"]
    events.inject("deliver-late", "PUT /api/vouchers/*", 1)
    update = ["update", "events", id, "--valid-until", "2031-01-01T00:00:00Z", "--reference", "u"]
    assert run(*update).code == 4
    run(*update).done()
    ran = run("operations", "show", "events", "update", "u").done()
    assert ran.out.startswith("events: update u succeeded\n")
    assert "an earlier request of it may still arrive" in ran.out
    assert "operations decide --happened (or --did-not-happen) --by NAME --reason TEXT events update u\n" in ran.err
    told = run("--json", "operations", "show", "events", "update", "u").done().object
    assert "an earlier request of it may still arrive" in told["reason"]
    run("operations", "decide", "events", "update", "u", "--by", "Ann", "--reason", "asked", "--did-not-happen").done()
    assert "earlier request" not in run("operations", "show", "events", "update", "u").done().out
