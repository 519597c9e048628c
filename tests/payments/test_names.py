"""A payment whose account was renamed, or is not configured any more."""

from __future__ import annotations

import attrs

from tests.payments.conftest import PayingShop
from tests.support.simulators import make_gateway
from voucher_gateway import Money, PaymentState


def test_a_payment_goes_on_under_the_new_name_of_its_account(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    paying.gateway.close()
    jtl, events = paying._accounts
    renamed = attrs.evolve(jtl, name="gifts", former_names=("shop",))
    with make_gateway((renamed, events), paying.url) as gateway:
        payment = gateway.find_payment("1001")
        assert payment is not None
        payment.capture()
        assert [leg.account for leg in payment.legs] == ["gifts", "events"]
        assert mixed.left == ("0.00", "0.00")
        payment.refund(Money("5.00", "EUR"), reference="return-1", strategy="vouchers-first")
        payment.cancel()
        assert mixed.left == ("20.00", "10.00")


def test_a_payment_whose_account_is_not_configured_waits_with_the_reason(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    jtl, _ = paying._accounts
    with make_gateway((jtl,), paying.url) as gateway:
        payment = gateway.find_payment("1001")
        assert payment is not None
        assert not payment.cancel().complete
        assert "unknown account 'events'" in (payment.attention or "")
        gateway.recover()
        assert payment.refresh().state is PaymentState.CANCELLING
    paying.gateway.recover()
    assert mixed.payment.refresh().state is PaymentState.CANCELLED
    assert mixed.left == ("20.00", "10.00")
