"""A refund whose process is killed at any point is completed by `recover`, by the same call or by a cancellation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.payments.cards import FakeCard
from tests.payments.conftest import PayingShop
from tests.payments.kills import Killed, KillPoints
from tests.support.examples import is_thorough
from voucher_gateway import (
    Gateway,
    Money,
    OperationState,
    Payment,
    PaymentState,
    RefundState,
    ReplacementRule,
)

STEP: Final = 4
"""How many points lie between two kills where few are tried."""


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


class Case:
    """A captured payment: 20.00 of JTL, 10.00 of ticketing and 30.00 of the card inside."""

    def __init__(self, shop: PayingShop, order: str) -> None:
        self.shop = shop
        self.order = order
        self.card = FakeCard()
        self.jtl, self.ticketing = shop.jtl_code("20.00"), shop.ticketing_code("10.00")
        self.gateway = shop.another_gateway()
        self.payment = self.open(self.gateway)
        self.payment.add(self.jtl, account="shop")
        self.payment.add(self.ticketing, account="events")
        self.payment.authorize()
        self.payment.capture()

    def open(self, gateway: Gateway) -> Payment:
        return gateway.payment(self.order, total=euros("60.00"), other=self.card)

    def books(self) -> tuple[str, str, str]:
        """What is left on the vouchers, and what the card has taken and not given back."""
        jtl, ticketing = self.shop.jtl.remaining(self.jtl), self.shop.ticketing.remaining(self.ticketing)
        return f"{jtl.amount}", f"{ticketing.amount}", self.card.kept

    def recover(self) -> Payment:
        """Recover as another process does, with a person who decides what no look-up can by the truth at the vendor."""
        gateway = self.shop.another_gateway()
        gateway.recover(everything=True, other=self.card)
        for record in gateway.operations(states=[OperationState.UNKNOWN]):
            left = self.books()[0 if record.key.account == "shop" else 1]
            gateway.decide(record.key, succeeded=left != "0.00", by="Jo", reason="seen at the vendor")
        gateway.recover(everything=True, other=self.card)
        return self.open(gateway)


def refund(payment: Payment) -> None:
    payment.refund(euros("12.00"), reference="return-1", replace=ReplacementRule(account="shop"))


def kill_everywhere(shop: PayingShop, check: Callable[[Case, Payment], None], *, gone: bool = False) -> None:
    """Kill a refund at every point, and check what another process makes of it."""
    counted = Case(shop, "counted")
    if gone:
        counted.gateway.deactivate("shop", counted.payment.legs[0].voucher_id, reference="lost counted")
    points = KillPoints(counted.gateway)
    refund(counted.payment)
    assert points.count > 8
    step = 1 if is_thorough() else STEP
    for at in range(1 % step, points.count, step):
        case = Case(shop, f"killed at {at}")
        if gone:
            case.gateway.deactivate("shop", case.payment.legs[0].voucher_id, reference=f"lost {at}")
        KillPoints(case.gateway, at)
        with pytest.raises(Killed):
            refund(case.payment)
        case.gateway.close()  # as the kill of a process ends its sessions
        check(case, case.recover())


def check_refunded(case: Case, payment: Payment) -> None:
    if not payment.refunds:
        assert case.books() == ("0.00", "0.00", "30.00")
        refund(payment)
    assert [(refund.state, refund.amount) for refund in payment.refunds] == [(RefundState.DONE, euros("12.00"))]
    refund(payment)
    assert case.books() == ("4.00", "2.00", "24.00")
    assert payment.refresh().attention is None
    assert payment.refundable == euros("48.00")


def check_replaced(case: Case, payment: Payment) -> None:
    if not payment.refunds:
        refund(payment)
    assert payment.refunds[0].state is RefundState.DONE
    refund(payment)
    assert case.books() == ("0.00", "2.00", "24.00")
    code = payment.replacement("return-1", 1).code
    assert code is not None
    assert case.shop.jtl.remaining(code) == euros("4.00")
    issued = [entry for entry in case.shop.jtl.ledger() if entry["initial"] == "4.00"]
    assert len(issued) == len({entry["code"] for entry in issued})


def check_cancelled(case: Case, payment: Payment) -> None:
    assert payment.cancel().complete
    assert payment.state is PaymentState.CANCELLED
    assert case.books() == ("20.00", "10.00", "0.00")


def test_a_refund_that_is_killed_is_completed_and_gives_nothing_back_twice(paying: PayingShop) -> None:
    kill_everywhere(paying, check_refunded)


def test_a_refund_that_is_killed_issues_one_replacement(paying: PayingShop) -> None:
    kill_everywhere(paying, check_replaced, gone=True)


def test_a_payment_whose_refund_was_killed_can_be_cancelled(paying: PayingShop) -> None:
    kill_everywhere(paying, check_cancelled)


@pytest.mark.long
def test_a_refund_that_is_killed_on_postgresql_is_completed(
    make_paying_shop: Callable[[str], PayingShop], postgres_url: str
) -> None:
    kill_everywhere(make_paying_shop(postgres_url), check_refunded)
