"""Commands about operations in doubt: looking them up, deciding them, and holding the journal against the vendor."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.many_operations import write_operations
from voucher_gateway import Gateway
from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_ticketing.simulator import TicketingSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
CHARGE = "POST /v1/reservations/*/charge"
REDEEM = ["redeem", "shop", CODE, "10.53", "EUR", "--order", "1001", "--reference"]
PROGRAM = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


@pytest.fixture
def taken(run: Any, kept: RunningSimulator) -> RunningSimulator:
    """A shop where the redemption `a` was carried out, and nobody heard of it."""
    kept.inject("commit-then-drop", CHARGE)
    assert run(*REDEEM, "a").code == 4
    return kept


@pytest.fixture
def lost(run: Any, kept: RunningSimulator) -> RunningSimulator:
    """A shop where the redemption `a` never arrived, and nobody can know yet."""
    kept.inject("drop-before", CHARGE)
    assert run(*REDEEM, "a").code == 4
    return kept


def left(running: RunningSimulator) -> str:
    (voucher,) = running.ledger()
    return str(voucher["remaining"])


def outcomes(run: Any) -> list[tuple[str, str]]:
    told = run("--json", "operations", "list").done().objects
    return [(one["reference"], one["outcome"]) for one in told if one["verb"] == "redeem"]


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
    assert "there is no charge, but the reservation could still be captured" in ran.out
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


def test_operations_are_listed_by_outcome_and_account(run: Any, taken: RunningSimulator) -> None:
    unknown = run("--json", "operations", "list", "--outcome", "unknown").done().object
    assert (unknown["account"], unknown["verb"], unknown["reference"], unknown["order"]) == (
        "shop",
        "redeem",
        "a",
        "1001",
    )
    assert unknown["money"] == {"amount": "10.53", "currency": "EUR"}
    assert unknown["result"] is None
    assert len(run("--json", "operations", "list", "--account", "shop", "--limit", "2").done().objects) == 2
    none = run("operations", "list", "--outcome", "declined").done()
    assert (none.out, none.err) == ("", "There are none.\n")
    assert run("operations", "list", "--outcome", "nonsense").code == 2


def test_operations_are_listed_by_what_a_person_knows_of_them_the_newest_first(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    issue = ["issue", "shop", "20.00", "EUR", "--code", "JTL-OTHER-0001", "--activate", "--reference", "i"]
    other = run("--json", *issue).done().objects[0]["result"]["id"]
    run(*REDEEM, "a").done()
    run("redeem", "shop", "JTL-OTHER-0001", "5.00", "EUR", "--order", "1002", "--reference", "b").done()
    (tmp_path / "code.txt").write_text("JTL-OTHER-0001\n")

    def references(*options: str) -> list[str]:
        listed = run("--json", "operations", "list", *options).done().objects
        return [f"{operation['verb']} {operation['reference']}" for operation in listed]

    assert references()[:4] == ["redeem b", "redeem a", "activate i", "issue i"]
    assert references("--limit", "1") == ["redeem b"]
    assert references("--order", "1001") == ["redeem a"]
    assert (
        references("--voucher", other)
        == references("--code", "JTL-OTHER-0001")
        == ["redeem b", "activate i", "issue i"]
    )
    assert references("--code", "-", "--code-file", "code.txt") == ["redeem b", "activate i", "issue i"]
    assert references("--reference", "a") == ["redeem a"]
    assert references("--verb", "issue", "--account", "shop") == ["issue i", "issue gift"]
    assert references("--since", "2026-01-01") == references()
    assert references("--until", "2026-01-01") == references("--since", "2200-01-01T00:00:00Z") == []
    assert run("operations", "list").done().out.splitlines()[1].split()[2:5] == ["shop", "redeem", "b"]


def test_a_day_means_all_of_it(run: Any, kept: RunningSimulator) -> None:
    run(*REDEEM, "a").done()
    day = run("--json", "operations", "list", "--limit", "1").done().object["created_at"][:10]
    assert len(run("--json", "operations", "list", "--since", day, "--until", day).done().objects) > 0
    assert run("--json", "operations", "list", "--until", f"{day}T00:00:00Z").done().objects == []
    for option in ("--since", "--until"):
        for wrong in ("2026-02-30", "yesterday", "2026-11-29T10:00:00"):
            ran = run("operations", "list", option, wrong)
            assert (ran.code, wrong in ran.err, option in ran.err) == (2, False, True)


def test_operations_are_printed_while_they_are_read(
    run: Any, kept: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*REDEEM, "a").done()
    read = []
    parse = OperationRecord.from_row

    def from_row(row: Any) -> OperationRecord:
        read.append(row["reference"])
        if len(read) > 250:
            raise DatabaseUnavailable("the disk is gone")
        return parse(row)

    gateway = Gateway.from_config(tmp_path / "voucher-gateway.toml")
    assert gateway.journal is not None
    write_operations(gateway.journal, 400, begin=datetime(2026, 1, 1, tzinfo=UTC))
    gateway.close()
    monkeypatch.setattr(OperationRecord, "from_row", from_row)
    for form in ([], ["--json"]):
        read.clear()
        ran = run(*form, "operations", "list")
        assert (ran.code, len(ran.out.splitlines())) == (3, 250 if form else 251)  # the table has a heading


def test_one_operation_is_shown_whole(run: Any, taken: RunningSimulator) -> None:
    shown = run("operations", "show", "shop", "redeem", "a").done()
    assert shown.out.startswith("shop: redeem a is still unknown\n")
    assert re.search(r"  reason +POST /reservations/\{id\}/charge: the connection broke", shown.out)
    run("resolve", "shop", "redeem", "a").done()
    told = run("--json", "operations", "show", "shop", "redeem", "a").done().object
    assert (told["outcome"], told["attempt"], told["result"]["money"]["amount"]) == ("succeeded", 1, "10.53")


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


LOOK_FOR = [
    "what        capture of 10.53 EUR",
    "from        20",
    "to          20",
    "login       ",
    "voucher     gift",
    "of          ",
    "order mark  1001~",
    "order       1001",
]


def test_an_operation_in_doubt_says_what_to_look_for_at_the_vendor(run: Any, lost: RunningSimulator) -> None:
    shown = run("operations", "show", "shop", "redeem", "a").done().out
    lines = [line.strip() for line in re.split(r"Look at shop \(.*\) for this:\n", shown)[1].splitlines()]
    assert all(line.startswith(begin) for line, begin in zip(lines, LOOK_FOR, strict=True))
    (hint,) = run("--json", "operations", "show", "shop", "redeem", "a").done().object["look_for"]
    assert (hint["step"], hint["voucher_id"], hint["order"]) == ("capture", "gift", "1001")
    lost.clock.advance(1900)
    run("resolve", "shop", "redeem", "a").done()
    assert run("--json", "operations", "show", "shop", "redeem", "a").done().object["look_for"] == []


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


def test_recover_looks_everything_up_and_ends_with_4_while_something_stays_unknown(
    run: Any, taken: RunningSimulator
) -> None:
    taken.inject("drop-before", CHARGE)
    assert run(*REDEEM, "b").code == 4
    ran = run("--json", "recover")
    assert ran.code == 4
    assert [(one["reference"], one["outcome"]) for one in ran.objects] == [("a", "succeeded"), ("b", "unknown")]
    again = run("recover")  # not due yet
    assert (again.code, again.err) == (0, "No operation in doubt is due for a look-up. --all looks up all of them.\n")
    taken.clock.advance(1900)
    found = run("recover", "--all").done().out.splitlines()[1]
    assert found.split()[:5] == ["shop", "redeem", "b", "not", "executed"]
    assert "every movement that could be this one belongs to another operation" in " ".join(found.split())
    assert run("recover", "--all").done().err == "No operation is in doubt.\n"
    assert outcomes(run) == [("b", "not_executed"), ("a", "succeeded")]


def test_a_killed_command_leaves_an_operation_that_recover_resolves(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    kept.inject("commit-then-hang", CHARGE)
    with subprocess.Popen([*PROGRAM, *REDEEM, "a"], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        _until(lambda: left(kept) == "39.47")
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert outcomes(run) == [("a", "open")]
    assert run("--json", "recover").done().object["outcome"] == "succeeded"
    assert left(kept) == "39.47"


def test_a_command_prints_no_warning_that_the_library_logs(kept: RunningSimulator, tmp_path: Path) -> None:
    kept.inject("commit-then-drop", CHARGE)
    command = [*PROGRAM, "--json", *REDEEM, "a"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (4, "")
    assert json.loads(ended.stderr)["error"] == "OutcomeUnknown"


@pytest.mark.long
def test_an_interrupted_command_says_which_command_finds_out(run: Any, kept: RunningSimulator, tmp_path: Path) -> None:
    kept.inject("commit-then-hang", CHARGE)
    with subprocess.Popen([*PROGRAM, *REDEEM, "a"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        _until(lambda: left(kept) == "39.47")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "it is not known whether it happened. Find out with: voucher-gateway resolve shop redeem a\n" in err
    assert run("--json", "resolve", "shop", "redeem", "a").done().object["outcome"] == "succeeded"


def _until(true: Any) -> None:
    limit = time.monotonic() + 15
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_reconcile_is_0_when_both_agree_5_when_not_and_3_when_it_could_not_look(
    run: Any, taken: RunningSimulator
) -> None:
    differs = run("--json", "reconcile")
    (finding,) = differs.object["findings"]
    assert (differs.code, finding["kind"], finding["reference"]) == (5, "unresolved", "a")
    assert "recover writes that down" in run("reconcile", "shop").out
    run("recover").done()
    agrees = run("--json", "reconcile", "--all").done().object
    assert (agrees["account"], agrees["vouchers"], agrees["findings"]) == ("shop", 1, [])
    taken.inject("html", "GET /v1/vouchers/gift/*", 0)
    blind = run("reconcile")
    assert blind.code == 3
    assert "Not checked: gift: " in blind.err
    assert run("reconcile", CODE).code == 2


def test_movements_of_other_channels_are_listed_and_are_no_difference(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    config = (tmp_path / "voucher-gateway.toml").read_text()
    (tmp_path / "till.toml").write_text(config.replace("voucher-gateway.db", "till.db"))
    run(*REDEEM, "a").done()
    run("--config", "till.toml", *REDEEM, "a").done()
    found = run("--json", "reconcile").done().object["findings"]
    assert [(one["kind"], one["money"]["amount"]) for one in found] == [("foreign", "10.53")]


def test_a_restored_journal_sends_nothing_until_it_has_been_recovered(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    run("operations", "backup", "backup.db").done()
    assert run("operations", "backup", "backup.db").code == 2  # never overwritten
    run(*REDEEM, "a").done()
    for file in tmp_path.glob("voucher-gateway.db*"):
        if file.suffix != ".key":
            file.unlink()
    (tmp_path / "backup.db").rename(tmp_path / "voucher-gateway.db")
    before = left(kept)
    stopped = run(*REDEEM, "a")
    assert stopped.code == 3
    assert "run `voucher-gateway recover --after-restore`" in stopped.err
    doctor = run("--json", "doctor").done().object["journal"]
    assert (doctor["ok"], doctor["restored"]) == (False, True)
    recovered = run("--json", "recover", "--after-restore").done()
    assert recovered.objects[0] == {"adoption": {"account": "shop", "vouchers": 1, "adopted": 1}}
    assert "migrate verify PLAN" in recovered.error["warnings"][0]  # the vendors do not know what was moved
    assert run("--json", *REDEEM, "a").done().object["replayed"] is True
    run(*REDEEM, "b").done()
    assert (before, left(kept)) == ("39.47", "28.94")


def test_without_a_journal_its_commands_say_that_there_is_none(run: Any, shop: RunningSimulator) -> None:
    for command in (["operations", "list"], ["operations", "backup", "b.db"], ["recover"], ["reconcile"]):
        ran = run(*command)
        assert (ran.code, shop.requests) == (2, [])
        assert "name one in the configuration" in ran.err


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_of_operations_fit_into_their_terminal(
    run: Any, lost: RunningSimulator, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost.inject("drop-before", CHARGE)
    assert run(*REDEEM, "a-reference-of-the-shop-that-is-rather-long-2026-11-20-0001").code == 4
    run("recover", "--all")
    lost.inject("commit-then-drop", CHARGE)
    assert run(*REDEEM, "b").code == 4
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    for command in (["operations", "list"], ["reconcile"], ["recover", "--all"]):
        lines = run(*command, terminal=True).out.splitlines()
        assert max(map(cell_len, lines)) <= columns, command
        assert len(lines) > 2
    assert "10.53 EUR" in run("operations", "list", terminal=True).out


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
        _until(lambda: len(events.requests) > before)
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


def test_an_update_that_leaves_the_value_alone_waits_for_nobody(run: Any, kept: RunningSimulator) -> None:
    id = run("--json", "issue", "shop", "29.90", "EUR", "--reference", "i").done().object["result"]["id"]
    kept.inject("drop-before", "PATCH /v1/vouchers/*", 1)
    update = ["update", "shop", id, "--sku", "GIFT", "--reference", "u"]
    assert run(*update).code == 4
    run(*update).done()
    assert "earlier request" not in run("resolve", "shop", "update", "u").done().out
    assert "earlier request" not in run("operations", "show", "shop", "update", "u").done().out
