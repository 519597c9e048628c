"""Forked children share the gateway of their parent, whether fork hooks ran or not: each customer pays once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.forked_child import CHILD_HOOKS_ONLY, WAYS, WITH_HOOKS, WITHOUT_HOOKS, Child, run_in_master
from tests.support.long import first
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Money, NewVoucher, SecretSource
from voucher_gateway.setting_types import DatabaseUrl
from voucher_gateway_file import FileProvider, FileSettings
from voucher_gateway_local import LocalProvider, LocalSettings

if TYPE_CHECKING:
    from tests.support.shop import Shop

CHILDREN = 4
CUSTOMERS = 2
"""The customers of each child."""
ORDERS = 3
"""The orders of each customer."""
ALL_TAKEN = ", ".join([str(CUSTOMERS * ORDERS)] * CHILDREN)
DATABASES_AND_WAYS = [
    *[("sqlite", way) for way in WAYS],
    ("postgres", WITHOUT_HOOKS),
    pytest.param("postgres", CHILD_HOOKS_ONLY, marks=pytest.mark.long),
    pytest.param("postgres", WITH_HOOKS, marks=pytest.mark.long),
]
LOCAL_KEY = SecretSource.of("a-key-for-the-tests-of-vouchers")


@pytest.mark.parametrize(("either_url", "way"), DATABASES_AND_WAYS, indirect=["either_url"])
def test_children_take_every_order_once_from_its_customers_own_voucher(either_shop: Shop, way: str) -> None:
    shop = either_shop
    vouchers = {name: shop.voucher("50.00") for name in [*_customers(), "shared", "parent"]}
    assert run_in_master(lambda: _take_all(shop.another_gateway(), vouchers, way)) == ALL_TAKEN
    for name, (id, _) in vouchers.items():
        assert shop.remaining(id) == f"{_left(name)}", name


@pytest.mark.parametrize(("either_url", "way"), DATABASES_AND_WAYS, indirect=["either_url"])
@pytest.mark.parametrize("journalled", first([True, False]), ids=["journal", "no journal"])
def test_children_share_vouchers_of_our_own(either_url: str, tmp_path: Path, way: str, journalled: bool) -> None:
    settings = LocalSettings(url=DatabaseUrl.of(either_url), key=LOCAL_KEY)
    journal = open_journal(f"sqlite:///{tmp_path}/shop.db", {"1": LOCAL_KEY}) if journalled else None
    with Gateway({"shop": LocalProvider("shop", settings)}, journal=journal) as gateway:  # no simulator, no thread
        vouchers = {}
        for name in [*_customers(), "shared", "parent"]:
            voucher = gateway.issue(
                "shop", NewVoucher(initial=Money("50.00", "EUR"), active=True), reference=f"issue-{name}"
            )
            assert voucher.code is not None
            vouchers[name] = (voucher.id, voucher.code.reveal())
        assert _take_all(gateway, vouchers, way) == ALL_TAKEN
        for name, (id, _) in vouchers.items():
            remaining = gateway.get("shop", id).remaining
            assert remaining is not None
            assert remaining.amount == _left(name), name


@pytest.mark.parametrize("way", [WITHOUT_HOOKS, CHILD_HOOKS_ONLY])
def test_children_write_into_one_file_of_vouchers(tmp_path: Path, way: str) -> None:
    settings = FileSettings(path=str(tmp_path / "vouchers.jsonl"))
    with Gateway({"shop": FileProvider("shop", settings)}) as gateway:
        new = NewVoucher(initial=Money("50.00", "EUR"), active=True)
        gateway.issue("shop", new, reference="parent")

        def issue(number: int) -> int:
            for count in range(ORDERS):
                gateway.issue("shop", new, reference=f"{number}-{count}")
            return len(list(gateway.vouchers("shop")))

        with _begun(way, issue) as children:
            counts = [int(child.answer()) for child in children]
        assert len(list(gateway.vouchers("shop"))) == max(counts) == 1 + CHILDREN * ORDERS


def _customers() -> list[str]:
    return [f"{child}-{customer}" for child in range(CHILDREN) for customer in range(CUSTOMERS)]


def _left(name: str) -> Decimal:
    taken = {"shared": 1, "parent": 1 + ORDERS}.get(name, ORDERS)
    return Decimal("50.00") - taken


def _take_all(gateway: Gateway, vouchers: dict[str, tuple[str, str]], way: str) -> str:
    """Let all children and the parent take money at once, and return what the children said."""

    def take(name: str, reference: str) -> None:
        id, code = vouchers[name]
        redemption = gateway.redeem("shop", code, Money("1.00", "EUR"), reference=reference, wait=30)
        assert redemption.voucher_id == id, f"{reference} paid with another customer's voucher"

    def work(number: int) -> int:
        count = 0
        for order in range(ORDERS):
            for customer in range(CUSTOMERS):
                take(f"{number}-{customer}", f"order-{number}-{customer}-{order}")
                count += 1
        take("shared", "order-shared")
        return count

    take("parent", "order-parent-first")  # sockets, connections and the process's name are in use from now on
    with _begun(way, work) as children:
        for order in range(ORDERS):
            take("parent", f"order-parent-{order}")
        return ", ".join(child.answer() for child in children)


@contextmanager
def _begun(way: str, work: Callable[[int], object]) -> Iterator[list[Child]]:
    children = [Child(way, lambda number=number: work(number)) for number in range(CHILDREN)]  # type: ignore[misc]
    for child in children:
        child.begin()
    yield children
