"""Commands about events: listed, followed, and recorded for a consumer."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.cli.redemption_in_doubt import CODE, PROGRAM
from voucher_gateway.simulator import RunningSimulator


@pytest.fixture
def redeemed(run: Any, kept: RunningSimulator) -> None:
    """A shop where orders 1001 and 1002 were paid."""
    for order in ("1001", "1002"):
        run("redeem", "shop", CODE, "1.00", "EUR", "--order", order, "--reference", f"r-{order}").done()


def test_events_are_listed_for_people(run: Any, redeemed: None) -> None:
    printed = run("events", "list", "--order", "1001").done().out
    assert "operation.started" in printed
    assert "operation.succeeded  redeem  shop" in printed
    assert "1002" not in printed


def test_a_list_goes_on_after_a_cursor(run: Any, redeemed: None) -> None:
    everything = run("--json", "events", "list", "--kind", "operation.succeeded").done().objects
    everything = [event for event in everything if event["order"]]  # the shop has issued vouchers before
    assert [event["order"] for event in everything] == ["1001", "1002"]
    assert everything[0]["money"] == {"amount": "1.00", "currency": "EUR"}
    rest = run("--json", "events", "list", "--after", everything[0]["cursor"]).done().objects
    assert [event["order"] for event in rest] == ["1002", "1002"]
    assert CODE not in json.dumps(everything)


def test_a_feed_goes_on_where_it_stopped(run: Any, redeemed: None) -> None:
    follow = ("--json", "events", "follow", "--feed", "warehouse", "--kind", "operation.succeeded", "--once")
    assert [event["order"] for event in run(*follow).done().objects][-2:] == ["1001", "1002"]
    assert run(*follow).done().objects == []
    run("redeem", "shop", CODE, "1.00", "EUR", "--order", "1003", "--reference", "r-1003").done()
    assert [event["order"] for event in run(*follow).done().objects] == ["1003"]


def test_following_without_a_feed_prints_a_line_for_each_event(run: Any, redeemed: None) -> None:
    lines = run("events", "follow", "--once", "--order", "1001").done().out.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "operation.started shop 1001 r-1001 1.00 EUR",
        "operation.succeeded shop 1001 r-1001 1.00 EUR",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("events", "list", "--after", "x"), "after must be the cursor of an event"),
        (("events", "list", "--kind", "x"), "'x' is not a kind of event"),
        (("events", "follow", "--feed", "a b"), "the name of a feed must be"),
        (("events", "follow", "--feed", "f", "--after", "0-1"), "--feed goes on where it stopped"),
    ],
)
def test_wrong_options_are_refused(run: Any, kept: RunningSimulator, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.code, message in result.err) == (2, True)


def test_a_reader_that_goes_away_has_lost_no_event(run: Any, redeemed: None) -> None:
    """The pipe is closed after the first line: what was not printed comes again."""
    command = [*PROGRAM, "--json", "events", "follow", "--feed", "f"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    first = json.loads(process.stdout.readline())
    process.stdout.close()
    run("redeem", "shop", CODE, "1.00", "EUR", "--order", "1003", "--reference", "r-1003").done()
    process.wait(20)
    process.stderr.close()
    later = run("--json", "events", "follow", "--feed", "f", "--once").done().objects
    everything = run("--json", "events", "list").done().objects
    assert first == everything[0]
    assert later[-1] == everything[-1]
    assert len(later) >= 1


def test_a_killed_follower_is_followed_by_another_at_once(run: Any, redeemed: None) -> None:
    command = [*PROGRAM, "--json", "events", "follow", "--feed", "f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = [json.loads(process.stdout.readline())["cursor"] for _ in range(4)]
        time.sleep(0.1)
        busy = run("events", "follow", "--feed", "f", "--once")
        process.kill()
    assert (busy.code, "another worker reads the feed f" in busy.err) == (3, True)
    again = [event["cursor"] for event in run("--json", "events", "follow", "--feed", "f", "--once").done().objects]
    assert again in ([], printed[-1:])
