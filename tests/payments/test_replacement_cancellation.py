"""A cancellation that issues new vouchers for those that are gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.payments.captured_payment import captured, deactivate, delete, euros, expire, parts
from tests.payments.conftest import PayingShop
from voucher_gateway import (
    Interval,
    NewVoucher,
    PartState,
    Payment,
    PaymentState,
    RefundState,
    ReplacementRule,
    Validity,
)
from voucher_gateway.payments.rows.references import payment_reference


def test_a_cancellation_issues_a_new_voucher_for_what_cannot_be_given_back(either_paying: PayingShop) -> None:
    payment = captured(either_paying, other=either_paying.card)
    payment.refund(euros("6.00"), reference="return-1")
    delete(either_paying, payment)
    stuck = payment.cancel()
    assert not stuck.complete
    assert "no such voucher" in str(payment.attention)
    cancellation = payment.cancel(replace=ReplacementRule(account="shop"))
    assert (cancellation.complete, payment.attention) == (True, None)
    assert cancellation.returned == euros("9.00")
    refund = payment.refunds[-1]
    assert parts(refund) == {1: ("18.00", "replaced")}
    assert "VoucherNotFound" in str(refund.parts[0].reason)
    code = payment.replacement(refund.reference, 1).code
    assert code is not None
    assert either_paying.jtl.remaining(code) == euros("18.00")
    assert payment.cancel(replace=ReplacementRule(account="shop")) == cancellation
    assert len(payment.refunds) == 2
    assert either_paying.card.kept == "0.00"


@pytest.mark.parametrize("lose", [expire, deactivate])
def test_a_cancellation_gives_nothing_back_to_a_voucher_that_its_owner_cannot_use(
    paying: PayingShop, lose: Callable[[PayingShop, Payment], None]
) -> None:
    payment = captured(paying)
    lose(paying, payment)
    assert not payment.cancel().complete
    assert not any(line.endswith("/refund") for line in paying.jtl.request_lines)
    assert payment.cancel(replace=ReplacementRule(account="shop")).complete
    assert parts(payment.refunds[-1]) == {1: ("20.00", "replaced")}


def test_a_new_voucher_of_a_cancellation_is_issued_once(paying: PayingShop) -> None:
    payment = captured(paying)
    payment.refund(euros("1.00"), reference="cancellation 2", strategy="vouchers-first")
    delete(paying, payment)
    paying.jtl.inject("commit-then-reset", "POST /v1/vouchers")
    assert not payment.cancel(replace=ReplacementRule(account="shop")).complete
    paying.another_gateway().recover(everything=True)
    assert payment.refresh().state is PaymentState.CANCELLED
    assert [refund.reference for refund in payment.refunds] == ["cancellation 2", "cancellation 3"]
    assert payment.refunds[-1].parts[0].state is PartState.REPLACED
    assert sum(line == "POST /v1/vouchers" for line in paying.jtl.request_lines) == 2  # one is the leg


def test_a_cancellation_replaces_nothing_that_can_be_given_back(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    assert mixed.payment.cancel(replace=ReplacementRule(account="shop")).complete
    assert mixed.left == ("20.00", "10.00")
    assert mixed.payment.refunds == ()


def test_a_cancellation_without_a_possible_replacement_can_accept_the_loss(paying: PayingShop) -> None:
    payment = captured(paying)
    delete(paying, payment)
    template = NewVoucher(initial=euros("1.00"), validity=Validity(0, Interval.DAYS))
    rule = ReplacementRule(account="shop", template=template)
    assert not payment.cancel(replace=rule).complete
    assert payment.refunds[-1].parts[0].state is PartState.NOT_POSSIBLE
    assert payment.cancel(replace=rule, accept_loss=True).complete


def test_no_new_voucher_is_issued_for_what_another_party_may_have_given_back(paying: PayingShop) -> None:
    payment = captured(paying)
    redemption = paying.gateway.redemption("shop", payment_reference(payment.id, 1, 1))
    paying.jtl.provider().refund(redemption, euros("20.00"), reference="in the back office")
    refund = payment.refund(reference="return-1", strategy={1: euros("20.00")}, replace=ReplacementRule(account="shop"))
    assert (refund.parts[0].state, refund.state) == (PartState.NOT_POSSIBLE, RefundState.DONE)
    assert not payment.cancel(replace=ReplacementRule(account="shop")).complete
    assert payment.refunds == (refund,)
    assert sum(line == "POST /v1/vouchers" for line in paying.jtl.request_lines) == 1  # the leg
