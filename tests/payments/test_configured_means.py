"""A payment that has its card inside finds it in the configuration, where a call gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voucher_gateway import Gateway, Money, PaymentState

if TYPE_CHECKING:
    from tests.payments.conftest import PayingShop

TOTAL = Money("60.00", "EUR")


@pytest.fixture
def configured(paying: PayingShop) -> Gateway:
    """Another process, whose configuration names the card."""
    gateway = paying.another_gateway()
    return Gateway(gateway.accounts, journal=gateway.journal, other_means=paying.card)


def test_recover_completes_a_capture_with_the_card_of_the_configuration(
    paying: PayingShop, configured: Gateway
) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    paying.card.arm("capture", TimeoutError())
    with pytest.raises(TimeoutError):
        mixed.payment.capture()
    configured.recover()
    payment = configured.find_payment("1001")
    assert payment is not None
    assert (payment.state, payment.captured, paying.card.kept) == (PaymentState.CAPTURED, TOTAL, "30.00")


def test_a_payment_that_was_opened_without_a_card_gets_none(paying: PayingShop, configured: Gateway) -> None:
    payment = configured.payment("1001", total=TOTAL)
    payment.add(paying.jtl_code(), account="shop")
    payment.authorize()
    payment.capture()
    assert payment.due == Money("10.00", "EUR")
    assert paying.card.calls == []


def test_a_cancellation_uses_it_as_well(paying: PayingShop, configured: Gateway) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    payment = configured.find_payment("1001")
    assert payment is not None
    assert payment.cancel().complete
    assert paying.card.kept == "0.00"
