"""What the adapter sends: versions, keys, amounts, locations, instruments, and the two requests of a new card."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Medium, Money, NewVoucher
from voucher_gateway.errors import (
    AmountOutOfRange,
    ConfigurationError,
    InvalidRequest,
    OutcomeUnknown,
    UnsupportedOperation,
)
from voucher_gateway.provider_api import Operation, use_call_options
from voucher_gateway_square.provider import VERSION

if TYPE_CHECKING:
    from tests.support.square import VendorClient
    from voucher_gateway_square import SquareProvider

EUR = Money("10.53", "EUR")


def bodies(client: VendorClient, path: str = "") -> list[dict[str, Any]]:
    """Return the bodies of the changing requests that arrived at the adapter's side of the simulator."""
    return [
        json.loads(request.body)
        for request in client.running.requests
        if request.method == "POST" and request.path.endswith(path) and not request.path.endswith("from-gan")
    ]


def test_every_request_says_the_version_and_who_sends_it(square: VendorClient, adapter: SquareProvider) -> None:
    list(adapter.vouchers())
    headers = dict(square.running.requests[-1].headers)
    assert headers["Square-Version"] == VERSION
    assert headers["Authorization"] == f"Bearer {square.running.announcement['access_token']}"


def test_a_new_card_takes_two_requests_each_under_a_key_of_its_own(
    square: VendorClient, adapter: SquareProvider
) -> None:
    adapter.issue(NewVoucher(initial=EUR, code="NEWCARD123"), reference="sale-1", order="1001")
    create, activate = bodies(square)
    assert create["gift_card"] == {"type": "DIGITAL", "gan_source": "OTHER", "gan": "NEWCARD123"}
    activity = activate["gift_card_activity"]
    assert activity["gift_card_gan"] == "NEWCARD123"
    assert activity["activate_activity_details"] == {
        "amount_money": {"amount": 1053, "currency": "EUR"},
        "reference_id": "sale-1",
        "buyer_payment_instrument_ids": ["1001"],
    }
    keys = [create["idempotency_key"], activate["idempotency_key"]]
    assert len(set(keys)) == 2
    assert all(20 <= len(key) <= 128 for key in keys)


@pytest.mark.parametrize("verb", ["redeem", "issue"])
def test_a_reply_that_names_another_card_moves_no_value_of_that_card(
    square: VendorClient, adapter: SquareProvider, verb: str
) -> None:
    """Value moves on the card that has the code, and a result about another card is not believed."""
    other = square.sell(5000)
    card = square.sell(5000, gan_source="OTHER", gan="RIGHTCARD1")
    never_sold = square.create().json()["gift_card"]
    calls: dict[str, Callable[[], object]] = {
        "redeem": lambda: adapter.redeem("RIGHTCARD1", EUR, reference="r-1"),
        "issue": lambda: adapter.issue(NewVoucher(initial=EUR, code="NEWCARD123"), reference="sale-1"),
    }
    square.running.inject("wrong-voucher", "POST /v2/gift-cards" + ("/from-gan" if verb == "redeem" else ""))
    with pytest.raises(OutcomeUnknown):
        calls[verb]()
    assert square.card(other)["balance_money"]["amount"] == 5000
    assert square.card(never_sold)["state"] == "PENDING"
    assert square.card(card)["balance_money"]["amount"] == (3947 if verb == "redeem" else 5000)


def test_a_card_without_a_chosen_code_gets_one_of_the_vendor(square: VendorClient, adapter: SquareProvider) -> None:
    voucher = adapter.issue(NewVoucher(initial=EUR, medium=Medium.PRINT), reference="sale-1")
    assert bodies(square)[0]["gift_card"] == {"type": "PHYSICAL"}
    assert voucher.code is not None
    assert len(voucher.code.reveal()) == 16
    assert voucher.medium is Medium.PRINT


def test_the_key_of_a_call_is_the_same_each_time_and_another_for_each_verb(
    square: VendorClient, adapter: SquareProvider
) -> None:
    card = square.sell(5000)
    adapter.top_up(card["id"], EUR, reference="same")
    adapter.top_up(card["id"], EUR, reference="same")
    adapter.redeem(card["gan"], EUR, reference="same")
    first, again, other = [body["idempotency_key"] for body in bodies(square, "activities")[-3:]]
    assert first == again != other
    assert square.card(card)["balance_money"]["amount"] == 5000


@pytest.mark.parametrize(("currency", "amount", "units"), [("JPY", "500", 500), ("EUR", "5", 500), ("KWD", "0.5", 500)])
def test_amounts_are_sent_in_the_smallest_unit(
    start_square: Callable[..., VendorClient],
    make_adapter: Callable[..., SquareProvider],
    currency: str,
    amount: str,
    units: int,
) -> None:
    client = start_square(seller_currency=currency)
    adapter = make_adapter(client)
    voucher = adapter.issue(NewVoucher(initial=Money(amount, currency)), reference="sale-1")
    assert voucher.remaining == voucher.initial == Money(amount, currency)
    sent = bodies(client)[1]["gift_card_activity"]["activate_activity_details"]["amount_money"]
    assert sent == {"amount": units, "currency": currency}


