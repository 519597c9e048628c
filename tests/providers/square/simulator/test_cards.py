"""The cards of the simulated Square: codes, states, amounts, and what each activity does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.square import code_of
from voucher_gateway_square.simulator.till import TillRefused

if TYPE_CHECKING:
    from tests.support.square import VendorClient

INSTRUMENTS: dict[str, Any] = {"buyer_payment_instrument_ids": ["cash"]}


def euros(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


def test_a_new_card_is_pending_and_worth_nothing(square: VendorClient) -> None:
    card = square.create(gan_source="OTHER", gan="MYCODE123").json()["gift_card"]
    assert (card["state"], card["balance_money"], card["gan"]) == ("PENDING", euros(0), "MYCODE123")


def test_without_a_code_the_vendor_makes_sixteen_digits(square: VendorClient) -> None:
    card = square.create().json()["gift_card"]
    assert len(card["gan"]) == 16
    assert card["gan"].isdecimal()
    assert card["gan_source"] == "SQUARE"


@pytest.mark.parametrize(
    "gan", ["SHORT12", "A" * 21, "WITH-DASH", "GRÜSSE123", "4111111111111111", "5555550000000000", "371449635398431"]
)
def test_a_code_has_letters_and_digits_and_does_not_begin_like_a_payment_card(square: VendorClient, gan: str) -> None:
    refused = square.create(gan_source="OTHER", gan=gan)
    assert (refused.status_code, code_of(refused)) == (400, "VALUE_REGEX_MISMATCH")


def test_a_code_exists_once(square: VendorClient) -> None:
    square.create(gan_source="OTHER", gan="TWICE1234")
    assert square.create(gan_source="OTHER", gan="TWICE1234").status_code == 400


def test_the_activation_gives_the_value_once(square: VendorClient) -> None:
    card = square.sell(5000)
    assert (card["state"], card["balance_money"]) == ("ACTIVE", euros(5000))
    again = square.act("ACTIVATE", card, amount_money=euros(5000), **INSTRUMENTS)
    assert (again.status_code, code_of(again)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("kind", ["ACTIVATE", "LOAD"])
def test_a_sale_needs_payment_instruments_of_at_most_255_characters(square: VendorClient, kind: str) -> None:
    card = square.create().json()["gift_card"] if kind == "ACTIVATE" else square.sell()
    assert code_of(square.act(kind, card, amount_money=euros(1))) == "MISSING_REQUIRED_PARAMETER"
    long: dict[str, Any] = {"buyer_payment_instrument_ids": ["x" * 256]}
    assert code_of(square.act(kind, card, amount_money=euros(1), **long)) == "VALUE_TOO_LONG"


@pytest.mark.parametrize(
    ("kind", "details", "left"),
    [
        ("LOAD", {"amount_money": euros(100), **INSTRUMENTS}, 5100),
        ("REDEEM", {"amount_money": euros(100)}, 4900),
        ("UNLINKED_ACTIVITY_REFUND", {"amount_money": euros(100)}, 5100),
        ("ADJUST_INCREMENT", {"amount_money": euros(100), "reason": "TRANSACTION_VOIDED"}, 5100),
        ("ADJUST_DECREMENT", {"amount_money": euros(100), "reason": "PURCHASE_WAS_REFUNDED"}, 4900),
        ("CLEAR_BALANCE", {"reason": "SUSPICIOUS_ACTIVITY"}, 0),
        ("DEACTIVATE", {"reason": "SUSPICIOUS_ACTIVITY"}, 5000),
    ],
)
def test_an_activity_moves_its_amount_and_tells_the_balance_after_it(
    square: VendorClient, kind: str, details: Mapping[str, Any], left: int
) -> None:
    card = square.sell(5000)
    activity = square.act(kind, card, **details).json()["gift_card_activity"]
    assert activity["gift_card_balance_money"] == euros(left)
    assert square.card(card)["balance_money"] == euros(left)


@pytest.mark.parametrize("kind", ["LOAD", "REDEEM", "ADJUST_INCREMENT", "ADJUST_DECREMENT", "CLEAR_BALANCE"])
@pytest.mark.parametrize("state", ["PENDING", "BLOCKED", "DEACTIVATED"])
def test_only_an_active_card_changes_its_value(square: VendorClient, kind: str, state: str) -> None:
    card = square.create().json()["gift_card"] if state == "PENDING" else square.sell(5000)
    if state == "BLOCKED":
        square.simulator.till.block(card["gan"])
    elif state == "DEACTIVATED":
        square.act("DEACTIVATE", card, reason="SUSPICIOUS_ACTIVITY")
    assert square.card(card)["state"] == state
    before = square.card(card)
    details: dict[str, Any] = {"amount_money": euros(1), **INSTRUMENTS, "reason": "SUPPORT_ISSUE"}
    assert square.act(kind, card, **details).status_code == 400
    assert square.card(card) == before


def test_a_blocked_card_is_active_again_after_the_block(square: VendorClient) -> None:
    card = square.sell(5000)
    square.simulator.till.block(card["gan"])
    square.simulator.till.unblock(card["gan"])
    assert square.act("REDEEM", card, amount_money=euros(1)).status_code == 200
    with pytest.raises(TillRefused):
        square.simulator.till.unblock(card["gan"])


@pytest.mark.parametrize("reason", ["UNKNOWN_REASON", "CHARGEBACK_DEACTIVATE"])
def test_a_client_cannot_give_a_reason_that_the_vendor_keeps_for_itself(square: VendorClient, reason: str) -> None:
    assert code_of(square.act("DEACTIVATE", square.sell(), reason=reason)) == "INVALID_ENUM_VALUE"


@pytest.mark.parametrize("kind", ["IMPORT", "BLOCK", "UNBLOCK", "TRANSFER_BALANCE_TO", "IMPORT_REVERSAL"])
def test_a_client_cannot_create_what_only_the_vendor_does(square: VendorClient, kind: str) -> None:
    assert code_of(square.act(kind, square.sell(), amount_money=euros(1))) == "BAD_REQUEST"


def test_refunds_of_a_redemption_are_summed(square: VendorClient) -> None:
    card = square.sell(5000)
    redeemed = square.act("REDEEM", card, amount_money=euros(1053)).json()["gift_card_activity"]

    def refund(amount: int) -> Any:
        return square.act("REFUND", card, redeem_activity_id=redeemed["id"], amount_money=euros(amount))

    assert refund(1000).status_code == 200
    assert code_of(refund(54)) == "REFUND_AMOUNT_INVALID"
    assert refund(53).status_code == 200
    assert code_of(refund(1)) == "REFUND_AMOUNT_INVALID"
    assert square.card(card)["balance_money"] == euros(5000)


def test_a_refund_names_a_redemption_of_the_same_card(square: VendorClient) -> None:
    card, other = square.sell(5000), square.sell(5000)
    redeemed = square.act("REDEEM", card, amount_money=euros(10)).json()["gift_card_activity"]
    refused = square.act("REFUND", other, redeem_activity_id=redeemed["id"], amount_money=euros(10))
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


def test_a_redemption_of_more_than_the_value_is_refused(square: VendorClient) -> None:
    card = square.sell(1000)
    assert code_of(square.act("REDEEM", card, amount_money=euros(1001))) == "INSUFFICIENT_FUNDS"
    assert square.act("REDEEM", card, amount_money=euros(1000)).status_code == 200


@pytest.mark.parametrize(
    ("amount_money", "code"),
    [
        ({"amount": 1, "currency": "CHF"}, "CURRENCY_MISMATCH"),
        ({"amount": 0, "currency": "EUR"}, "VALUE_TOO_LOW"),
        ({"amount": -1, "currency": "EUR"}, "VALUE_TOO_LOW"),
        ({"amount": 2**63, "currency": "EUR"}, "VALUE_TOO_HIGH"),
        ({"amount": "1", "currency": "EUR"}, "EXPECTED_INTEGER"),
        ({"amount": 1.5, "currency": "EUR"}, "EXPECTED_INTEGER"),
        ({"amount": True, "currency": "EUR"}, "EXPECTED_INTEGER"),
        ({"currency": "EUR"}, "MISSING_REQUIRED_PARAMETER"),
        ({"amount": 1}, "MISSING_REQUIRED_PARAMETER"),
        ("1", "EXPECTED_OBJECT"),
        (None, "MISSING_REQUIRED_PARAMETER"),
    ],
)
def test_amounts_are_positive_integers_in_the_currency_of_the_card(
    square: VendorClient, amount_money: object, code: str
) -> None:
    assert code_of(square.act("REDEEM", square.sell(), amount_money=amount_money)) == code


@pytest.mark.parametrize(
    ("currency", "amount", "text"), [("JPY", 500, "500"), ("EUR", 500, "5.00"), ("KWD", 500, "0.500")]
)
def test_amounts_are_in_the_smallest_unit_of_the_currency(
    start_square: Callable[..., VendorClient], currency: str, amount: int, text: str
) -> None:
    client = start_square(seller_currency=currency)
    assert client.sell(amount, currency)["balance_money"] == {"amount": amount, "currency": currency}
    assert client.running.ledger()[0]["remaining"] == text


def test_a_redemption_at_a_till_holds_value_until_it_is_settled(square: VendorClient) -> None:
    card = square.sell(5000)
    redemption_id = square.simulator.till.redeem(card["gan"], "30.00")

    def status() -> object:
        (activity,) = square.get("/v2/gift-cards/activities", gift_card_id=card["id"], type="REDEEM")[
            "gift_card_activities"
        ]
        return activity["redeem_activity_details"]["status"]

    assert status() == "PENDING"
    assert square.card(card)["balance_money"] == euros(5000)
    assert code_of(square.act("REDEEM", card, amount_money=euros(2001))) == "INSUFFICIENT_FUNDS"
    square.simulator.till.settle(redemption_id, completed=True)
    assert status() == "COMPLETED"
    assert square.card(card)["balance_money"] == euros(2000)


def test_a_cancelled_redemption_at_a_till_takes_nothing(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(pending_lowers_balance=True)
    card = client.sell(5000)
    redemption_id = client.simulator.till.redeem(card["gan"], "30.00")
    assert client.card(card)["balance_money"] == euros(2000)
    client.simulator.till.settle(redemption_id, completed=False)
    assert client.card(card)["balance_money"] == euros(5000)
    with pytest.raises(TillRefused):
        client.simulator.till.redeem(card["gan"], "50.01")


def test_the_card_of_an_activity_is_named_by_id_or_code_and_both_must_fit(square: VendorClient) -> None:
    card, other = square.sell(), square.sell()

    def redeem(**names: str) -> Any:
        activity = {
            "type": "REDEEM",
            "location_id": square.location,
            "redeem_activity_details": {"amount_money": euros(1)},
            **names,
        }
        body = {"idempotency_key": str(names), "gift_card_activity": activity}
        return square.call("POST", "/v2/gift-cards/activities", json=body)

    assert redeem(gift_card_gan=card["gan"]).status_code == 200
    assert code_of(redeem(gift_card_id=card["id"], gift_card_gan=other["gan"])) == "CONFLICTING_PARAMETERS"
    assert code_of(redeem()) == "MISSING_REQUIRED_PARAMETER"
    assert redeem(gift_card_gan="NOBODY123").status_code == 404


def test_an_unknown_location_is_not_found_and_is_named(square: VendorClient) -> None:
    refused = square.act("REDEEM", square.sell(), location="LNOWHERE", amount_money=euros(1))
    assert refused.status_code == 404
    assert refused.json()["errors"][0]["field"] == "gift_card_activity.location_id"


def test_a_payment_token_gives_its_card_once(square: VendorClient) -> None:
    card = square.sell()
    nonce = square.simulator.till.make_nonce(card["gan"])
    first = square.call("POST", "/v2/gift-cards/from-nonce", json={"nonce": nonce})
    assert first.json()["gift_card"]["id"] == card["id"]
    assert code_of(square.call("POST", "/v2/gift-cards/from-nonce", json={"nonce": nonce})) == "CARD_TOKEN_USED"
    assert square.call("POST", "/v2/gift-cards/from-nonce", json={"nonce": "cnon:no"}).status_code == 404


def test_a_linked_customer_is_shown_and_can_be_listed_by(square: VendorClient) -> None:
    card, _ = square.sell(), square.sell()
    square.call("POST", f"/v2/gift-cards/{card['id']}/link-customer", json={"customer_id": "C1"})
    (listed,) = square.get("/v2/gift-cards", customer_id="C1")["gift_cards"]
    assert (listed["id"], listed["customer_ids"]) == (card["id"], ["C1"])
    square.call("POST", f"/v2/gift-cards/{card['id']}/unlink-customer", json={"customer_id": "C1"})
    assert "customer_ids" not in square.card(card)


def test_a_seller_may_have_a_limit_for_one_activity(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(payment_limit=5000)
    card = client.sell(5000)
    assert code_of(client.act("LOAD", card, amount_money=euros(5001), **INSTRUMENTS)) == "PAYMENT_LIMIT_EXCEEDED"
    assert client.act("LOAD", card, amount_money=euros(5000), **INSTRUMENTS).status_code == 200


def test_a_buyer_may_have_a_maximum_of_a_day(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(buyer_daily_maximum=8000)
    card = client.sell(5000)
    refused = client.act("LOAD", card, amount_money=euros(3001), **INSTRUMENTS)
    assert refused.json()["errors"][0]["detail"] == "Load amount exceeds maximum buyer daily amount."
    other = client.act("LOAD", card, amount_money=euros(3001), buyer_payment_instrument_ids=["card-7"])
    assert other.status_code == 200
    client.running.clock.advance(86401)
    assert client.act("LOAD", card, amount_money=euros(3001), **INSTRUMENTS).status_code == 200
