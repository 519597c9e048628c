"""Refunds of a captured payment, at simulated vendors over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.payments.conftest import PayingShop
from voucher_gateway import (
    AlreadyRefunded,
    AmountOutOfRange,
    ConfigurationError,
    Declined,
    Interval,
    InvalidRequest,
    Money,
    NewVoucher,
    OutcomeUnknown,
    PartState,
    Payment,
    PaymentConflict,
    PaymentRefund,
    PaymentState,
    RateLimited,
    ReferenceConflict,
    RefundState,
    ReplacementRule,
    Validity,
)
from voucher_gateway.instants import now
from voucher_gateway.payments.references import payment_reference

REFUND = "POST /v1/charges/*/refund"


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def captured(shop: PayingShop, **options: Any) -> Payment:
    """Return a captured payment: 20.00 of JTL (leg 1), 10.00 of ticketing (leg 2), and 30.00 of other means."""
    payment = shop.payment("60.00", **options)
    payment.add(shop.jtl_code("20.00", validity=Validity(1, Interval.DAYS)), account="shop")
    payment.add(shop.ticketing_code("10.00"), account="events")
    payment.authorize()
    payment.capture()
    return payment


def parts(refund: PaymentRefund) -> dict[int, tuple[str, str]]:
    return {part.leg: (str(part.amount.amount), part.state.value) for part in refund.parts}


def test_a_refund_is_shared_out_in_proportion_and_tells_what_other_means_give_back(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund) == {0: ("6.00", "told"), 1: ("4.00", "refunded"), 2: ("2.00", "refunded")}
    assert (refund.other, refund.vouchers, refund.not_possible) == (euros("6.00"), euros("6.00"), euros("0.00"))
    assert (refund.state, refund.reference, refund.amount) == (RefundState.DONE, "return-1", euros("12.00"))
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.refundable == euros("48.00")
    assert either_paying.again().refunds == mixed.payment.refunds == (refund,)


def test_the_same_refund_again_gives_nothing_back_twice(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert paying.again().refund(euros("12.00"), reference="return-1") == refund
    assert mixed.left == ("4.00", "2.00")
    others: list[dict[str, Any]] = [
        {"money": euros("12.01")},
        {"money": None},
        {"strategy": "other-first"},
        {"replace": ReplacementRule(account="shop")},
    ]
    for other in others:
        with pytest.raises(ReferenceConflict, match="another refund"):
            mixed.payment.refund(**{"money": euros("12.00"), "reference": "return-1", **other})
    assert mixed.payment.refunds == (refund,)


def test_all_that_is_left_is_given_back(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("7.00"), reference="return-1", strategy="vouchers-first")
    mixed.payment.refund(euros("10.00"), reference="return-2", strategy={"other": euros("8.00"), 2: euros("2.00")})
    refund = mixed.payment.refund(reference="return-3")
    assert parts(refund) == {0: ("22.00", "told"), 1: ("13.00", "refunded"), 2: ("8.00", "refunded")}
    assert mixed.left == ("20.00", "10.00")
    assert mixed.payment.refundable == euros("0.00")
    with pytest.raises(AlreadyRefunded):
        mixed.payment.refund(reference="return-4")


def test_a_refund_that_does_not_fit_is_refused_before_anything_is_recorded(paying: PayingShop) -> None:
    payment = captured(paying)
    before = paying.jtl.request_lines
    with pytest.raises(AmountOutOfRange):
        payment.refund(euros("60.01"), reference="return-1")
    with pytest.raises(AmountOutOfRange):
        payment.refund(reference="return-1", strategy={1: euros("20.01")})
    with pytest.raises(AmountOutOfRange):
        payment.refund(euros("0.00"), reference="return-1")
    with pytest.raises(InvalidRequest):
        payment.refund(Money("1.00", "CHF"), reference="return-1")
    with pytest.raises(InvalidRequest, match="proportional, vouchers-first, other-first"):
        payment.refund(euros("1.00"), reference="return-1", strategy="fair")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(InvalidRequest):
        payment.refund(euros("1.00"), reference="")
    assert payment.refunds == ()
    assert paying.jtl.request_lines == before


def test_only_a_captured_payment_is_refunded(paying: PayingShop) -> None:
    mixed = paying.mixed()
    for _ in ("open", "authorized"):
        with pytest.raises(PaymentConflict, match="only a captured payment"):
            mixed.payment.refund(euros("1.00"), reference="return-1")
        assert mixed.payment.refundable == euros("0.00")
        mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.cancel()
    with pytest.raises(PaymentConflict, match="cancelled"):
        mixed.payment.refund(euros("1.00"), reference="return-1")


def test_a_refund_of_the_gateway_itself_counts(paying: PayingShop) -> None:
    payment = captured(paying)
    redemption = paying.gateway.redemption("shop", payment_reference(payment.id, 1, 1))
    paying.gateway.refund("shop", redemption, euros("15.00"), reference="by-hand")
    assert payment.refundable == euros("45.00")
    assert parts(payment.refund(reference="return-1"))[1] == ("5.00", "refunded")


# --- the card inside ---


def test_the_card_inside_gives_its_part_back(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    refund = payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[0] == ("6.00", "refunded")
    assert refund.other == euros("6.00")
    assert paying.card.kept == "24.00"
    assert "other-g1-refund-" in paying.card.calls[-1]


def test_a_lost_answer_of_the_card_leaves_the_refund_open_until_the_same_key_comes_again(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.card.arm("refund", TimeoutError("lost"), after=True)
    with pytest.raises(TimeoutError):
        payment.refund(euros("12.00"), reference="return-1")
    assert payment.attention is not None
    assert parts(payment.refunds[0]) == {0: ("6.00", "planned"), 1: ("4.00", "refunded"), 2: ("2.00", "refunded")}
    assert payment.refundable == euros("48.00")
    payment.resume()
    assert payment.refresh().attention is None
    assert payment.refunds[0].state is RefundState.DONE
    assert paying.card.kept == "24.00"
    assert len({call for call in paying.card.calls if "refund" in call}) == 1


def test_a_card_that_refuses_is_told_and_can_be_refunded_in_another_way(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.card.arm("refund", Declined("the card is closed"))
    refund = payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[0] == ("6.00", "not_possible")
    assert (refund.other, refund.not_possible) == (euros("0.00"), euros("6.00"))
    assert refund.parts[0].reason == "Declined: the card is closed"
    assert payment.refundable == euros("54.00")
    assert parts(payment.refund(euros("6.00"), reference="return-2", strategy="vouchers-first")) == {
        1: ("6.00", "refunded")
    }


def test_a_refund_of_the_card_inside_needs_the_card(paying: PayingShop) -> None:
    captured(paying, other=paying.card)
    payment = paying.again()
    with pytest.raises(ConfigurationError, match="other="):
        payment.refund(euros("12.00"), reference="return-1")
    assert payment.refunds == ()
    assert parts(payment.refund(euros("6.00"), reference="return-1", strategy="vouchers-first")) == {
        1: ("6.00", "refunded")
    }


def test_recover_without_the_card_does_the_vouchers_and_says_what_is_missing(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.jtl.inject("rate-limit", REFUND, retry_after_s=0)
    paying.card.arm("refund", TimeoutError("lost"))
    with pytest.raises(RateLimited):
        payment.refund(euros("12.00"), reference="return-1")
    paying.another_gateway().recover(everything=True)
    payment.refresh()
    assert payment.attention is not None
    assert "resume" in payment.attention
    assert parts(payment.refunds[0])[0] == ("6.00", "planned")
    assert parts(payment.refunds[0])[1] == ("4.00", "refunded")
    paying.another_gateway().recover(everything=True, other=paying.card)
    assert payment.refresh().attention is None
    assert (payment.refunds[0].state, paying.card.kept) == (RefundState.DONE, "24.00")


# --- what goes wrong at a vendor ---


def test_a_vendor_that_cannot_be_reached_leaves_the_refund_open(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.jtl.inject("rate-limit", REFUND, retry_after_s=0)
    with pytest.raises(RateLimited):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.left == ("0.00", "2.00")
    assert mixed.payment.attention is not None
    paying.gateway.recover(everything=True)
    mixed.payment.refresh()
    assert mixed.payment.refunds[0].state is RefundState.DONE
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.attention is None


def test_a_lost_answer_is_never_given_back_twice(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    either_paying.jtl.inject("commit-then-reset", REFUND)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.payment.refundable == euros("48.00")
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[1] == ("4.00", "refunded")
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.attention is None


def test_a_refund_in_doubt_does_not_stop_another_one(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.jtl.inject("commit-then-reset", REFUND)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.refund(euros("4.00"), reference="return-1", strategy={1: euros("4.00")})
    refund = mixed.payment.refund(euros("40.00"), reference="return-2", strategy={2: euros("10.00"), 0: euros("30.00")})
    assert refund.state is RefundState.DONE
    assert mixed.payment.attention is not None
    mixed.payment.refund(euros("4.00"), reference="return-1", strategy={1: euros("4.00")})
    assert mixed.payment.refresh().attention is None
    assert (mixed.payment.refundable, mixed.left) == (euros("16.00"), ("4.00", "10.00"))


# --- vouchers that are gone ---


def delete(shop: PayingShop, payment: Payment) -> None:
    ledger: Any = shop.jtl.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator
    del ledger.vouchers[payment.legs[0].voucher_id]


def expire(shop: PayingShop, payment: Payment) -> None:
    shop.jtl.advance(2 * 24 * 3600)


def deactivate(shop: PayingShop, payment: Payment) -> None:
    shop.gateway.deactivate("shop", payment.legs[0].voucher_id, reference="stolen")


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


# --- a cancellation after refunds ---


def test_a_cancellation_gives_back_what_refunds_did_not(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("12.00"), reference="return-1")
    cancellation = mixed.payment.cancel()
    assert (cancellation.complete, cancellation.returned) == (True, euros("24.00"))
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")


def test_a_cancellation_completes_the_refunds_that_were_begun(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.card.arm("refund", TimeoutError("never sent"))
    with pytest.raises(TimeoutError):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.payment.cancel().complete
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")
    assert mixed.payment.refunds[0].state is RefundState.DONE


def test_a_cancellation_waits_for_a_refund_in_doubt(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    for _ in range(2):
        paying.card.arm("refund", TimeoutError("lost"), after=True)
    with pytest.raises(TimeoutError):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert not mixed.payment.cancel().complete
    assert mixed.payment.state is PaymentState.CANCELLING
    assert mixed.payment.cancel().complete
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")


# --- a cancellation that issues new vouchers ---


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


def test_payments_are_found_by_voucher_by_the_reference_of_a_refund_and_by_time(either_paying: PayingShop) -> None:
    begin = now()
    mixed = either_paying.mixed()
    either_paying.payment("10.00", order="1002")
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("3.00"), reference="return-7")
    gateway, leg = either_paying.gateway, mixed.payment.legs[0]

    def orders(**filters: Any) -> list[str]:
        return [record.order for record in gateway.payments(**filters)]

    assert orders() == ["1002", "1001"]
    assert orders(voucher=leg.voucher_id) == ["1001"]
    assert orders(voucher="unknown") == []
    assert orders(reference="return-7") == ["1001"]
    assert orders(until=begin) == []
    assert orders(since=begin, until=now()) == ["1002", "1001"]
