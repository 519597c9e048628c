"""The data of one order is erased, and none of its references is ever sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import AlreadyRefunded, InvalidRequest, Money, NewVoucher, OperationInProgress, ReferencePruned
from voucher_gateway.gateway.explanation.model import ExplanationReason
from voucher_gateway.journal.schema import operations
from voucher_gateway.upkeep.forget import ForgetSummary, forget


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def text_of_database(shop: Shop) -> str:
    with shop.journal.database.read() as connection:
        names = sa.inspect(connection).get_table_names()
        return repr([connection.execute(sa.text(f"SELECT * FROM {name}")).fetchall() for name in names])


def test_nothing_of_the_order_is_left_in_any_table(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    taken = shop.redeem(code, reference="ref-4711-a", order="order-4711")
    shop.gateway.refund("shop", taken, eur("4"), reference="ref-4711-back")  # names no order
    shop.redeem(code, reference="other", order="order-4712")
    assert forget(shop.journal, "order-4711") == ForgetSummary(operations=2, payments=0, sales=0)
    text = text_of_database(shop)
    assert "order-4711" not in text
    assert "ref-4711" not in text
    assert taken.id not in text
    assert "order-4712" in text
    assert voucher_id in text, "it is the voucher of the other order, too"


def test_the_references_of_an_erased_order_are_never_sent_again(shop: Shop) -> None:
    _, code = shop.voucher()
    taken = shop.redeem(code, reference="1001-a", order="1001")
    shop.gateway.refund("shop", taken, eur("4"), reference="1001-back")
    forget(shop.journal, "1001")
    with pytest.raises(ReferencePruned):
        shop.redeem(code, reference="1001-a", order="1001")
    with pytest.raises(ReferencePruned):
        shop.gateway.refund("shop", taken, eur("4"), reference="1001-back")
    with pytest.raises(AlreadyRefunded):
        shop.gateway.refund("shop", taken, eur("7"), reference="1001-back-2")
    assert forget(shop.journal, "1001").operations == 0


def test_explain_says_that_the_order_was_erased(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a", order="1001")
    forget(shop.journal, "1001")
    explanation = shop.gateway.explain(order="1001")
    assert explanation.reason is ExplanationReason.REMOVED
    assert "erased from the journal" in explanation.sentence
    assert "1001" not in explanation.sentence


def test_an_order_that_the_journal_does_not_know_is_not_called_erased_afterwards(shop: Shop) -> None:
    assert forget(shop.journal, "1OO1") == ForgetSummary(operations=0, payments=0, sales=0)
    assert shop.gateway.explain(order="1OO1").reason is ExplanationReason.NOT_FOUND
    assert list(shop.gateway.events(order="1OO1")) == []


@pytest.mark.parametrize("order", ["", "1001\n1002", " 1001", "x" * 201])
def test_a_text_that_cannot_be_an_order_is_refused(shop: Shop, order: str) -> None:
    with pytest.raises(InvalidRequest, match="order must have 1 to 200 printable characters"):
        forget(shop.journal, order)


def test_an_order_with_something_open_is_not_erased(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a", order="1001")
    shop.gateway.reserve("shop", code, eur("5"), reference="1001-hold", order="1001")
    with pytest.raises(OperationInProgress, match="1 operation may still change"):
        forget(shop.journal, "1001")
    assert shop.redeem(code, reference="1001-a", order="1001").replayed


def test_a_payment_and_a_sale_of_the_order_are_erased(shop: Shop) -> None:
    _, code = shop.voucher()
    payment = shop.gateway.payment("order-1001", total=eur("30"))
    payment.add(code, account="shop")
    payment.authorize()
    with pytest.raises(OperationInProgress, match="its payment"):
        forget(shop.journal, "order-1001")
    payment.capture()
    sale = shop.gateway.sale("position-1", "shop", NewVoucher(initial=eur("20")), order="order-1001")
    sale.fulfil()
    with pytest.raises(OperationInProgress, match="a sale"):
        forget(shop.journal, "order-1001")
    sale.delivered()
    assert forget(shop.journal, "order-1001") == ForgetSummary(operations=4, payments=1, sales=1)
    text = text_of_database(shop)
    assert "order-1001" not in text
    assert "position-1" not in text
    with pytest.raises(ReferencePruned):
        shop.gateway.payment("order-1001", total=eur("30"))
    with pytest.raises(ReferencePruned):
        shop.gateway.sale("position-1", "shop", NewVoucher(initial=eur("20")))


def test_a_large_order_is_erased_in_several_transactions(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.upkeep.forget.BATCH", 2)
    _, code = shop.voucher()
    for number in range(5):
        shop.redeem(code, "1.00", reference=f"1001-{number}", order="1001")
    assert forget(shop.journal, "1001").operations == 5
    with shop.journal.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(operations)) == 0
