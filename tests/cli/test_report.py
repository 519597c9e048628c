"""The commands that tell what is owed, and keep it for later."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.conftest import issue_active
from tests.html.browser import Reader
from voucher_gateway import Gateway, Money, NewVoucher
from voucher_gateway.cli.commands.report import parse_moment
from voucher_gateway.provider_api import parse_instant
from voucher_gateway.simulator import RunningSimulator

CODE: Final = "JTL-7K2M-9QXD-4HTP"
DAY_S: Final = 86_400


@pytest.fixture
def estate(kept: RunningSimulator) -> RunningSimulator:
    """The account `shop` with a journal, the voucher `gift` of 50.00 EUR, one of 30.00 CHF, and an inactive one."""
    issue_active("swiss", "30.00", "CHF")
    with Gateway.from_config("voucher-gateway.toml") as gateway:
        gateway.issue("shop", NewVoucher(initial=Money("20.00", "EUR"), id="stock"), reference="stock")
    return kept


def day(running: RunningSimulator) -> str:
    """Return the day by the vendor's clock."""
    return f"{running.clock.now():%Y-%m-%d}"


def test_the_report_shows_what_is_owed_by_account_month_and_age(run: Any, estate: RunningSimulator) -> None:
    ran = run("report").done()
    assert "shop     CHF                         1        30.00      0.00     0.00        0" in ran.out
    assert "shop     EUR                         2        50.00     20.00     0.00        0" in ran.out
    assert "Outstanding in EUR by month of expiry" in ran.out
    assert "under 3 months  50.00         1" in ran.out
    assert "total           50.00         1" in ran.out
    assert "Warning" not in ran.err
    assert CODE not in ran.out


def test_as_json_each_account_is_an_object_and_each_total(run: Any, estate: RunningSimulator) -> None:
    account, francs, euros = run("--json", "report", "shop").done().objects
    assert (account["report"], account["account"], account["consistent"]) == ("account", "shop", True)
    assert account["listing"]["seen"] == account["vouchers"] == 3
    in_euros = next(one for one in account["currencies"] if one["currency"] == "EUR")
    assert in_euros["outstanding"] == {"vouchers": 1, "remaining": {"amount": "50.00", "currency": "EUR"}}
    assert in_euros["inactive"]["remaining"]["amount"] == "20.00"
    assert {
        "standing": "inactive",
        "of": "not started",
        "vouchers": 1,
        "remaining": {"amount": "20.00", "currency": "EUR"},
    } in in_euros["by_expiry"]
    assert (francs["report"], francs["currency"], francs["outstanding"]["remaining"]["amount"]) == (
        "total",
        "CHF",
        "30.00",
    )
    assert (euros["report"], euros["currency"], euros["outstanding"]["remaining"]["amount"]) == (
        "total",
        "EUR",
        "50.00",
    )


def test_the_html_page_has_the_same_numbers(run: Any, estate: RunningSimulator, tmp_path: Path) -> None:
    ran = run("report", "--html", "owed.html").done()
    read = Reader((tmp_path / "owed.html").read_text("utf-8"))
    assert read.tables["Outstanding by account"][2][:4] == ["shop", "EUR", "2", "50.00"]
    assert "The page is owed.html." in ran.err


def test_all_accounts_are_told_by_default_and_only_the_named_ones_else(
    run: Any, both: dict[str, RunningSimulator]
) -> None:
    run("issue", "shop", "50.00", "EUR", "--activate", "--reference", "a").done()
    run("issue", "events", "7.00", "EUR", "--reference", "b").done()
    *_, total = run("--json", "report").done().objects
    assert total["outstanding"] == {"vouchers": 2, "remaining": {"amount": "57.00", "currency": "EUR"}}
    *_, total = run("--json", "report", "events").done().objects
    assert total["outstanding"]["remaining"]["amount"] == "7.00"


def test_a_name_that_is_no_account_is_refused_and_not_repeated(run: Any, estate: RunningSimulator) -> None:
    for command in ("report", "snapshot"):
        ran = run(command, CODE)
        assert ran.code == 2
        assert "unknown account. The accounts are: shop" in ran.err
        assert CODE not in ran.err


