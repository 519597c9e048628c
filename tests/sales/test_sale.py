"""A sale at each vendor: prepared, fulfilled after the payment, delivered, revoked and restored."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from tests.sales.shops import FIFTY, ISSUES_INACTIVE, NEW, SellingShop
from voucher_gateway import (
    InvalidRequest,
    Money,
    NewVoucher,
    ReferenceConflict,
    RevocationMethod,
    SaleConflict,
    SaleState,
    UnsupportedOperation,
)
from voucher_gateway.testing.harness.vendor import ACCOUNT

METHODS = {
    "jtl": RevocationMethod.DEACTIVATED,
    "local": RevocationMethod.DEACTIVATED,
    "pretix": RevocationMethod.EXPIRED,
    "square": RevocationMethod.DEACTIVATED,
    "ticketing": RevocationMethod.EXPIRED,
}


def test_a_prepared_voucher_cannot_be_spent_before_it_is_paid(shop: SellingShop) -> None:
    sale = shop.sale().prepare()
    assert sale.state is SaleState.PREPARED
    assert shop.spendable() == 0
    assert len(shop.sold()) == int(shop.name in ISSUES_INACTIVE)


def test_a_paid_voucher_can_be_spent_by_its_code(shop: SellingShop) -> None:
    sale = shop.sale().prepare().fulfil()
    assert (sale.state, sale.attention) == (SaleState.FULFILLED, None)
    assert shop.spendable() == FIFTY.amount
    (entry,) = shop.sold()
    assert (entry["id"], entry["code"]) == (sale.voucher_id, sale.code.reveal())
    shop.spend(sale, "20.00")
    assert shop.spendable() == Decimal("30.00")


def test_a_sale_that_was_not_prepared_is_fulfilled_as_well(shop: SellingShop) -> None:
    shop.sale().fulfil()
    assert shop.spendable() == FIFTY.amount


def test_saying_everything_again_sends_nothing(shop: SellingShop) -> None:
    shop.sale().prepare().fulfil()
    before = len(shop.vendor.request_lines)
    assert shop.sale().prepare().fulfil().resume().state is SaleState.FULFILLED
    assert len(shop.vendor.request_lines) == before
    assert len(shop.sold()) == 1


def test_any_process_reads_the_code_until_it_is_delivered(shop: SellingShop) -> None:
    code = shop.sale().fulfil().code
    with shop.other_process() as other:
        sale = other.find_sale("1002-1")
        assert sale is not None
        assert sale.code == code
        assert sale.delivered().state is SaleState.DELIVERED
    with pytest.raises(SaleConflict, match="was delivered at"):
        _ = shop.sale().code


def test_a_sale_has_no_code_before_its_voucher_exists(shop: SellingShop) -> None:
    sale = shop.sale()
    with pytest.raises(SaleConflict, match="does not exist yet"):
        _ = sale.code
    with pytest.raises(SaleConflict, match="no code that could be delivered"):
        sale.delivered()


def test_a_revoked_voucher_cannot_be_spent_and_what_was_spent_is_the_loss(shop: SellingShop) -> None:
    sale = shop.sale().fulfil()
    shop.spend(sale, "20.00")
    revocation = sale.revoke("chargeback")
    assert shop.spendable() == 0
    assert revocation.method is METHODS[shop.name]
    assert (revocation.spent, revocation.left) == (Money("20.00", "EUR"), Money("30.00", "EUR"))
    assert (revocation.reason, sale.state, sale.attention) == ("chargeback", SaleState.REVOKED, None)


def test_revoking_again_sends_nothing_and_keeps_the_first_reason(shop: SellingShop) -> None:
    first = shop.sale().fulfil().revoke("chargeback")
    before = len(shop.vendor.request_lines)
    assert shop.sale().revoke("another reason") == first
    assert len(shop.vendor.request_lines) == before


def test_a_delivered_voucher_can_be_revoked(shop: SellingShop) -> None:
    shop.sale().fulfil().delivered().revoke("chargeback")
    assert shop.spendable() == 0


def test_a_sale_that_was_never_issued_is_revoked_without_a_request(shop: SellingShop) -> None:
    sale = shop.sale()
    assert sale.revoke("the cart was emptied").method is RevocationMethod.NOT_ISSUED
    assert not shop.sold()
    with pytest.raises(SaleConflict, match="is revoked"):
        sale.prepare()
    with pytest.raises(SaleConflict, match="is revoked"):
        sale.fulfil()
    assert sale.restore().state is SaleState.FULFILLED
    assert shop.spendable() == FIFTY.amount


def test_an_unpaid_voucher_is_revoked_before_it_could_be_spent(shop: SellingShop) -> None:
    sale = shop.sale().prepare()
    revocation = sale.revoke("not paid in time")
    assert revocation.spent == Money("0", "EUR")
    assert shop.spendable() == 0


def test_a_revocation_is_taken_back_as_often_as_need_be(shop: SellingShop) -> None:
    sale = shop.sale(new=_until_2099(shop)).fulfil()
    shop.spend(sale, "20.00")
    if shop.name == "square":
        sale.revoke("chargeback")
        with pytest.raises(UnsupportedOperation):
            sale.restore()
        assert sale.state is SaleState.REVOKED
        return
    for generation in (2, 3):
        sale.revoke("chargeback")
        assert shop.spendable() == 0
        assert sale.restore().state is SaleState.FULFILLED
        assert (sale.record.generation, sale.revocation) == (generation, None)
        assert shop.spendable() == Decimal("30.00")
    if shop.name in ("pretix", "ticketing"):
        assert shop.sold()[0]["valid_until"].startswith("2099-")


def _until_2099(shop: SellingShop) -> NewVoucher:
    from datetime import UTC, datetime

    if shop.name not in ("pretix", "ticketing"):
        return NEW
    return attrs.evolve(NEW, valid_until=datetime(2099, 1, 1, tzinfo=UTC))


def test_only_a_revoked_sale_is_restored(shop: SellingShop) -> None:
    with pytest.raises(SaleConflict, match="is not revoked"):
        shop.sale().restore()
    with pytest.raises(SaleConflict, match="is not revoked"):
        shop.sale().fulfil().restore()


def test_what_is_left_is_taken_where_nothing_deactivates(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("pretix", risks=())
    sale = shop.sale().fulfil()
    shop.spend(sale, "20.00")
    revocation = sale.revoke("chargeback")
    assert revocation.method is RevocationMethod.EMPTIED
    assert (revocation.spent, revocation.left) == (Money("20.00", "EUR"), Money("30.00", "EUR"))
    assert shop.spendable() == 0
    sale.restore()
    assert shop.spendable() == Decimal("30.00")
    assert sale.revoke("another chargeback").left == Money("30.00", "EUR")
    assert shop.spendable() == 0


def test_a_sale_that_nothing_could_revoke_says_so_before_it_decides(open_shop: Callable[..., SellingShop]) -> None:
    sale = open_shop("ticketing", risks=()).sale().fulfil()
    with pytest.raises(UnsupportedOperation, match="deactivate-by-expiry"):
        sale.revoke("chargeback")
    assert sale.refresh().state is SaleState.FULFILLED


def test_a_reason_is_needed(shop: SellingShop) -> None:
    with pytest.raises(InvalidRequest, match="a reason"):
        shop.sale().revoke(" ")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"new": NewVoucher(initial=Money("49.99", "EUR"))}, "voucher"),
        ({"new": attrs.evolve(NEW, code="CHOSEN-0042")}, "voucher and another code"),
        ({"order": "another"}, "order"),
    ],
)
def test_another_content_under_the_same_name_is_a_conflict(
    change: dict[str, object], word: str, open_shop: Callable[..., SellingShop]
) -> None:
    shop = open_shop("jtl")
    shop.sale()
    arguments: dict[str, object] = {"new": NEW, **change}
    with shop.other_process() as other, pytest.raises(ReferenceConflict, match=f"with another {word}:"):
        other.sale("1002-1", ACCOUNT, **arguments)  # type: ignore[arg-type]


def test_the_sale_decides_when_a_voucher_is_active(open_shop: Callable[..., SellingShop]) -> None:
    with pytest.raises(InvalidRequest, match="leave active out"):
        open_shop("jtl").sale(new=attrs.evolve(NEW, active=True))


def test_a_code_and_a_pin_of_ones_own_are_kept_until_they_are_delivered(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    new = attrs.evolve(NEW, code="GALA-2030-0042", pin="1234")
    sale = shop.sale(new=new)
    with shop.other_process() as other:
        found = other.find_sale("1002-1")
        assert found is not None
        found.fulfil()
        assert (found.code.reveal(), found.pin and found.pin.reveal()) == ("GALA-2030-0042", "1234")
    assert shop.sold()[0]["code"] == "GALA-2030-0042"
    with pytest.raises(ReferenceConflict, match="another PIN"):
        shop.sale(new=attrs.evolve(new, pin="4321"))
    with pytest.raises(ReferenceConflict, match="another code"):
        shop.sale(new=attrs.evolve(new, code="GALA-2030-0043"))
    sale.delivered()
    assert shop.sale(new=new).state is SaleState.DELIVERED
    sale.revoke("chargeback")
    assert shop.spendable() == 0
