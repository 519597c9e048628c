"""Random sequences of refunds, faults included: the vendors' books agree with the payment to the cent."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.payments.conftest import PayingShop
from tests.support.examples import examples
from voucher_gateway import (
    AlreadyRefunded,
    AmountOutOfRange,
    Money,
    OperationInProgress,
    PartState,
    Payment,
    RefundState,
    StrategyName,
    VoucherGatewayError,
)

REFUND: Final = "POST /v1/charges/*/refund"
FAULTS: Final = ("", "", "commit-then-reset", "rate-limit", "slow")
OPTIONS: Final[dict[str, dict[str, Any]]] = {"rate-limit": {"retry_after_s": 0}, "slow": {"delay_s": 0.01}}
STRATEGIES: Final[tuple[StrategyName, ...]] = ("proportional", "vouchers-first", "other-first")
STEP = st.tuples(st.sampled_from(STRATEGIES), st.integers(1, 2500), st.sampled_from(FAULTS), st.booleans())
GIVEN_BACK: Final = (PartState.REFUNDED, PartState.TOLD)

_orders = itertools.count(1)


def cents(units: int) -> Money:
    return Money.from_minor(units, "EUR")


class Case:
    """A captured payment with two JTL legs, a ticketing leg and the card inside, of 60.00."""

    def __init__(self, shop: PayingShop) -> None:
        self.shop = shop
        self.card = type(shop.card)()
        self.codes = [shop.jtl_code("20.00"), shop.jtl_code("3.33")]
        self.ticketing = shop.ticketing_code("10.00")
        order = f"sequence-{next(_orders)}"
        self.payment: Payment = shop.gateway.payment(order, total=Money("60.00", "EUR"), other=self.card)
        for code in self.codes:
            self.payment.add(code, account="shop")
        self.payment.add(self.ticketing, account="events")
        self.payment.authorize()
        self.payment.capture()

    def returned(self) -> dict[int, int]:
        """Return what the books show as given back, in cents by leg."""
        given = {leg: self.shop.jtl.remaining(code).minor for leg, code in enumerate(self.codes, 1)}
        refunded = sum(money.minor for money in self.card.refunded.values())
        return {0: refunded, **given, 3: self.shop.ticketing.remaining(self.ticketing).minor}

    def recorded(self) -> dict[int, int]:
        """Return what the payment says is given back, in cents by leg."""
        sums = dict.fromkeys(range(4), 0)
        for refund in self.payment.refunds:
            for part in refund.parts:
                sums[part.leg] += part.amount.minor if part.state in GIVEN_BACK else 0
        return sums


def refund_until_done(case: Case, units: int, reference: str, strategy: StrategyName) -> bool:
    """Refund, and repeat the call until nothing is open. Return whether it was recorded."""
    for _ in range(4):
        try:
            case.payment.refund(cents(units), reference=reference, strategy=strategy)
        except AmountOutOfRange:
            return False
        except (VoucherGatewayError, TimeoutError):
            continue
        return True
    raise AssertionError("the refund stays open")


def test_random_refunds_give_back_exactly_what_they_say_and_in_the_end_everything(paying: PayingShop) -> None:
    @given(st.lists(STEP, max_size=5))
    @settings(max_examples=examples(30), deadline=None)
    def run(steps: list[tuple[StrategyName, int, str, bool]]) -> None:
        case = Case(paying)
        left = 6000
        for number, (strategy, units, fault, is_card_slow) in enumerate(steps):
            if fault:
                paying.jtl.inject(fault, REFUND, **OPTIONS.get(fault, {}))
            if is_card_slow:
                case.card.arm("refund", TimeoutError("lost"), after=True)
            recorded = refund_until_done(case, units, f"return-{number}", strategy)
            assert recorded == (units <= left)
            left -= units if recorded else 0
            assert case.payment.refundable == cents(left)
            assert case.recorded() == case.returned()
            assert sum(case.returned().values()) == 6000 - left
        case.card.faults.clear()
        paying.jtl.clear_faults()
        if left:
            case.payment.refund(reference="the rest")
        assert case.returned() == {0: 2667, 1: 2000, 2: 333, 3: 1000}
        assert {refund.state for refund in case.payment.refunds} <= {RefundState.DONE}
        assert case.payment.attention is None
        with pytest.raises(AlreadyRefunded):
            case.payment.refund(reference="more")

    run()


def test_of_two_refunds_at_the_same_time_that_do_not_both_fit_one_is_made(either_paying: PayingShop) -> None:
    case = Case(either_paying)
    results: list[str] = []

    def refund(reference: str) -> None:
        payment = either_paying.gateway.find_payment(case.payment.order, other=case.card, wait=20.0)
        assert payment is not None
        try:
            payment.refund(cents(4000), reference=reference)
        except AmountOutOfRange:
            results.append("refused")
        else:
            results.append("refunded")

    threads = [threading.Thread(target=refund, args=(name,)) for name in ("return-1", "return-2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refunded", "refused"]
    assert sum(case.returned().values()) == 4000


def test_the_same_refund_by_two_workers_is_made_once(paying: PayingShop) -> None:
    case = Case(paying)
    results: list[str] = []

    def refund() -> None:
        payment = paying.another_gateway().find_payment(case.payment.order, other=case.card)
        assert payment is not None
        try:
            payment.refund(cents(4000), reference="return-1")
        except OperationInProgress:
            results.append("busy")
        else:
            results.append("refunded")

    threads = [threading.Thread(target=refund) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "refunded" in results
    assert sum(case.returned().values()) == 4000
    assert len(case.payment.refunds) == 1
