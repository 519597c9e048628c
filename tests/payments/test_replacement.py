"""Refunds to vouchers that are gone, and the new vouchers that replace them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.payments.captured_payment import captured, deactivate, delete, euros, expire, parts
from tests.payments.conftest import PayingShop
from voucher_gateway import (
    AmountOutOfRange,
    Interval,
    InvalidRequest,
    NewVoucher,
    OutcomeUnknown,
    PartState,
    Payment,
    RefundState,
    ReplacementRule,
    Validity,
)

REASONS = [(delete, "VoucherNotFound"), (expire, "VoucherExpired"), (deactivate, "VoucherInactive")]


@pytest.mark.parametrize(("lose", "reason"), REASONS)
def test_a_voucher_that_is_gone_gets_nothing_back_and_says_why(
    paying: PayingShop, lose: Callable[[PayingShop, Payment], None], reason: str
) -> None:
    payment = captured(paying)
    lose(paying, payment)
    refund = payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund) == {0: ("6.00", "told"), 1: ("4.00", "not_possible"), 2: ("2.00", "refunded")}
    assert str(refund.parts[1].reason).startswith(reason)
    assert refund.not_possible == euros("4.00")
    assert payment.attention is None
    assert payment.refundable == euros("52.00")
    assert not any(line.endswith("/refund") for line in paying.jtl.request_lines)


def test_a_new_voucher_replaces_one_that_is_gone(either_paying: PayingShop) -> None:
    payment = captured(either_paying)
    deactivate(either_paying, payment)
    rule = ReplacementRule(account="shop", template=NewVoucher(initial=euros("1.00"), sku="RETURN", active=True))
    refund = payment.refund(euros("12.00"), reference="return-1", replace=rule)
    part = refund.parts[1]
    assert (part.state, part.replacement_account) == (PartState.REPLACED, "shop")
    assert (refund.vouchers, refund.not_possible) == (euros("6.00"), euros("0.00"))
    voucher = either_paying.again().replacement("return-1", 1)
    assert (voucher.id, voucher.sku) == (part.replacement_id, "RETURN")
    assert voucher.code is not None
    assert either_paying.jtl.remaining(voucher.code) == euros("4.00")
    assert payment.refundable == euros("48.00")
    assert payment.refund(euros("12.00"), reference="return-1", replace=rule) == refund
    with pytest.raises(InvalidRequest, match="no voucher was issued for leg 2"):
        payment.replacement("return-1", 2)


def test_what_a_new_voucher_replaced_is_not_given_back_by_a_later_refund_or_a_cancellation(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    voucher_id = mixed.payment.legs[0].voucher_id
    paying.gateway.deactivate("shop", voucher_id, reference="lost")
    mixed.payment.refund(
        euros("4.00"), reference="return-1", strategy={1: euros("4.00")}, replace=ReplacementRule(account="shop")
    )
    paying.gateway.activate("shop", voucher_id, reference="found")
    with pytest.raises(AmountOutOfRange):
        mixed.payment.refund(reference="return-2", strategy={1: euros("16.01")})
    mixed.payment.refund(euros("6.00"), reference="return-2", strategy={1: euros("6.00")})
    assert mixed.payment.cancel().complete
    assert mixed.left == ("16.00", "10.00")


def test_a_replacement_that_cannot_be_issued_is_told(paying: PayingShop) -> None:
    payment = captured(paying)
    deactivate(paying, payment)
    rule = ReplacementRule(
        account="shop", template=NewVoucher(initial=euros("1.00"), validity=Validity(0, Interval.DAYS))
    )
    refund = payment.refund(euros("12.00"), reference="return-1", replace=rule)
    assert (refund.parts[1].state, refund.state) == (PartState.NOT_POSSIBLE, RefundState.DONE)
    assert "no voucher can be issued instead" in str(refund.parts[1].reason)


def test_a_lost_answer_of_the_issue_makes_one_voucher(paying: PayingShop) -> None:
    payment = captured(paying)
    deactivate(paying, payment)
    rule = ReplacementRule(account="shop")
    paying.jtl.inject("commit-then-reset", "POST /v1/vouchers")
    with pytest.raises(OutcomeUnknown):
        payment.refund(euros("12.00"), reference="return-1", replace=rule)
    assert payment.refundable == euros("48.00")
    refund = payment.refund(euros("12.00"), reference="return-1", replace=rule)
    assert refund.parts[1].state is PartState.REPLACED
    assert sum(line == "POST /v1/vouchers" for line in paying.jtl.request_lines) == 2  # one is the leg


@pytest.mark.parametrize("field", [{"code": "JTL-MINE-0001"}, {"id": "mine"}, {"pin": "1234"}])
def test_a_template_with_a_code_an_id_or_a_pin_is_refused(field: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="must not have the field"):
        ReplacementRule(account="shop", template=NewVoucher(initial=euros("1.00"), **field))  # type: ignore[arg-type]
