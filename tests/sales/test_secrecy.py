"""The code and the PIN of a sold voucher show nowhere but in `Sale.code` and `Sale.pin`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.leaks import note_call, note_database, note_object
from voucher_gateway import Money, NewVoucher, Sale, SaleConflict
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.canary import Canary

if TYPE_CHECKING:
    from tests.sales.shops import SellingShop

FAULTS = ["commit-then-drop", "wrong-echo", "not-json"]
MORE_FAULTS = [
    "drop-before",
    "error-before",
    "error-after-commit",
    "html-after-commit",
    "foreign-404",
    "redirect",
    "unauthorized",
    "wrong-voucher",
    "truncate",
]
STEPS = ("prepare", "fulfil", "revoke", "restore", "delivered", "resume")


def look(shop: SellingShop, canary: Canary, sale: Sale) -> None:
    """Show everything to the canary that is known of a sale."""
    for value in (sale, sale.record, *shop.gateway.sales()):
        note_object(canary, value)
    assert shop.gateway.journal is not None
    note_database(canary, shop.gateway.journal.database)


def take_step(sale: Sale, step: str) -> object:
    return sale.revoke("charge-back") if step == "revoke" else getattr(sale, step)()


def plant_code(canary: Canary, sale: Sale) -> None:
    with suppress(SaleConflict):  # it does not exist yet, or was delivered
        canary.plant(sale.code.reveal())


@pytest.mark.parametrize("own_code", [True, False])
def test_a_sale_that_goes_well_gives_no_code_away(
    open_shop: Callable[..., SellingShop], either_url: str, canary: Canary, own_code: bool
) -> None:
    shop = open_shop("jtl", url=either_url)
    code = canary.plant("JTL-C4N4RY-7K2M-9QXD") if own_code else None
    new = NewVoucher(initial=Money("50.00", "EUR"), code=code, pin=canary.plant("c4n4ry-pin-481516"))
    sale = shop.sale(new=new)
    for step in STEPS:
        note_call(canary, lambda: take_step(sale, step))  # noqa: B023 - called at once
        plant_code(canary, sale)
        look(shop, canary, sale)


@pytest.mark.parametrize("fault", [*FAULTS, *(pytest.param(name, marks=pytest.mark.long) for name in MORE_FAULTS)])
def test_no_fault_of_a_vendor_gives_a_code_away(
    open_shop: Callable[..., SellingShop], canary: Canary, fault: str
) -> None:
    shop = open_shop("jtl")
    assert isinstance(shop.vendor, SimulatedVendor)
    new = NewVoucher(
        initial=Money("50.00", "EUR"), code=canary.plant("JTL-C4N4RY-7K2M-9QXD"), pin=canary.plant("c4n4ry-pin-481516")
    )
    sale = shop.sale(new=new)
    for step in STEPS:
        shop.vendor.inject(fault, "POST *", times=1)
        shop.vendor.inject(fault, "PATCH *", times=1)
        note_call(canary, lambda: take_step(sale, step))  # noqa: B023 - called at once
        shop.vendor.clear_faults()
        look(shop, canary, sale)
    for resolution in shop.gateway.recover():
        note_object(canary, resolution)


def test_other_content_under_the_name_of_a_sale_is_refused_without_a_code(
    open_shop: Callable[..., SellingShop], canary: Canary
) -> None:
    shop = open_shop("jtl")
    shop.sale(new=NewVoucher(initial=Money("50.00", "EUR"), code=canary.plant("JTL-C4N4RY-FIRST")))
    other = NewVoucher(initial=Money("50.00", "EUR"), code=canary.plant("JTL-C4N4RY-SECOND"))
    note_call(canary, lambda: shop.sale(new=other))
    long = NewVoucher(initial=Money("50.00", "EUR"), code=canary.plant("JTL-C4N4RY-" + "9" * 300))
    note_call(canary, lambda: shop.sale("1002-2", new=long).prepare())
