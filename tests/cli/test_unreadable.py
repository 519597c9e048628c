"""One voucher that cannot be read never stops an account: commands name it, and do their work with the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Configure, Run
from tests.support.unreadable import make_unreadable
from voucher_gateway.simulator import RunningSimulator

POLICY = 'losses = ["medium", "no-end", "tax"]\naccept = ["validity-restarts"]\n[vouchers]\nunreadable = "skip"\n'


@pytest.fixture
def shop(simulate: Callable[..., RunningSimulator], configure: Configure, tmp_path: Path) -> RunningSimulator:
    """The accounts `shop` at JTL, of whose three vouchers one cannot be read, and `events`, with a journal."""
    shop = simulate("jtl", vouchers=0)
    config = configure({"shop": shop, "events": simulate("ticketing")}, events='accept_risks = ["redeem-by-update"]')
    config.write_text(f'journal = "sqlite:///{tmp_path}/journal.db"\n{config.read_text()}')
    (tmp_path / "policy.toml").write_text(POLICY)
    return shop


@pytest.fixture
def unreadable(shop: RunningSimulator, run: Run) -> RunningSimulator:
    for id in ("good-1", "broken", "good-2"):
        code = ("--code", f"JTL-{id.upper()}")
        run("issue", "shop", "10.00", "EUR", "--id", id, *code, "--activate", "--reference", id).done()
    make_unreadable(shop, "broken")
    return shop


@pytest.mark.usefixtures("unreadable")
def test_a_list_prints_the_others_and_names_it(run: Run) -> None:
    listed = run("list", "shop").done()
    assert "good-1" in listed.out
    assert "good-2" in listed.out
    assert "This voucher cannot be read: broken: currency: " in listed.err
    assert "2 vouchers and 1 that cannot be read, as many as the vendor counts." in listed.err
    assert [voucher["id"] for voucher in run("--json", "list", "shop").done().objects] == ["good-1", "good-2"]


@pytest.mark.usefixtures("unreadable")
def test_a_report_and_a_snapshot_name_it_and_say_that_no_sum_contains_it(run: Run) -> None:
    for command in (("report",), ("snapshot", "shop")):
        reported = run(*command)
        assert reported.code == 3, reported.err
        assert "the remaining value of 1 voucher, which no sum contains" in reported.out + reported.err
        assert "this voucher cannot be read: broken: currency: " in reported.out + reported.err
    later = run("report", "shop", "--as-of", "9999-12-30T00:00:00Z")
    assert "this voucher cannot be read: broken: currency: " in later.out + later.err


@pytest.mark.usefixtures("unreadable")
def test_a_plan_skips_it_by_name_and_the_others_move(run: Run, tmp_path: Path) -> None:
    plan = ("migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "policy.toml")
    planned = run(*plan).done()
    assert "unreadable: skipped" in planned.out
    assert "it cannot be read: currency: " in planned.out
    assert '"source_id":"broken"' in (tmp_path / "a.plan").read_text()
    assert "2 vouchers moved: 20.00 EUR" in run("migrate", "run", "a.plan").done().out
    verified = run("migrate", "verify", "a.plan").done()
    assert "Vouchers that cannot be read" in verified.out
    assert "broken" in verified.out


@pytest.mark.usefixtures("unreadable")
def test_without_a_word_in_the_policy_it_is_refused_and_the_plan_is_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY.replace("skip", "refuse"))
    planned = run("migrate", "plan", "shop", "events", "--out", "a.plan", "--policy", "policy.toml")
    assert planned.code == 1
    assert "unreadable: refused" in planned.out


@pytest.mark.usefixtures("unreadable")
def test_a_reconciliation_goes_on_with_the_others(run: Run) -> None:
    reconciled = run("reconcile", "shop", "--all")
    assert "3 vouchers" in reconciled.out + reconciled.err, reconciled.err


@pytest.mark.usefixtures("unreadable")
def test_what_is_asked_about_the_voucher_itself_stays_strict(run: Run) -> None:
    for command in (("balance", "shop", "JTL-BROKEN"), ("show", "shop", "--id", "broken")):
        refused = run(*command)
        assert refused.code == 6
        assert "currency" in refused.err


@pytest.mark.usefixtures("shop")
def test_a_wrong_line_of_a_file_is_passed_over_only_with_consent(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("code,currency,remaining\nJTL-1,EUR,1.00\nJTL-2,ZZZ,2.00\nJTL-3,EUR,3.00\n")
    refused = run("import", "shop", "in.csv")
    assert refused.code == 2
    done = run("import", "shop", "in.csv", "--policy", "policy.toml").done()
    assert "4.00 EUR" in done.out
    assert "1 records cannot be read" not in done.err
    assert "1 record cannot be read" in done.err
    run("import", "shop", "in.csv").done()  # the plan goes on with its own policy
    plan = run("migrate", "plan", "in.csv", "events", "--out", "b.plan", "--policy", "policy.toml").done()
    assert "in.csv to events: 3 vouchers" in plan.out
    run("migrate", "run", "b.plan").done()
    run("migrate", "verify", "b.plan").done()
