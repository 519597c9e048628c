"""Snapshots are whole or not used, and say the same again."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.reports.memory_vendor import NOON, MemoryVendor
from tests.support.schemas import table_differences
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Code, ConfigurationError, InvalidRequest, Pin, ProviderUnavailable, Status
from voucher_gateway.reports import (
    SNAPSHOTS,
    BalanceReader,
    BalanceStatus,
    Snapshots,
    VoucherBalance,
    liability_as_of,
    read_liability,
)
from voucher_gateway.reports.text import age_of, expiry_of, incomplete_snapshot_notes
from voucher_gateway.storage.engine import Database

DAY = timedelta(days=1)


def fill(vendor: MemoryVendor) -> None:
    """Give the vendor vouchers of all kinds."""
    vendor.put("a", "10.53", valid_until=NOON + DAY, updated_at=NOON + timedelta(microseconds=1))
    vendor.put("B", "0.00", status=Status.INACTIVE)
    vendor.put("ä/ö 😀", "1000", "JPY", status=Status.UNKNOWN, created_at=None)
    vendor.put("~", "99999.99", status=None, valid_until=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    vendor.put("old", "1.00", valid_until=datetime(1969, 12, 31, tzinfo=UTC))
    vendor.put("mute", "7.00")
    vendor.mute = {"mute"}


def test_a_snapshot_holds_what_the_vendor_showed_in_the_order_of_bytes(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    fill(vendor)
    taken = either_snapshots.take(gateway, "shop")
    kept = list(either_snapshots.positions(taken))
    assert kept == sorted(BalanceReader(gateway, "shop"), key=lambda one: one.id.encode())
    assert (taken.vouchers, taken.unknown, taken.consistent, taken.problems) == (6, 1, True, ())
    assert either_snapshots.latest("shop") == taken


def test_a_snapshot_is_logged_by_its_counts(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor, caplog: pytest.LogCaptureFixture
) -> None:
    fill(vendor)
    caplog.set_level(logging.INFO, "voucher_gateway.reports")
    taken = either_snapshots.take(gateway, "shop")
    assert [record.getMessage() for record in caplog.records if record.name == "voucher_gateway.reports"] == [
        f"snapshot {taken.id} of account shop: 6 vouchers, 1 of unknown value"
    ]


def test_a_report_from_a_snapshot_is_that_of_the_moment(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    fill(vendor)
    (then,) = read_liability(gateway, ["shop"]).accounts
    either_snapshots.take(gateway, "shop")
    vendor.clock += 400 * DAY
    vendor.put("a", "0.01")
    (recalled,) = liability_as_of(gateway, either_snapshots, ["shop"], NOON + DAY).accounts
    assert recalled.cells == then.cells
    assert recalled.by("EUR", BalanceStatus.OUTSTANDING, expiry_of) == then.by(
        "EUR", BalanceStatus.OUTSTANDING, expiry_of
    )
    assert recalled.by("EUR", BalanceStatus.OUTSTANDING, age_of) == then.by("EUR", BalanceStatus.OUTSTANDING, age_of)
    assert recalled.snapshot_at is not None


def test_more_vouchers_than_a_batch_are_all_kept_once(either_snapshots: Snapshots, gateway: Gateway) -> None:
    vendor = gateway.provider("shop")
    assert isinstance(vendor, MemoryVendor)
    vendor.put("v", "1.00")
    (one,) = vendor.listed_vouchers

    vendor.listed_vouchers = [attrs.evolve(one, id=f"v-{number}") for number in range(2500)]
    taken = either_snapshots.take(gateway, "shop")
    ids = [position.id for position in either_snapshots.positions(taken)]
    assert len(ids) == len(set(ids)) == taken.vouchers == 2500
    assert ids == sorted(ids)


def test_the_snapshots_of_a_renamed_account_follow_with_the_next_one(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    first = either_snapshots.take(gateway, "shop")
    vendor.account = "main-shop"
    renamed = Gateway([Account(name="main-shop", provider=vendor, former_names=("shop",))])
    second = either_snapshots.take(renamed, "main-shop")
    assert [one.id for one in either_snapshots.list_complete("main-shop")] == [first.id, second.id]
    assert either_snapshots.list_complete("shop") == []


def test_no_code_and_no_pin_is_kept(sqlite_url: str, gateway: Gateway, vendor: MemoryVendor, tmp_path: Path) -> None:
    vendor.put("a", code=Code("GIFT-PLAINLY-TO-BE-SEEN"), pin=Pin("8421-PIN"), raw={"code": "GIFT-PLAINLY-TO-BE-SEEN"})
    with Snapshots(sqlite_url) as snapshots:
        snapshots.take(gateway, "shop")
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"GIFT-PLAINLY" not in kept
    assert b"8421-PIN" not in kept


def test_an_attempt_that_fails_leaves_nothing(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    for number in range(1200):
        vendor.put(f"v-{number}")

    def fail(index: int) -> None:
        if index == 2:
            raise ProviderUnavailable("nobody answers")

    vendor.turning = fail
    with pytest.raises(ProviderUnavailable):
        either_snapshots.take(gateway, "shop")
    assert either_snapshots.latest("shop") is None
    assert either_snapshots.list_incomplete("shop") == []
    vendor.turning = lambda _: None
    assert either_snapshots.take(gateway, "shop").vouchers == 1200


def test_one_that_was_killed_half_way_is_said_used_by_no_report_and_removed_by_the_next(
    either_url: str, gateway: Gateway, vendor: MemoryVendor
) -> None:
    for number in range(2100):
        vendor.put(f"v-{number}", "1.00")
    with Snapshots(either_url) as snapshots:
        whole = snapshots.take(gateway, "shop")
        vendor.clock += DAY
        _killed_at_page(4, either_url, gateway, vendor)
        (left,) = snapshots.list_incomplete("shop")
        assert left.id != whole.id
        assert snapshots.latest("shop") == whole
        (note,) = incomplete_snapshot_notes(snapshots.list_incomplete("shop"))
        assert "not complete, and is not used" in note
        assert liability_as_of(gateway, snapshots, ["shop"], NOON + 2 * DAY).accounts[0].snapshot_at == whole.began_at
        assert len(list(snapshots.positions(left))) == 2000
        after = snapshots.take(gateway, "shop")
        assert snapshots.list_incomplete("shop") == []
        assert list(snapshots.positions(left)) == []
        assert snapshots.latest("shop") == after


def _killed_at_page(page: int, url: str, gateway: Gateway, vendor: MemoryVendor) -> None:
    """Take a snapshot in a process that is killed while it reads a page."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child starts no thread of the parent's
        child = os.fork()
    if child == 0:

        def stop(index: int) -> None:
            if index == page:
                os.write(writing, b"x")
                signal.pause()

        vendor.turning = stop
        try:
            Snapshots(url).take(gateway, "shop")
        finally:
            os._exit(1)
    assert os.read(reading, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


def test_one_that_is_being_taken_elsewhere_is_left_alone(
    either_url: str, gateway: Gateway, vendor: MemoryVendor
) -> None:
    vendor.put("a")
    with Snapshots(either_url) as snapshots:
        unfinished: list[int] = []

        def meanwhile(_: int) -> None:
            vendor.turning = lambda _: None
            snapshots.take(gateway, "shop")
            unfinished.append(len(snapshots.list_incomplete("shop")))

        vendor.turning = meanwhile
        outer = snapshots.take(gateway, "shop")
        assert unfinished == [1]
        assert len(snapshots.list_complete("shop")) == 2
        assert len(list(snapshots.positions(outer))) == 1


def test_a_list_that_changed_while_it_was_read_is_remembered(
    snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    vendor.put("a")
    vendor.total = lambda index: 2
    taken = snapshots.take(gateway, "shop")
    assert taken.consistent is False
    assert taken.problems
    (found,) = liability_as_of(gateway, snapshots, ["shop"], NOON + DAY).accounts
    assert (found.consistent, found.problems) == (False, taken.problems)


def test_the_latest_by_a_moment_is_the_one_that_had_begun(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    taken = []
    for _ in range(3):
        vendor.put("a")
        taken.append(either_snapshots.take(gateway, "shop"))
        vendor.clock += DAY
    for one in taken:
        assert either_snapshots.latest("shop", one.began_at) == one
    assert either_snapshots.latest("shop", taken[0].began_at - timedelta(microseconds=1)) is None
    assert either_snapshots.latest("shop", NOON + 100 * DAY) == taken[2]
    assert either_snapshots.latest("other") is None
    with pytest.raises(InvalidRequest, match="has no complete snapshot of"):
        liability_as_of(gateway, either_snapshots, ["shop"], NOON - DAY)


def test_pruning_keeps_the_days_before_the_newest_and_always_that_one(
    either_snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    for day in (0, 1, 5, 10):
        vendor.clock = NOON + day * DAY
        vendor.put("a")
        either_snapshots.take(gateway, "shop")
    assert either_snapshots.prune("other", keep_days=1) == 0
    assert either_snapshots.prune("shop", keep_days=6) == 2
    kept = either_snapshots.list_complete("shop")
    assert [round((one.began_at - NOON) / DAY) for one in kept] == [5, 10]
    assert [len(list(either_snapshots.positions(one))) for one in kept] == [1, 1]
    assert either_snapshots.prune("shop", keep_days=1) == 1
    assert either_snapshots.prune("shop", keep_days=1) == 0


def test_snapshots_share_the_journals_database(
    either_url: str, gateway: Gateway, vendor: MemoryVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOUCHER_GATEWAY_JOURNAL_KEY", "a-key-for-the-tests-of-snapshots")
    vendor.put("a")
    journal = open_journal(either_url)
    with Snapshots(either_url) as snapshots:
        snapshots.take(gateway, "shop")
        assert list(journal.iterate_operations()) == []
    journal.close()
    with Snapshots(either_url) as again:
        assert len(again.list_complete("shop")) == 1


def test_snapshots_are_not_kept_in_memory() -> None:
    with pytest.raises(ConfigurationError, match="snapshots must be a file"):
        Snapshots("sqlite:///:memory:")


@pytest.mark.parametrize("url", ["sqlite_url", "empty_postgres_url"])
def test_the_scripts_make_the_tables_that_the_code_knows(url: str, request: pytest.FixtureRequest) -> None:
    config = Config()
    config.set_main_option("script_location", str(SNAPSHOTS.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == SNAPSHOTS.head
    database = Database(request.getfixturevalue(url), SNAPSHOTS)
    try:
        with database.read() as connection:
            assert table_differences(connection, SNAPSHOTS) == []
            assert sa.inspect(connection).has_table("voucher_gateway_snapshot_balances")
    finally:
        database.close()


def test_a_position_without_any_amount_is_kept_too(
    snapshots: Snapshots, gateway: Gateway, vendor: MemoryVendor
) -> None:
    vendor.put("a", initial=None)
    vendor.mute = {"a"}
    taken = snapshots.take(gateway, "shop")
    (kept,) = snapshots.positions(taken)
    assert kept == VoucherBalance(id="a", status=Status.ACTIVE, created_at=NOON)
    assert kept.currency is None
