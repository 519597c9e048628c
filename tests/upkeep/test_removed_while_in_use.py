"""A payment, a sale or an operation that another process removes while this one has an object of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.shop import Shop
from voucher_gateway import Money, NewVoucher, OutcomeUnknown, Payment, ReferencePruned, Sale
from voucher_gateway.payments.rows.store import PaymentStore
from voucher_gateway.sales.store import SaleStore
from voucher_gateway.upkeep.forget import forget


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def paid(shop: Shop, order: str) -> Payment:
    _, code = shop.voucher()
    payment = shop.gateway.payment(order, total=eur("10"))
    payment.add(code, account="shop")
    payment.authorize()
    payment.capture()
    return payment


def sold(shop: Shop, name: str) -> Sale:
    sale = shop.gateway.sale(name, "shop", NewVoucher(initial=eur("5")), order=name)
    sale.fulfil()
    sale.delivered()
    return sale


def test_every_method_of_a_removed_payment_says_that_it_was_removed(shop: Shop) -> None:
    payment = paid(shop, "1001")
    forget(shop.journal, "1001")
    for call in (
        payment.refresh,
        payment.capture,
        payment.cancel,
        payment.resume,
        lambda: payment.refund(eur("1"), reference="return-1"),
    ):
        with pytest.raises(ReferencePruned, match=r"order '1001' had a payment.* ended as captured"):
            call()


def test_every_method_of_a_removed_sale_says_that_it_was_removed(shop: Shop) -> None:
    sale = sold(shop, "gift-1")
    forget(shop.journal, "gift-1")
    for call in (
        sale.refresh,
        sale.prepare,
        sale.fulfil,
        sale.delivered,
        sale.resume,
        sale.restore,
        lambda: sale.revoke("chargeback"),
        lambda: sale.code,
    ):
        with pytest.raises(ReferencePruned, match=r"there was a sale 'gift-1'.* ended as delivered"):
            call()


def test_recover_passes_over_a_payment_that_is_removed_before_its_turn(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, other = paid(shop, "1001"), paid(shop, "1002")
    ids = [removed._record.id, other._record.id]
    forget(shop.journal, "1001")
    monkeypatch.setattr(PaymentStore, "list_unfinished", lambda self: ids)
    shop.gateway.recover()
    assert other.refresh().state == "captured"


def test_recover_passes_over_a_sale_that_is_removed_before_its_turn(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, other = sold(shop, "gift-1"), sold(shop, "gift-2")
    rows = [removed._row, other._row]
    forget(shop.journal, "gift-1")
    monkeypatch.setattr(SaleStore, "iterate", lambda self, **_: iter(rows))
    shop.gateway.recover()
    assert other.refresh().state == "delivered"


def test_recover_passes_over_an_operation_that_is_removed_before_its_turn(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge", times=1)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, reference="1001-a", order="1001")
    (unknown,) = list(shop.gateway.operations(order="1001"))
    shop.gateway.recover(everything=True)
    forget(shop.journal, "1001")
    monkeypatch.setattr(type(shop.journal), "iterate_operations", lambda self, **_: iter([unknown]))
    assert shop.gateway.recover(everything=True) == []
