"""The commands that sell vouchers."""

from __future__ import annotations

import csv
import stat
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

SALE = ("1002-1", "shop", "50.00", "EUR")


@pytest.fixture
def shop(shop: RunningSimulator, tmp_path: Path) -> RunningSimulator:
    """JTL, with a config that has a journal."""
    path = tmp_path / "voucher-gateway.toml"
    path.write_text('journal = "sqlite:///voucher-gateway.db"\n' + path.read_text())
    return shop


def statuses(shop: RunningSimulator) -> list[str]:
    return [str(entry["status"]) for entry in shop.ledger()]


def test_a_voucher_is_sold_step_by_step(run: Any, shop: RunningSimulator) -> None:
    prepared = run("sell", "prepare", *SALE, "--order", "1002").done()
    assert "1002-1 is prepared" in prepared.out
    assert statuses(shop) == ["inactive"]
    sold = run("--json", "sell", "fulfil", "1002-1", "--reveal").done().object
    assert (sold["state"], sold["code"]) == ("fulfilled", shop.ledger()[0]["code"])
    assert statuses(shop) == ["active"]
    assert run("--json", "sell", "delivered", "1002-1").done().object["code"] is None
    refunded = run("--json", "sell", "revoke", "1002-1", "--reason", "chargeback").done().object
    assert refunded["revocation"]["spent"] == {"amount": "0.00", "currency": "EUR"}
    assert refunded["revocation"]["left"] == {"amount": "50.00", "currency": "EUR"}
    assert statuses(shop) == ["inactive"]
    assert run("--json", "sell", "restore", "1002-1").done().object["generation"] == 2
    assert statuses(shop) == ["active"]


def test_a_code_is_masked_unless_it_is_asked_for(run: Any, shop: RunningSimulator) -> None:
    run("sell", "prepare", *SALE).done()
    code = str(shop.ledger()[0]["code"])
    shown = run("sell", "show", "1002-1").done()
    assert code not in shown.out + shown.err
    assert "sell show 1002-1 --reveal" in shown.err
    assert code in run("sell", "show", "1002-1", "--reveal").done().out
    assert code not in run("--json", "sell", "show", "1002-1").done().out


def test_the_list_has_the_sales_and_what_they_wait_for(run: Any, shop: RunningSimulator) -> None:
    run("sell", "prepare", *SALE).done()
    shop.inject("error-before", times=0)
    assert run("sell", "fulfil", "1002-1").code == 3
    (waiting,) = run("--json", "sell", "list", "--state", "fulfilling").done().objects
    assert waiting["attention"]
    shop.clear_faults()
    assert run("recover", "--all").done().code == 0
    assert run("--json", "sell", "list", "--state", "fulfilled").done().object["name"] == "1002-1"
    assert "There are none." in run("sell", "list", "--state", "revoking").done().err


def test_recover_says_which_sale_still_waits(run: Any, shop: RunningSimulator) -> None:
    run("sell", "prepare", *SALE).done()
    shop.inject("error-before", times=0)
    assert run("sell", "fulfil", "1002-1").code == 3
    ran = run("recover", "--all")
    assert ran.code == 3
    assert "1002-1  shop     fulfilling" in ran.out


def test_a_batch_goes_into_a_file_that_only_its_owner_reads(run: Any, shop: RunningSimulator, tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    arguments = ("sell", "batch", "spring", "shop", "50", "EUR", "3", "--codes", str(file), "--reveal")
    assert "spring: 3 vouchers prepared" in run(*arguments).done().out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert [row["sale"] for row in rows] == ["spring/000001", "spring/000002", "spring/000003"]
    assert sorted(row["code"] for row in rows) == sorted(str(entry["code"]) for entry in shop.ledger())
    first = file.read_bytes()
    run(*arguments, "--fulfil").done()
    assert file.read_bytes() == first
    assert statuses(shop) == ["active"] * 3
    assert run("--json", "sell", "delivered", "--batch", "spring").done().object["delivered"] == 3
    assert run(*arguments).code == 2
    assert file.read_bytes() == first


def test_a_batch_that_fails_leaves_no_file(run: Any, shop: RunningSimulator, tmp_path: Path) -> None:
    file = tmp_path / "codes.csv"
    shop.inject("error-before", times=0, after=3)
    arguments = ("sell", "batch", "spring", "shop", "50", "EUR", "3", "--codes", str(file), "--reveal")
    assert run(*arguments).code == 4
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith((".csv", ".part"))] == []
    shop.clear_faults()
    run(*arguments).done()
    assert len(shop.ledger()) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", "spring", "shop", "50", "EUR", "3", "--codes", "codes.csv"),
        ("batch", "spring", "shop", "50", "EUR", "3", "--reveal"),
        ("batch", "spring", "shop", "50", "EUR", "0"),
        ("delivered",),
        ("delivered", "1002-1", "--batch", "spring"),
        ("fulfil", "1002-1"),
        ("show", "1002-1"),
    ],
)
def test_a_wrong_command_is_refused_and_sends_nothing(
    run: Any, shop: RunningSimulator, arguments: tuple[str, ...]
) -> None:
    assert run("sell", *arguments).code == 2
    assert not shop.ledger()


def test_another_voucher_under_the_same_name_is_refused(run: Any, shop: RunningSimulator) -> None:
    run("sell", "prepare", *SALE).done()
    ran = run("sell", "prepare", "1002-1", "shop", "49.00", "EUR")
    assert ran.code == 2
    assert "exists with another voucher" in ran.err
    assert len(shop.ledger()) == 1
