"""Several workers on one sale: one of them works at a time, and the vendor has one voucher."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.sales.shops import FIFTY, NEW, SellingShop
from voucher_gateway import Gateway, OperationInProgress, SaleState, UnsupportedOperation
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.moves import claim_moves, complete_moves
from voucher_gateway.sales.schema import sales
from voucher_gateway.sales.store import SaleStore
from voucher_gateway.testing.harness.child_process import KEYS, outcome_name
from voucher_gateway.testing.harness.vendor import ACCOUNT


@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_several_workers_sell_one_voucher(
    vendor: str, open_shop: Callable[..., SellingShop], either_url: str, at_once: Callable[..., list[str]]
) -> None:
    shop = open_shop(vendor, url=either_url)
    shop.sale()

    def sell() -> str:
        with shop.other_process() as gateway:
            return gateway.sale("1002-1", ACCOUNT, NEW, wait=20.0).fulfil().code.reveal()

    codes = at_once(sell, 4)
    (entry,) = shop.sold()
    assert set(codes) == {entry["code"]}
    assert shop.spendable() == FIFTY.amount


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_a_sale_is_fulfilled_and_revoked_one_after_the_other(
    rounds: int, open_shop: Callable[..., SellingShop], either_url: str, at_once: Callable[..., list[str]]
) -> None:
    shop = open_shop("jtl", url=either_url)
    for number in range(rounds):
        name = f"race-{number}"
        shop.sale(name).prepare()

        def work(name: str = name) -> str:
            with shop.other_process() as gateway:
                sale = gateway.find_sale(name)
                assert sale is not None
                if os.getpid() % 2:  # some children fulfil, the others revoke
                    return outcome_name(sale.fulfil)
                return outcome_name(sale.revoke, "chargeback")

        at_once(work, 3)
        shop.gateway.recover(everything=True)
        sale = shop.gateway.find_sale(name)
        assert sale is not None
        value = FIFTY.amount if sale.state is SaleState.FULFILLED else 0
        (entry,) = [entry for entry in shop.sold() if entry["id"] == sale.voucher_id]
        assert (entry["status"] == "active") is (value != 0), sale.state


def test_a_worker_that_another_one_has_replaced_sends_nothing(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    sale = shop.sale()
    journal = shop.gateway.journal
    assert journal is not None
    with SaleStore(journal).lock_sale(sale.name, wait_s=0.0):
        with journal.database.write() as connection:  # as another worker does whose predecessor lost its lock
            connection.execute(sales.update().values(epoch=sales.c.epoch + 1))
        with pytest.raises(OperationInProgress):
            shop.gateway.issue(ACCOUNT, NEW, reference="late")
    assert not shop.sold()


def test_a_sale_follows_its_account_to_another_name(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    shop.vendor.inject_fault("commit-then-drop", 1)
    with pytest.raises(Exception, match="may have been carried out"):
        shop.sale().fulfil()
    renamed = Account(name="renamed", provider=_provider(shop), former_names=(ACCOUNT,))
    with Gateway([renamed], journal=open_journal(shop.url, KEYS)) as gateway:
        sale = gateway.find_sale("1002-1")
        assert sale is not None
        sale.revoke("chargeback")
        assert (sale.account, sale.voucher_id) == ("renamed", shop.sold()[0]["id"])
        assert gateway.sale("1002-1", "renamed", NEW).state is SaleState.REVOKED
    assert shop.spendable() == 0


def _provider(shop: SellingShop) -> Any:
    provider: Any = shop.vendor.provider()
    provider.account = "renamed"
    return provider


def test_a_voucher_that_was_moved_away_is_not_called_revoked(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    sale = shop.sale().fulfil()
    journal = shop.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:
        claim_moves(connection, journal.keys, ACCOUNT, [str(sale.voucher_id)], "plan")
        complete_moves(connection, journal.keys, ACCOUNT, "other", [(str(sale.voucher_id), "V-9")], "plan")
    with pytest.raises(UnsupportedOperation, match="moved to the account other, where its id is V-9"):
        sale.revoke("chargeback")
    assert sale.refresh().state is SaleState.FULFILLED
