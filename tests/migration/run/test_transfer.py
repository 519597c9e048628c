"""Exports and imports by the functions of the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from voucher_gateway import Code, Money, NewVoucher
from voucher_gateway.migration import (
    Action,
    Policy,
    Progress,
    TransferReport,
    add_file_accounts,
    export_vouchers,
    import_vouchers,
    load_policy,
    make_plan,
    run_plan,
    status_of,
)
from voucher_gateway.provider_api import ConfigurationError, InvalidRequest

SPRING = "CODE-OF-SPRING-0001"
TEN = Money("10.00", "EUR")


@pytest.fixture
def shop(make_pair: Callable[..., VendorPair]) -> VendorPair:
    """Two vendors; one voucher of 10 EUR at the source."""
    pair = make_pair("jtl", "ticketing", 0)
    pair.gateway.issue("source", NewVoucher(initial=TEN, code=Code(SPRING), active=True), reference="sale")
    return pair


def exported(shop: VendorPair, file: Path) -> TransferReport:
    return export_vouchers(shop.gateway, "source", file, reveal=True)


def accepting() -> Policy:
    return load_policy({"losses": ["medium", "batch", "sku", "tax", "metadata", "order"]})


def test_an_export_is_read_back_and_an_import_issues_its_vouchers(shop: VendorPair, tmp_path: Path) -> None:
    file, progress = tmp_path / "estate.csv", list[Progress]()
    export = export_vouchers(shop.gateway, "source", file, reveal=True, on_progress=progress.append)
    assert (export.verified, export.resumed, export.differences, export.changes) == (True, False, (), ())
    assert export.plan.totals.of(Action.CARRY).money == {"EUR": TEN}
    assert progress[-1].moved == {"EUR": TEN}
    assert [account.name for account in shop.gateway.accounts] == ["source", "target"]
    report = import_vouchers(shop.gateway, "target", file, policy=accepting())
    assert report.verified
    assert SpendableValues.of(shop).target[SPRING][0] == TEN.amount


def test_a_dry_run_only_plans(shop: VendorPair, tmp_path: Path) -> None:
    file = tmp_path / "estate.csv"
    exported(shop, file)
    before, files = shop.changes(), set(tmp_path.iterdir())
    report = import_vouchers(shop.gateway, "target", file, dry_run=True)
    assert (report.dry_run, report.run, report.verified) == (True, None, False)
    assert report.plan.totals.of(Action.REFUSE).count == 1
    assert (shop.changes(), set(tmp_path.iterdir())) == (before, files)


def test_the_same_call_continues_and_names_what_was_added_since(shop: VendorPair, tmp_path: Path) -> None:
    file = tmp_path / "estate.jsonl"
    exported(shop, file)
    added = shop.gateway.issue("source", NewVoucher(initial=TEN, active=True), reference="another")
    report = exported(shop, file)
    assert (report.resumed, report.verified) == (True, True)
    assert [change.source_id for change in report.changes] == [added.id]


def test_an_interrupted_import_continues_and_issues_nothing_twice(shop: VendorPair, tmp_path: Path) -> None:
    file = tmp_path / "estate.csv"
    exported(shop, file)
    shop.target.inject("rate-limit", "POST /*", times=0)
    interrupted = import_vouchers(shop.gateway, "target", file, policy=accepting())
    assert interrupted.run is not None
    assert interrupted.run.error is not None
    assert not interrupted.verified
    shop.target.clear_faults()
    with pytest.raises(InvalidRequest, match="another policy"):
        import_vouchers(shop.gateway, "target", file, policy=Policy())
    report = import_vouchers(shop.gateway, "target", file)
    assert (report.resumed, report.verified) == (True, True)
    assert len([voucher for voucher in shop.target.ledger() if voucher["code"] == SPRING]) == 1


def test_a_masked_export_is_compared_and_cannot_be_imported(shop: VendorPair, tmp_path: Path) -> None:
    file = tmp_path / "estate.csv"
    assert export_vouchers(shop.gateway, "source", file).verified
    assert SPRING not in file.read_text()
    with pytest.raises(InvalidRequest, match="masked codes"):
        import_vouchers(shop.gateway, "target", file, policy=accepting())
    with pytest.raises(InvalidRequest, match="without `reveal`"):
        exported(shop, file)


@pytest.mark.parametrize("name", ["estate.txt", "estate"])
def test_a_file_needs_a_suffix_or_a_format(shop: VendorPair, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"must end in \.jsonl or \.csv"):
        export_vouchers(shop.gateway, "source", tmp_path / name)
    report = export_vouchers(shop.gateway, "source", tmp_path / name, file_format="csv")
    assert report.verified


def test_an_export_never_replaces_a_file(shop: VendorPair, tmp_path: Path) -> None:
    file = tmp_path / "estate.csv"
    file.write_text("code\n")
    with pytest.raises(InvalidRequest, match="use a new file"):
        exported(shop, file)
    assert file.read_text() == "code\n"


def test_a_file_can_be_the_target_of_a_migration(shop: VendorPair, tmp_path: Path) -> None:
    file = str(tmp_path / "estate.csv")
    with add_file_accounts(shop.gateway, "source", file, reveal=True) as gateway:
        make_plan(gateway, "source", file, shop.path, policy=accepting(), copy=True)
        assert run_plan(gateway, shop.path).error is None
        assert status_of(gateway, shop.path).target == file
    assert SPRING in Path(file).read_text()


def test_a_name_that_is_neither_an_account_nor_a_file_is_not_repeated(shop: VendorPair) -> None:
    with (
        pytest.raises(ConfigurationError, match="no account has this name") as caught,
        add_file_accounts(shop.gateway, SPRING),
    ):
        pass
    assert SPRING not in str(caught.value)