def test_a_list_that_changes_while_it_is_read_is_said_loudly_in_every_form(
    run: Any, estate: RunningSimulator, tmp_path: Path
) -> None:
    path = tmp_path / "voucher-gateway.toml"
    path.write_text(path.read_text() + "\npage_size = 1\nworkers = 1\n")
    estate.inject("insert-while-paging", "GET /v1/vouchers", times=1)
    ran = run("report", "--html", "owed.html")
    assert ran.code == 3
    assert "Warning: shop: the list changed while it was read" in ran.err
    assert "These numbers may be wrong" in (tmp_path / "owed.html").read_text()
    estate.inject("insert-while-paging", "GET /v1/vouchers", times=1)
    ran = run("--json", "report")
    assert ran.code == 3
    assert ran.objects[0]["consistent"] is False
    assert "changed while it was read" in json.loads(ran.err.splitlines()[-1])["warnings"][0]
    estate.inject("insert-while-paging", "GET /v1/vouchers", times=1)
    assert run("snapshot").code == 3


def test_a_report_of_an_earlier_day_comes_from_a_snapshot_and_asks_no_vendor(
    run: Any, estate: RunningSimulator
) -> None:
    ran = run("snapshot").done()
    assert ran.out.startswith(f"shop: 3 vouchers at {day(estate)}")
    then = day(estate)
    estate.clock.advance(30 * DAY_S)
    run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a").done()
    arrived = len(estate.requests)
    ran = run("report", "--as-of", then).done()
    assert len(estate.requests) == arrived
    assert "shop     EUR                         2        50.00" in ran.out
    assert f"shop: from the snapshot of {then}" in ran.err
    assert run("--json", "report", "--as-of", then).objects[0]["snapshot_at"].startswith(then)
    assert "39.47" in run("report").out


def test_a_roll_forward_explains_every_cent_between_two_snapshots(
    run: Any, estate: RunningSimulator, tmp_path: Path
) -> None:
    run("snapshot").done()
    begin = day(estate)
    estate.clock.advance(10 * DAY_S)
    run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a").done()
    run("refund", "shop", "--redemption", "a", "--amount", "0.53", "--reference", "b").done()
    run("top-up", "shop", "gift", "5.00", "EUR", "--reference", "c").done()
    run("activate", "shop", "stock", "--reference", "d").done()
    estate.clock.advance(10 * DAY_S)
    run("snapshot").done()
    ran = run("report", "--from", begin, "--html", "roll.html").done()
    lines = dict(
        line.rsplit(maxsplit=1) for line in ran.out.splitlines() if line and line[0].islower() and ":" not in line
    )
    assert lines["activated"] == "20.00"
    told = run("--json", "report", "--from", begin, "--to", day(estate)).done().object
    assert run("--json", "report", "--from", begin, "--every-history").done().object == told
    euros = next(one for one in told["rolls"] if one["currency"] == "EUR")
    assert {
        name: euros[name]["amount"] for name in euros if name != "currency" and euros[name]["amount"] != "0.00"
    } == {
        "opening": "50.00",
        "activated": "20.00",
        "topped_up": "5.00",
        "redeemed": "10.53",
        "refunded": "0.53",
        "closing": "65.00",
    }
    assert told["unexplained_count"] == 0
    assert "shop: roll-forward in EUR" in Reader((tmp_path / "roll.html").read_text("utf-8")).tables


def test_what_nothing_explains_gives_the_exit_code_of_differences(run: Any, estate: RunningSimulator) -> None:
    run("snapshot").done()
    begin = day(estate)
    with estate.simulator.lock:
        next(iter(estate.simulator.voucher_ledger)).remaining -= 1  # type: ignore[attr-defined]  # JTL's simulator
    estate.clock.advance(10 * DAY_S)
    run("snapshot").done()
    ran = run("report", "--from", begin)
    assert ran.code == 5
    assert re.search("unexplained +-0.01\n", ran.out)
    assert "gift     -0.01 EUR  its history has no movement for the change" in ran.out
    assert "do not explain the change of 1 voucher" in ran.err


