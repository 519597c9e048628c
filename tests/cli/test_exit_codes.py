"""Every exit code, brought about by a real cause."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.long import first
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_ticketing.simulator import TicketingSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
PROGRAM = [sys.executable, "-c", "from voucher_gateway.cli import main; main()"]


def test_done_is_0(run: Any, gift: str) -> None:
    assert run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "r").code == 0


def test_declined_and_unsupported_are_1(run: Any, gift: str) -> None:
    declined = run("--json", "redeem", "shop", CODE, "500.00", "EUR", "--reference", "r")
    assert (declined.code, declined.error["error"], declined.error["outcome"]) == (1, "InsufficientValue", "declined")
    partial = run("--json", "capture", "shop", "--reservation-id", "r", "--amount", "1", "--reserved", "2",
                  "--currency", "EUR", "--reference", "r")  # fmt: skip
    assert (partial.code, partial.error["error"]) == (1, "UnsupportedOperation")


def test_wrong_usage_is_2(run: Any, shop: RunningSimulator) -> None:
    for arguments in ([], ["lst"], ["redeem", "shop"], ["list", "shop", "--nonsense"], ["list", "shop", "\udcff"]):
        assert run(*arguments).code == 2, arguments
    assert shop.requests == []


def test_a_wrong_config_is_2(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
    missing = run("--json", "accounts")
    assert (missing.code, missing.error["error"]) == (2, "ConfigurationError")
    other = tmp_path / "other.toml"
    other.write_text("[accounts.shop]\nprovider = 'jtl'\n")
    ran = run("--config", str(other), "accounts")
    assert ran.code == 2
    assert "client_id: is missing" in ran.err
    for command in ("accounts", "doctor", "report", "export shop out.csv"):
        assert "Correct the configuration" in run("--config", str(other), *command.split()).err


def test_a_voucher_that_is_inactive_may_have_been_moved_and_that_is_said(run: Any, shop: RunningSimulator) -> None:
    run("issue", "shop", "5.00", "EUR", "--code", CODE, "--reference", "a").done()
    refused = run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "b")
    assert refused.code == 1
    assert "makes it spendable, unless it was moved to another account" in refused.err


def test_what_is_wrong_with_something_else_is_not_blamed_on_the_configuration(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    (tmp_path / "wrong.toml").write_text('losses = ["nonsense"]')
    (tmp_path / "edited.plan").write_text("{}\n")
    for command in (
        "migrate status missing.plan",
        "migrate run edited.plan",
        "migrate plan shop out.csv --out new.plan --policy missing.toml",
        "migrate plan shop out.csv --out new.plan --policy wrong.toml",
        "simulate nobody",
        "simulate jtl --fault nonsense",
        "show no-such-account --id a",
    ):
        ran = run(*command.split())
        assert ran.code == 2
        assert "configuration" not in ran.err, ran.err


def test_the_environment_names_the_config(
    run: Any, shop: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOUCHER_GATEWAY_CONFIG", str(tmp_path / "voucher-gateway.toml"))
    monkeypatch.chdir(tmp_path.parent)
    assert run("--json", "accounts").done().object["account"] == "shop"


def test_refused_credentials_are_2(run: Any, shop: RunningSimulator, tmp_path: Path) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(config.read_text().replace(shop.announcement["client_secret"], "0" * 40))
    ran = run("--json", "redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["outcome"]) == (2, "AuthenticationFailed", "not_executed")


def test_surely_not_executed_is_3(run: Any, shop: RunningSimulator) -> None:
    shop.close()
    ran = run("--json", "redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["retry_safe"]) == (3, "ProviderUnavailable", True)


def test_asked_to_slow_down_is_3_and_says_for_how_long(run: Any, jtl: RunningSimulator, configure: Any) -> None:
    configure({"shop": jtl}, shop="total_timeout_s = 1")
    jtl.inject("rate-limit", "POST /v1/reservations", 0, retry_after_s=30)
    ran = run("--json", "redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["retry_after"]) == (3, "RateLimited", 30.0)
    said = run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert "Wait 30 seconds" in said.err


def test_an_unknown_outcome_is_4_with_a_ticket_by_which_it_can_be_resolved(
    run: Any, shop: RunningSimulator, gift: str, tmp_path: Path
) -> None:
    shop.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    ran = run("--json", "redeem", "shop", CODE, "10.53", "EUR", "--reference", "r")
    assert (ran.code, ran.error["error"], ran.error["outcome"]) == (4, "OutcomeUnknown", "unknown")
    assert ran.error["retry_safe"] is False
    assert ran.error["ticket"]["amount"] == "10.53"
    with Gateway.from_config(tmp_path / "voucher-gateway.toml") as gateway:
        assert gateway.resolve(json.dumps(ran.error["ticket"])).state.value == "succeeded"


def test_people_get_the_ticket_as_one_line_that_can_be_copied(run: Any, shop: RunningSimulator, gift: str) -> None:
    shop.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    ran = run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "r", progress=True)
    ticket = json.loads(ran.err.splitlines()[-1])
    assert (ticket["verb"], ticket["currency"]) == ("capture", "EUR")


def test_somebody_elses_change_is_4_with_the_readings(run: Any, both: dict[str, RunningSimulator]) -> None:
    events = both["events"]
    run("issue", "events", "29.90", "EUR", "--code", "EVENT-1", "--reference", "a").done()
    events.inject("slow", "PUT /api/vouchers/*", 1, delay_s=0.4)
    read_before = len(events.requests)
    with ThreadPoolExecutor(1) as pool:
        redeeming = pool.submit(run, "--json", "redeem", "events", "EVENT-1", "9.90", "EUR", "--reference", "b")
        _until(lambda: len(events.requests) > read_before)
        time.sleep(0.1)
        simulator = events.simulator
        assert isinstance(simulator, TicketingSimulator)
        simulator.redeem_at_checkout("EVENT-1", "5.00")
        ran = redeeming.result()
    assert (ran.code, ran.error["error"], ran.error["outcome"]) == (4, "ConcurrentModification", "unknown"), ran.err
    assert ran.error["evidence"]["remaining before"] == "29.90 EUR"


def test_an_unreadable_answer_to_a_read_is_6(run: Any, shop: RunningSimulator, gift: str) -> None:
    shop.inject("html", "GET /v1/vouchers/gift", 0)
    ran = run("--json", "show", "shop", "--id", gift)
    assert (ran.code, ran.error["error"]) == (6, "MalformedResponse")


def test_our_bug_is_70_in_one_line_without_the_payload(
    run: Any, shop: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError(CODE)

    monkeypatch.setattr(Gateway, "balance", broken)
    ran = run("balance", "shop", CODE)
    assert ran.code == 70
    assert "This is a bug of voucher-gateway: KeyError at" in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.setenv("VOUCHER_GATEWAY_DEBUG", "1")
    debugged = run("balance", "shop", CODE)
    assert "voucher_gateway/cli/commands/vouchers/read.py" in debugged.err
    assert CODE not in ran.err + debugged.err
    assert run("--json", "balance", "shop", CODE).error["error"] == "InternalError"


def test_our_bug_in_a_changing_call_leaves_the_outcome_open(
    run: Any, shop: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError

    monkeypatch.setattr(Gateway, "redeem", broken)
    ran = run("--json", "redeem", "shop", CODE, "1.00", "EUR", "--reference", "r")
    assert (ran.code, ran.error["outcome"], ran.error["retry_safe"]) == (70, "unknown", False)


@pytest.mark.parametrize("number", first([signal.SIGTERM, signal.SIGINT]))
def test_an_interrupted_change_is_130_and_says_that_its_outcome_is_open(
    shop: RunningSimulator, gift: str, tmp_path: Path, number: signal.Signals
) -> None:
    shop.inject("commit-then-hang", "POST /v1/reservations/*/charge")
    command = [*PROGRAM, "redeem", "shop", CODE, "10.53", "EUR", "--reference", "1001-a"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        _until(lambda: any(one.path.endswith("/charge") for one in shop.requests) or _charged(shop))
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted." in err
    assert "redeem at shop, reference 1001-a: it is not known whether it happened." in err
    assert "Traceback" not in err


def _charged(shop: RunningSimulator) -> bool:
    return any(voucher["movements"] for voucher in shop.ledger())


def _until(true: Any) -> None:
    limit = time.monotonic() + 15
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_reader_that_goes_away_is_no_error(simulate: Any, configure: Any, tmp_path: Path) -> None:
    configure({"shop": simulate("jtl", vouchers=2000, seed=1)})
    command = [*PROGRAM, "--json", "list", "shop"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(20)
    assert (process.returncode, err) == (0, "")


def test_a_result_that_cannot_be_written_leaves_the_outcome_open(
    shop: RunningSimulator, gift: str, tmp_path: Path
) -> None:
    command = [*PROGRAM, "--json", "redeem", "shop", CODE, "10.53", "EUR", "--reference", "r"]
    with open(os.devnull) as read_only:
        ran = subprocess.run(command, cwd=tmp_path, stdout=read_only, stderr=subprocess.PIPE, text=True, check=False)
    error = json.loads(ran.stderr)
    assert (ran.returncode, error["outcome"], error["retry_safe"]) == (70, "unknown", False)
    assert "The system refused to read or write something: Bad file descriptor." in error["message"]
    assert _charged(shop)


def test_without_typer_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('typer')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([*PROGRAM, "accounts"], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr == "The command line needs Typer and Rich: pip install 'voucher-gateway[cli]'\n"


def test_the_version_is_that_of_the_distribution() -> None:
    ran = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("voucher-gateway 0.")
