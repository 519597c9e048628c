"""The command that plans a migration, against both simulators."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import Configure, Run
from voucher_gateway.cli.arguments import parse_length
from voucher_gateway.cli.commands.migrate.plan import rates_from
from voucher_gateway.migration import read_summary, read_vouchers
from voucher_gateway.provider_api import InvalidRequest
from voucher_gateway.simulator import RunningSimulator

JOURNAL = 'journal = "sqlite:///journal.db"\n'
POLICY = """
losses = ["sku", "batch", "tax", "metadata", "order", "medium", "pin", "no-end"]
[vouchers]
empty = "skip"
expired = "skip"
inactive = "skip"
[codes]
unfit = "new-code"
"""


@pytest.fixture
def estates(simulate: Callable[..., RunningSimulator], configure: Configure, tmp_path: Path) -> Path:
    """The accounts `shop` at JTL and `events` at ticketing, with vouchers, a journal and a policy."""
    path = configure(
        {"shop": simulate("jtl", vouchers=40, seed=5), "events": simulate("ticketing", vouchers=25, seed=6)}
    )
    path.write_text(JOURNAL + path.read_text())
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def test_a_plan_is_made_and_told(run: Run, estates: Path) -> None:
    ran = run("migrate", "plan", "events", "shop", "--out", "a.plan", "--policy", "policy.toml").done()
    summary = read_summary(estates / "a.plan")
    assert f"plan {summary.id} in a.plan" in ran.out
    assert "events to shop: 25 vouchers" in ran.out
    assert "partly used: carried" in ran.out
    assert "A voucher can never be spent at both accounts." in ran.out
    assert "25 listed vouchers, as many as the vendor counts" in ran.out
    assert "retire at the source, activate at the target" in ran.out


def test_refusals_are_exit_code_1_and_the_policy_that_would_accept_them_is_named(run: Run, estates: Path) -> None:
    ran = run("migrate", "plan", "shop", "events", "--out", "a.plan")
    assert ran.code == 1
    assert (estates / "a.plan").exists()
    assert "the policy does not accept a loss: medium" in ran.out
    assert 'losses = ["batch"' in ran.err


def test_json_says_the_same_for_programs(run: Run, estates: Path) -> None:
    ran = run("--json", "migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "policy.toml")
    summary = read_summary(estates / "a.plan")
    told = ran.object
    assert told["plan"] == summary.id
    assert told["actions"]["carry"]["count"] == sum(one.action == "carry" for one in read_vouchers(estates / "a.plan"))
    assert told["all"]["count"] == 40
    assert told["all"]["money"]["EUR"]["currency"] == "EUR"
    assert told["listing"]["consistent"] is True
    assert told["steps"] == ["freeze", "re-read", "create", "confirm"]
    assert told["spendable_twice"] == {}
    assert told["fits"] is None
    assert told["requests"] == {"shop": 4, "events": 2}


def test_a_window_that_is_too_short_is_said_and_exit_code_1(run: Run, estates: Path) -> None:
    arguments = ("migrate", "plan", "events", "shop", "--policy", "policy.toml", "--rate", "events=1")
    short = run(*arguments, "--out", "a.plan", "--window", "10s")
    assert short.code == 1
    assert "That does not fit into 10 s." in short.out
    assert "8 requests a voucher at events, " in short.out
    assert " ms each, at most 1 a second; 4 requests a voucher at shop, " in short.out
    long = run(*arguments, "--out", "b.plan", "--window", "4h").done()
    assert "That fits into 4 h." in long.out


def test_a_page_is_written_too(run: Run, estates: Path) -> None:
    run("migrate", "plan", "events", "shop", "--out", "a.plan", "--policy", "policy.toml", "--html", "a.html").done()
    page = (estates / "a.html").read_text("utf-8")
    assert read_summary(estates / "a.plan").id in page
    assert "Value by currency" in page


@pytest.mark.parametrize("page", ["a.plan", "./a.plan", "no/such/page.html", "."])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(run: Run, estates: Path, page: str) -> None:
    ran = run("migrate", "plan", "events", "shop", "--out", "a.plan", "--policy", "policy.toml", "--html", page)
    assert ran.code == 2
    assert "--html" in ran.err or "a folder that is there" in ran.err
    assert not (estates / "a.plan").exists()


def test_only_lengths_of_time_end_later_still_by_the_time_until_activation(run: Run, estates: Path) -> None:
    lengths = run("migrate", "plan", "events", "shop", "--out", "a.plan", "--policy", "policy.toml").done()
    assert "and later still by the time that passes until they are activated; none ends earlier." in lengths.out
    (estates / "own.csv").write_text(
        "code,currency,remaining,valid_until\nGIFT-0001,EUR,5.00,2099-01-01T00:00:00.000001Z\n"
    )
    moments = run("migrate", "plan", "own.csv", "events", "--out", "b.plan").done()
    assert "At the target vouchers end up to 1 s later than before; none ends earlier." in moments.out


def test_a_plan_that_is_there_is_not_replaced(run: Run, estates: Path) -> None:
    (estates / "a.plan").write_text("bound")
    ran = run("migrate", "plan", "events", "shop", "--out", "a.plan")
    assert ran.code == 2
    assert "Take another name" in ran.err
    assert (estates / "a.plan").read_text() == "bound"


def test_nothing_is_changed_at_either_vendor(
    run: Run, simulate: Callable[..., RunningSimulator], configure: Configure
) -> None:
    ends = {"shop": simulate("jtl", vouchers=30, seed=5), "events": simulate("ticketing", vouchers=30, seed=6)}
    path = configure(ends)
    path.write_text(JOURNAL + path.read_text())
    run("migrate", "plan", "shop", "events", "--out", "a.plan")
    run("migrate", "plan", "events", "shop", "--out", "b.plan")
    changing = [
        one.path
        for running in ends.values()
        for one in running.requests
        if one.method != "GET" and one.path != "/oauth/token"
    ]
    assert changing == []


def test_without_a_journal_it_says_what_to_do(run: Run, both: object) -> None:
    ran = run("migrate", "plan", "shop", "events", "--out", "a.plan")
    assert ran.code == 2
    assert "a migration needs a journal" in ran.err


def test_a_policy_that_is_wrong_is_told_line_by_line(run: Run, estates: Path) -> None:
    (estates / "bad.toml").write_text('losses = ["skus"]\nretire = "burn"\n')
    ran = run("migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "bad.toml")
    assert ran.code == 2
    assert "did you mean sku?" in ran.err
    assert "bad.toml: retire:" in ran.err


def test_a_file_is_a_source_that_stays_as_it_is(run: Run, estates: Path) -> None:
    line = {
        "id": "p-1",
        "code": "PAPER-0001",
        "initial": {"amount": "20.00", "currency": "EUR"},
        "remaining": {"amount": "12.50", "currency": "EUR"},
        "status": "active",
        "valid_until": "2099-01-01T00:00:00Z",
    }
    (estates / "paper.jsonl").write_text(json.dumps(line) + "\n")
    ran = run("--json", "migrate", "plan", "paper.jsonl", "shop", "--out", "a.plan").done()
    assert ran.object["copy"] is True
    assert ran.object["actions"]["carry"]["money"]["EUR"]["amount"] == "12.50"
    assert ran.object["spendable_twice"] == {}


def test_a_file_is_a_target_for_a_copy(run: Run, estates: Path) -> None:
    arguments = ("--json", "migrate", "plan", "events", "copy.jsonl", "--reveal", "--out", "a.plan")
    ran = run(*arguments, "--policy", "policy.toml").done()
    assert ran.object["copy"] is True
    assert ran.object["steps"] == ["re-read", "create", "confirm"]
    assert not (estates / "copy.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("4h", timedelta(hours=4)),
        ("90m", timedelta(minutes=90)),
        ("15min", timedelta(minutes=15)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("2h30m10s", timedelta(hours=2, minutes=30, seconds=10)),
    ],
)
def test_windows_are_read_as_people_write_them(text: str, length: timedelta) -> None:
    assert parse_length(text, "--window") == length


@pytest.mark.parametrize("text", ["", "4", "h", "0h", "4 h", "-1h", "1h2d", "1.5h", "4h\n", "٤h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_length(text, "--window")


def test_rates_are_read_by_account() -> None:
    assert rates_from(["shop=5", "a=b=0.5"]) == {"shop": 5.0, "a=b": 0.5}
    for text in ("shop", "=5", "shop=", "shop=-1", "shop=1e3", "shop=٥"):
        with pytest.raises(InvalidRequest):
            rates_from([text])


def test_the_plan_holds_no_code(run: Run, estates: Path) -> None:
    ran = run("migrate", "plan", "events", "shop", "--out", "a.plan", "--policy", "policy.toml", "--html", "a.html")
    with requests.Session() as session:
        session.trust_env = False
        config = (estates / "voucher-gateway.toml").read_text()
        base, key = (config.split(f'{name} = "')[-1].split('"')[0] for name in ("base_url", "api_key"))
        reply = session.get(f"{base}/api/vouchers?top=100", headers={"Authorization": f"Bearer {key}"})
    codes = [one["code"] for one in reply.json()["docs"]]
    assert len(codes) == 25
    everything = ran.out + ran.err + (estates / "a.plan").read_text() + (estates / "a.html").read_text()
    assert [code for code in codes if len(code) >= 8 and code in everything] == []


def test_everything_that_is_wrong_with_a_policy_is_told_a_line_each(run: Run, estates: Path) -> None:
    (estates / "bad.toml").write_text('losses = ["pinn"]\nretire = "gone"\n')
    refused = run("migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "bad.toml")
    assert refused.code == 2
    lines = refused.err.splitlines()
    assert lines[0].startswith("bad.toml: losses: ")
    assert lines[1].startswith("bad.toml: retire: ")


def test_a_template_of_a_policy_is_written_once_and_taken_by_a_plan(run: Run, estates: Path) -> None:
    written = run("migrate", "plan", "shop", "events", "--policy-template", "new.toml").done()
    assert "new.toml" in written.out
    made = run("migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "new.toml")
    assert made.code in (0, 1), made.err
    again = run("migrate", "plan", "shop", "events", "--policy-template", "new.toml")
    assert again.code == 2
    assert "new.toml cannot be written" in again.err


def test_without_a_file_for_the_plan_nothing_is_read(run: Run, estates: Path) -> None:
    assert "--out PLAN" in run("migrate", "plan", "shop", "events").err
