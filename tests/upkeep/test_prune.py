"""Old operations are removed, and their references are never sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import (
    AlreadyRefunded,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    ReferenceConflict,
    ReferencePruned,
)
from voucher_gateway.instants import now
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.journal.schema import holds, operations, requests
from voucher_gateway.upkeep.prune import check_age, plan_prune, prune


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def prune_all(shop: Shop) -> int:
    """Prune as if everything that is over were old."""
    return prune(shop.journal, now() + timedelta(days=1)).operations


def test_a_pruned_reference_is_never_sent_again(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a", order="1001")
    assert prune_all(shop) == 1
    sent = shop.changes()
    with pytest.raises(ReferencePruned, match=r"begun in \d{4}-\d\d and succeeded") as caught:
        shop.redeem(code, reference="1001-a", order="1001")
    assert shop.changes() == sent
    assert (caught.value.state, caught.value.month) == ("succeeded", f"{now():%Y-%m}")
    assert isinstance(caught.value, ReferenceConflict)
    shop.redeem(code, reference="1001-b", order="1001")


def test_nothing_is_left_of_a_pruned_operation_but_digests(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="order-1001-a", order="order-1001")
    prune_all(shop)
    with shop.journal.database.read() as connection:
        for table in (operations, requests, holds):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
        rows = connection.execute(sa.text("SELECT * FROM voucher_gateway_pruned")).fetchall()
    assert len(rows) == 1
    assert "order-1001" not in repr(rows)


def test_what_is_in_doubt_stays_however_old_it_is(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="sure")
    shop.redeem(code, reference="doubt")
    with shop.journal.database.write() as connection:
        connection.execute(sa.update(operations).where(operations.c.reference == "doubt").values(state="unknown"))
    summary = prune(shop.journal, now() + timedelta(days=1))
    assert (summary.operations, summary.kept) == (1, 1)
    assert shop.gateway.operation("shop", "redeem", "doubt") is not None


def test_a_reservation_stays_while_it_may_hold_value(shop: Shop) -> None:
    _, code = shop.voucher()
    reservation = shop.gateway.reserve("shop", code, eur("10"), reference="hold")
    assert prune_all(shop) == 0
    shop.gateway.capture("shop", reservation, reference="take")
    assert prune_all(shop) == 2
    with pytest.raises(ReferencePruned):
        shop.gateway.reserve("shop", code, eur("10"), reference="hold")
    with pytest.raises(ReferencePruned):
        shop.gateway.capture("shop", reservation, reference="take")


def test_a_refund_of_a_pruned_redemption_stays_limited(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    redemption = shop.redeem(code, "10.00", reference="1001-a")
    shop.gateway.refund("shop", redemption, eur("4"), reference="back-1")
    prune_all(shop)
    assert shop.gateway.refundable(redemption) == eur("6")
    with pytest.raises(ReferencePruned):
        shop.gateway.refund("shop", redemption, eur("4"), reference="back-1")
    with pytest.raises(AlreadyRefunded, match=r"4\.00 EUR of the 10\.00 EUR"):
        shop.gateway.refund("shop", redemption, eur("7"), reference="back-2")
    shop.gateway.refund("shop", redemption, reference="back-2")
    assert shop.remaining(voucher_id) == "50.00"
    prune_all(shop)
    with pytest.raises(AlreadyRefunded):
        shop.gateway.refund("shop", redemption, reference="back-3")


def test_a_pruned_redemption_counts_with_its_own_amount_whatever_the_caller_says(shop: Shop) -> None:
    _, code = shop.voucher()
    redemption = shop.redeem(code, "10.00", reference="1001-a")
    prune_all(shop)
    with pytest.raises(InvalidRequest, match=r"more than the 10\.00 EUR redeemed"):
        shop.gateway.refund("shop", attrs.evolve(redemption, money=eur("40")), eur("40"), reference="back")


@pytest.mark.parametrize("verb", ["issue", "activate", "top_up", "deactivate"])
def test_every_verb_is_refused_after_the_prune(shop: Shop, verb: str) -> None:
    voucher_id, _ = shop.voucher()
    calls: dict[str, Callable[[], object]] = {
        "issue": lambda: shop.gateway.issue("shop", NewVoucher(initial=eur("5")), reference="old"),
        "activate": lambda: shop.gateway.activate("shop", voucher_id, reference="old"),
        "top_up": lambda: shop.gateway.top_up("shop", voucher_id, eur("5"), reference="old"),
        "deactivate": lambda: shop.gateway.deactivate("shop", voucher_id, reference="old"),
    }
    calls[verb]()
    prune_all(shop)
    sent = shop.changes()
    with pytest.raises(ReferencePruned):
        calls[verb]()
    assert shop.changes() == sent


def test_the_journal_says_what_became_of_a_pruned_operation(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    prune_all(shop)
    key = OperationKey("shop", Operation.REDEEM, "1001-a")
    questions: list[Callable[[], object]] = [
        lambda: shop.gateway.operation("shop", "redeem", "1001-a"),
        lambda: shop.gateway.redemption("shop", "1001-a"),
        lambda: shop.gateway.resolve(key),
        lambda: shop.gateway.lookup_hints(key),
        lambda: shop.gateway.decide(key, succeeded=True, by="Ada", reason="saw it"),
    ]
    for question in questions:
        with pytest.raises(ReferencePruned, match="succeeded"):
            question()
    assert shop.gateway.operation("shop", "redeem", "never") is None


def test_a_plan_of_a_prune_changes_nothing(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    summary = plan_prune(shop.journal, now() + timedelta(days=1))
    assert (summary.operations, summary.kept) == (1, 0)
    assert shop.redeem(code, reference="1001-a").replayed
    assert plan_prune(shop.journal, now() - timedelta(days=400)).operations == 0


@pytest.mark.parametrize("age", [timedelta(days=29), timedelta(days=10**6), timedelta.max, 400, "400d"])
def test_what_is_younger_than_a_month_is_never_old(age: Any) -> None:
    with pytest.raises(InvalidRequest, match="at least 30 days"):
        check_age(age)