@pytest.mark.parametrize(
    ("settings", "order", "expected"),
    [({}, "1001", "1001"), ({}, None, "load-1"), ({"payment_instrument": "cash"}, "1001", "cash")],
)
def test_the_payment_instrument_is_the_setting_or_the_order_or_the_reference(
    square: VendorClient,
    make_adapter: Callable[..., SquareProvider],
    settings: dict[str, str],
    order: str | None,
    expected: str,
) -> None:
    card = square.sell()
    make_adapter(square, **settings).top_up(card["id"], EUR, reference="load-1", order=order)
    details = bodies(square)[-1]["gift_card_activity"]["load_activity_details"]
    assert details["buyer_payment_instrument_ids"] == [expected]


def test_a_deactivation_gives_the_only_reason_that_a_client_may_give(
    square: VendorClient, adapter: SquareProvider
) -> None:
    adapter.deactivate(square.sell()["id"], reference="off-1")
    activity = bodies(square)[-1]["gift_card_activity"]
    assert activity["deactivate_activity_details"] == {"reason": "SUSPICIOUS_ACTIVITY"}


def test_a_refund_names_its_redemption_and_its_card(square: VendorClient, adapter: SquareProvider) -> None:
    card = square.sell()
    redemption = adapter.redeem(card["gan"], EUR, reference="r-1")
    refund = adapter.refund(redemption, Money("0.53", "EUR"), reference="back-1")
    activity = bodies(square)[-1]["gift_card_activity"]
    assert activity["gift_card_id"] == card["id"]
    assert activity["refund_activity_details"] == {
        "redeem_activity_id": redemption.id,
        "amount_money": {"amount": 53, "currency": "EUR"},
        "reference_id": "back-1",
    }
    assert (refund.redemption_id, refund.remaining) == (redemption.id, Money("40.00", "EUR"))


@pytest.mark.parametrize("code", ["SHORT12", "A" * 21, "WITH-DASH-1", "GRÜSSE123", ""])
def test_a_code_that_cannot_be_chosen_is_refused_before_it_is_sent(
    square: VendorClient, adapter: SquareProvider, code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        adapter.issue(NewVoucher(initial=EUR, code=code), reference="sale-1")
    assert refused.value.field == "code"
    assert square.running.requests == []


def test_what_a_card_cannot_have_is_refused_before_it_is_sent(square: VendorClient, adapter: SquareProvider) -> None:
    with pytest.raises(UnsupportedOperation, match="batch"):
        adapter.issue(NewVoucher(initial=EUR, batch="autumn"), reference="sale-1")
    with pytest.raises(InvalidRequest):
        adapter.issue(NewVoucher(initial=Money(0, "EUR")), reference="sale-1")
    for call in (adapter.top_up, adapter.redeem):
        with pytest.raises(InvalidRequest):
            call("ANYCARD123", Money(0, "EUR"), reference="r-1")
    with pytest.raises(InvalidRequest):
        adapter.find("")
    assert square.running.requests == []


def test_the_verb_activate_lacks_because_the_activation_carries_the_value(adapter: SquareProvider) -> None:
    with pytest.raises(UnsupportedOperation, match="the value comes with the activation"):
        adapter.activate("gftc:1", reference="on-1")
    assert not adapter.declared.of(Operation.ACTIVATE).available


def test_an_amount_above_the_sellers_limit_is_out_of_range(
    start_square: Callable[..., VendorClient], make_adapter: Callable[..., SquareProvider]
) -> None:
    client = start_square(payment_limit=5000)
    card = client.sell(5000)
    with pytest.raises(AmountOutOfRange) as refused:
        make_adapter(client).top_up(card["id"], Money("50.01", "EUR"), reference="load-1")
    assert refused.value.vendor_code == "PAYMENT_LIMIT_EXCEEDED"
    assert client.card(card)["balance_money"]["amount"] == 5000


# --- the currency of the location ---


def test_a_check_reads_the_currency_of_the_location_and_a_new_card_in_another_one_is_not_begun(
    square: VendorClient, adapter: SquareProvider
) -> None:
    assert adapter.check().currency == "EUR"
    with pytest.raises(InvalidRequest, match="new cards of this location are in EUR, not in CHF"):
        adapter.issue(NewVoucher(initial=Money("5", "CHF")), reference="sale-1")
    assert bodies(square) == []
    assert adapter.issue(NewVoucher(initial=EUR), reference="sale-1").remaining == EUR


def test_a_token_that_may_not_read_the_location_needs_the_setting(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    token = square.running.announcement["read_only_token"]
    checked = make_adapter(square, access_token=token).check()
    assert checked.currency is None
    assert "MERCHANT_PROFILE_READ" in checked.warnings[0]
    checked = make_adapter(square, access_token=token, currency="EUR").check()
    assert (checked.currency, checked.warnings) == ("EUR", ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"currency": "CHF"}, "the location's currency is EUR, but currency is set to CHF"),
        ({"location_id": "L0NOBODY"}, "no location with this location_id"),
    ],
)
def test_a_currency_or_a_location_that_the_vendor_does_not_have_is_a_mistake_of_the_configuration(
    square: VendorClient, make_adapter: Callable[..., SquareProvider], settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_adapter(square, **settings).check()


def test_the_currency_of_another_location_of_a_call_is_left_to_the_vendor(
    square: VendorClient, make_adapter: Callable[..., SquareProvider]
) -> None:
    other = next(name for name, currency in square.simulator.locations.items() if currency != "EUR")
    currency = square.simulator.locations[other]
    adapter = make_adapter(square, currency="EUR")
    with use_call_options({"location": other}):
        card = adapter.issue(NewVoucher(initial=Money("5", currency)), reference="sale-1")
    assert card.remaining == Money("5", currency)
