"""Every gift-card call over real HTTP, request and answer held against the vendor's own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from openapi_core.validation.response.exceptions import DataValidationError

if TYPE_CHECKING:
    from tests.support.square import VendorClient, VendorDocument

EUR = {"amount": 1000, "currency": "EUR"}


@pytest.fixture
def driven(start_square: Callable[..., VendorClient]) -> dict[str, list[requests.Response]]:
    """Every operation of the document, by its id, with the answers for good and bad requests."""
    client = start_square(vouchers=120, seed=5, history=130)
    card = client.sell(gan_source="OTHER", gan="OPENAPI1234")
    path = f"/v2/gift-cards/{card['id']}"
    nonce = client.simulator.till.make_nonce(card["gan"])
    redeemed = client.act("REDEEM", card, amount_money=EUR, reference_id="order-1")
    redemption_id = redeemed.json()["gift_card_activity"]["id"]
    instruments: dict[str, Any] = {"buyer_payment_instrument_ids": ["cash"]}
    return {
        "ListGiftCards": [
            client.call("GET", "/v2/gift-cards?limit=200"),
            client.call("GET", "/v2/gift-cards?state=BLOCKED&type=PHYSICAL&customer_id=nobody"),
            client.call("GET", "/v2/gift-cards?limit=201"),
        ],
        "CreateGiftCard": [client.create(), client.create(gan_source="OTHER", gan="short")],
        "ListGiftCardActivities": [
            client.call("GET", "/v2/gift-cards/activities?limit=100&begin_time=2020-01-01T00:00:00Z&sort_order=ASC"),
            client.call("GET", f"/v2/gift-cards/activities?gift_card_id={card['id']}"),
            client.call("GET", "/v2/gift-cards/activities?begin_time=never"),
        ],
        "CreateGiftCardActivity": [
            client.act("LOAD", card, amount_money=EUR, reference_id="load-1", **instruments),
            client.act("REFUND", card, amount_money=EUR, redeem_activity_id=redemption_id),
            client.act("UNLINKED_ACTIVITY_REFUND", card, amount_money=EUR, reference_id="return-1"),
            client.act("ADJUST_INCREMENT", card, amount_money=EUR, reason="COMPLIMENTARY"),
            client.act("ADJUST_DECREMENT", card, amount_money=EUR, reason="SUPPORT_ISSUE"),
            client.act("CLEAR_BALANCE", card, reason="REUSE_GIFTCARD"),
            client.act("DEACTIVATE", card, reason="SUSPICIOUS_ACTIVITY"),
            client.act("REDEEM", card, amount_money=EUR),
        ],
        "RetrieveGiftCardFromGAN": [
            client.call("POST", "/v2/gift-cards/from-gan", json={"gan": card["gan"]}),
            client.call("POST", "/v2/gift-cards/from-gan", json={"gan": "NOBODY123"}),
        ],
        "RetrieveGiftCardFromNonce": [
            client.call("POST", "/v2/gift-cards/from-nonce", json={"nonce": nonce}),
            client.call("POST", "/v2/gift-cards/from-nonce", json={"nonce": nonce}),
        ],
        "LinkCustomerToGiftCard": [client.call("POST", f"{path}/link-customer", json={"customer_id": "C1"})],
        "UnlinkCustomerFromGiftCard": [
            client.call("POST", f"{path}/unlink-customer", json={"customer_id": "C1"}),
            client.call("POST", f"{path}/unlink-customer", json={"customer_id": "C1"}),
        ],
        "RetrieveGiftCard": [client.call("GET", path), client.call("GET", "/v2/gift-cards/gftc:0")],
        "RetrieveLocation": [
            client.call("GET", f"/v2/locations/{client.running.announcement['location_id']}"),
            client.call("GET", "/v2/locations/main"),
            client.call("GET", "/v2/locations/L0NOBODY"),
        ],
    }


def test_every_call_obeys_the_vendors_document(
    driven: dict[str, list[requests.Response]], square_document: VendorDocument
) -> None:
    for responses in driven.values():
        for response in responses:
            square_document.check(response)


def test_every_call_of_the_document_is_driven_and_its_bad_requests_are_refused(
    driven: dict[str, list[requests.Response]], square_document: VendorDocument
) -> None:
    paths = (square_document.openapi.spec / "paths").read_value()
    assert set(driven) == {operation["operationId"] for path in paths.values() for operation in path.values()}
    statuses = {name: [response.status_code for response in responses] for name, responses in driven.items()}
    assert statuses == {
        "ListGiftCards": [200, 200, 400],
        "CreateGiftCard": [200, 400],
        "ListGiftCardActivities": [200, 200, 400],
        "CreateGiftCardActivity": [200, 200, 200, 200, 200, 200, 200, 400],
        "RetrieveGiftCardFromGAN": [200, 404],
        "RetrieveGiftCardFromNonce": [200, 400],
        "LinkCustomerToGiftCard": [200],
        "UnlinkCustomerFromGiftCard": [200, 404],
        "RetrieveGiftCard": [200, 404],
        "RetrieveLocation": [200, 200, 404],
    }


def test_every_page_of_both_lists_obeys_the_document(
    start_square: Callable[..., VendorClient], square_document: VendorDocument
) -> None:
    client = start_square(vouchers=90, seed=6, history=120)
    kinds, states = set(), set()
    for path, query, name in (
        ("/v2/gift-cards", {"limit": 40}, "gift_cards"),
        ("/v2/gift-cards/activities", {"limit": 100, "begin_time": "2000-01-01T00:00:00Z"}, "gift_card_activities"),
    ):
        cursor: dict[str, str] = {}
        while True:
            response = client.call("GET", path, params={**query, **cursor})
            square_document.check(response)
            body = response.json()
            kinds |= {entry["type"] for entry in body[name]}
            states |= {entry.get("state") for entry in body[name]}
            if "cursor" not in body:
                break
            cursor = {"cursor": body["cursor"]}
    assert states >= {"PENDING", "ACTIVE", "BLOCKED", "DEACTIVATED"}
    assert kinds >= {"ACTIVATE", "LOAD", "REDEEM", "REFUND", "BLOCK", "DEACTIVATE", "CLEAR_BALANCE", "ADJUST_INCREMENT"}


def test_the_document_catches_a_member_that_the_vendor_does_not_have(
    square: VendorClient, square_document: VendorDocument
) -> None:
    response = square.create()
    response._content = response.content.replace(b'"gan"', b'"pin":"1","gan"')
    with pytest.raises(DataValidationError):
        square_document.check_response(response)
