"""A sale whose journal was restored from a backup, which knows less than the vendor."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sales.shops import FIFTY, NEW, SellingShop
from voucher_gateway import SaleState, copy_journal, import_missing_movements, mark_restored
from voucher_gateway.testing.harness.vendor import ACCOUNT


@pytest.mark.parametrize("vendor", ["jtl", "local"])
def test_a_sale_that_the_backup_forgot_makes_no_second_voucher(
    vendor: str, open_shop: Callable[..., SellingShop], tmp_path: Path
) -> None:
    shop = open_shop(vendor)
    shop.sale("before").fulfil()
    assert shop.gateway.journal is not None
    copy_journal(shop.gateway.journal, tmp_path / "backup.db")
    code = shop.sale("1002-1").fulfil().code
    shop.gateway.journal.close()
    for file in tmp_path.glob("journal.db*"):
        if file.suffix != ".key":
            file.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "journal.db")
    with shop.other_process() as gateway:
        assert gateway.journal is not None
        mark_restored(gateway.journal)
        list(import_missing_movements(gateway.journal, [account.provider for account in gateway.accounts]))
        sale = gateway.sale("1002-1", ACCOUNT, NEW)
        sale.fulfil()
        assert (sale.state, sale.code) == (SaleState.FULFILLED, code)
    assert len(shop.sold()) == 2
    assert shop.spendable() == 2 * FIFTY.amount