def test_a_voucher_in_no_sum_has_the_exit_code_of_doubtful_numbers(
    run: Any, shop: RunningSimulator, tmp_path: Path
) -> None:
    (tmp_path / "paper.csv").write_text(
        "id,code,currency,initial,remaining\na,PAPER-0001,EUR,10.00,7.00\nb,PAPER-0002,EUR,10.00,\n"
    )
    (tmp_path / "voucher-gateway.toml").write_text(
        'journal = "sqlite:///j.db"\n[accounts.paper]\nprovider = "file"\npath = "paper.csv"\n'
    )
    told = "did not show the remaining value of 1 voucher, which no sum contains"
    for command in (["report"], ["snapshot"], ["snapshot"]):
        ran = run(*command)
        assert ran.code == 3
        assert told in ran.err
    later = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    for more in (["--as-of", later], ["--html", "owed.html"]):
        assert run("report", *more).code == 3
    assert told in (tmp_path / "owed.html").read_text()


def test_older_snapshots_are_removed_on_demand(run: Any, estate: RunningSimulator) -> None:
    run("snapshot").done()
    begin = day(estate)
    estate.clock.advance(40 * DAY_S)
    assert "1 older snapshot removed" in run("snapshot", "--keep-days", "30").done().out
    ran = run("report", "--as-of", begin)
    assert ran.code == 2
    assert "account shop has no complete snapshot of" in ran.err


def test_an_account_that_cannot_be_read_does_not_keep_the_others_from_their_snapshot(
    run: Any, both: dict[str, RunningSimulator], tmp_path: Path
) -> None:
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('journal = "sqlite:///voucher-gateway.db"\n' + path.read_text())
    both["shop"].inject("unauthorized", "GET *", times=0)
    ran = run("--json", "snapshot")
    assert ran.code == 2
    assert [one["account"] for one in ran.objects] == ["events"]
    assert ran.error["error"] == "AuthenticationFailed"
    assert ran.error["account"] == "shop"


def test_without_a_journal_there_is_no_place_for_snapshots(run: Any, shop: RunningSimulator) -> None:
    for command in (["snapshot"], ["report", "--as-of", "2026-01-01"]):
        ran = run(*command)
        assert ran.code == 2
        assert "name a journal in the configuration" in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--as-of", "2026-01-01", "--from", "2026-01-01"], "--as-of or --from"),
        (["--to", "2026-01-01"], "--to needs --from"),
        (["--every-history"], "--every-history needs --from"),
        (["--as-of", "2026-02-30"], "a day of the calendar"),
        (["--as-of", "yesterday"], "a day such as 2026-12-31, or a moment with its offset"),
    ],
)
def test_days_that_make_no_sense_are_refused(
    run: Any, estate: RunningSimulator, arguments: list[str], told: str
) -> None:
    ran = run("report", *arguments)
    assert ran.code == 2
    assert told in ran.err


def test_a_day_is_meant_to_its_end_in_utc_and_a_moment_as_it_is() -> None:
    assert parse_moment("2026-12-31", "--as-of") == parse_instant("2026-12-31T23:59:59.999999Z")
    assert parse_moment("2026-12-31T12:00:00+01:00", "--as-of") == parse_instant("2026-12-31T11:00:00Z")
    assert parse_moment(None, "--as-of") is None


def test_no_code_shows_anywhere(run: Any, estate: RunningSimulator, canary: Any, tmp_path: Path) -> None:
    canary.plant(CODE)
    for command in (
        ["snapshot"],
        ["report", "--html", "p.html"],
        ["--json", "report"],
        ["report", "--from", "2020-01-01"],
    ):
        ran = run(*command)
        canary.note("the output", ran.out + ran.err)
    canary.note("the page", (tmp_path / "p.html").read_text("utf-8"))
    canary.note("the database", (tmp_path / "voucher-gateway.db").read_bytes().decode("latin-1"))
