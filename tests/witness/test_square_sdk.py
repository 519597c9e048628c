"""The vendor's own client does every gift-card call against the simulator, and its document allows every exchange.

`make witness-square` installs the client (the package ``squareup``). Without it the tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.square import VendorDocument, load_document
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_square.simulator import SquareSimulator

pytest.importorskip("square", reason="run `make witness-square`")
import httpx
from square import Square
from square.core.api_error import ApiError

pytestmark = pytest.mark.slow

EUR: dict[str, Any] = {"amount": 1000, "currency": "EUR"}
VERSION = "2026-09-16"


@pytest.fixture(scope="module")
def document() -> VendorDocument:
    return load_document()


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    with start(SquareSimulator, vouchers=120, history=130, seed=9) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def client(vendor: RunningSimulator, document: VendorDocument) -> Iterator[Square]:
    """The vendor's client. Every exchange is held against the vendor's document."""

    def check(response: httpx.Response) -> None:
        response.read()
        document.check(_as_requests(response))

    with httpx.Client(event_hooks={"response": [check]}) as transport:
        yield Square(
            token=vendor.announcement["access_token"],
            base_url=vendor.announcement["base_url"],
            httpx_client=transport,
        )


def _as_requests(response: httpx.Response) -> requests.Response:
    """Return an exchange of the vendor's client in the form that the checks of the document take."""
    request = response.request
    converted = requests.Response()
    converted.status_code = response.status_code
    converted._content = response.content
    converted.headers.update(dict(response.headers))
    sent = requests.Request(request.method, str(request.url), dict(request.headers), data=request.content)
    converted.request = sent.prepare()
    return converted


class Seller:
    """The calls of a seller, by the vendor's client."""

    def __init__(self, client: Square, location_id: str) -> None:
        self.client = client
        self.location_id = location_id
        self._keys = iter(range(1000))

    def create(self, key: str | None = None, **fields: Any) -> Any:
        card = {"type": "DIGITAL", **fields}
        key = key or f"create-{next(self._keys)}"
        reply = self.client.gift_cards.create(idempotency_key=key, location_id=self.location_id, gift_card=card)
        return reply.gift_card

    def act(self, kind: str, card: Any, key: str | None = None, **details: Any) -> Any:
        activity = {
            "type": kind,
            "location_id": self.location_id,
            "gift_card_id": card.id,
            f"{kind.lower()}_activity_details": details,
        }
        key = key or f"act-{next(self._keys)}"
        reply = self.client.gift_cards.activities.create(idempotency_key=key, gift_card_activity=activity)
        return reply.gift_card_activity

    def sell(self, amount: int = 5000, **fields: Any) -> Any:
        card = self.create(**fields)
        value = {"amount": amount, "currency": "EUR"}
        self.act("ACTIVATE", card, amount_money=value, reference_id="sale", buyer_payment_instrument_ids=["cash"])
        return self.card(card)

    def card(self, card: Any) -> Any:
        return self.client.gift_cards.get(id=card.id).gift_card


@pytest.fixture
def seller(client: Square, vendor: RunningSimulator) -> Seller:
    return Seller(client, vendor.announcement["location_id"])


def test_the_client_speaks_the_version_that_the_adapter_speaks(seller: Seller, vendor: RunningSimulator) -> None:
    seller.create()
    assert dict(vendor.requests[-1].headers)["Square-Version"] == VERSION


def test_a_card_is_created_activated_and_read_by_id_code_and_payment_token(
    seller: Seller, vendor: RunningSimulator
) -> None:
    card = seller.sell(gan_source="OTHER", gan="SDKCODE123")
    assert (card.state, card.balance_money.amount, card.gan) == ("ACTIVE", 5000, "SDKCODE123")
    cards = seller.client.gift_cards
    simulator = vendor.simulator
    assert isinstance(simulator, SquareSimulator)
    assert cards.get_from_gan(gan="SDKCODE123").gift_card == card
    assert cards.get_from_nonce(nonce=simulator.till.make_nonce("SDKCODE123")).gift_card == card


def test_every_activity_that_a_client_can_create_is_read_back(seller: Seller) -> None:
    card = seller.sell()
    redeemed = seller.act("REDEEM", card, amount_money=EUR, reference_id="order-1")
    seller.act("REFUND", card, amount_money={**EUR, "amount": 400}, redeem_activity_id=redeemed.id)
    seller.act("LOAD", card, amount_money=EUR, buyer_payment_instrument_ids=["cash"])
    seller.act("UNLINKED_ACTIVITY_REFUND", card, amount_money=EUR)
    seller.act("ADJUST_INCREMENT", card, amount_money=EUR, reason="COMPLIMENTARY")
    seller.act("ADJUST_DECREMENT", card, amount_money=EUR, reason="SUPPORT_ISSUE")
    seller.act("CLEAR_BALANCE", card, reason="REUSE_GIFTCARD")
    seller.act("DEACTIVATE", card, reason="SUSPICIOUS_ACTIVITY")
    activities = list(seller.client.gift_cards.activities.list(gift_card_id=card.id, sort_order="ASC"))
    assert [activity.type for activity in activities] == [
        "ACTIVATE",
        "REDEEM",
        "REFUND",
        "LOAD",
        "UNLINKED_ACTIVITY_REFUND",
        "ADJUST_INCREMENT",
        "ADJUST_DECREMENT",
        "CLEAR_BALANCE",
        "DEACTIVATE",
    ]
    balances = [activity.gift_card_balance_money.amount for activity in activities if activity.gift_card_balance_money]
    assert balances == [5000, 4000, 4400, 5400, 6400, 7400, 6400, 0, 0]
    assert activities[1].redeem_activity_details is not None
    assert activities[1].redeem_activity_details.status == "COMPLETED"
    assert seller.card(card).state == "DEACTIVATED"


def test_the_client_follows_the_cursors_of_both_lists_to_the_end(seller: Seller, vendor: RunningSimulator) -> None:
    ids = {entry["id"] for entry in vendor.ledger()}
    assert {card.id for card in seller.client.gift_cards.list(limit=7)} == ids
    listed = [card.id for card in seller.client.gift_cards.list(state="BLOCKED", limit=2)]
    assert set(listed) == {entry["id"] for entry in vendor.ledger() if entry["status"] == "blocked"}
    everything = list(seller.client.gift_cards.activities.list(begin_time="2000-01-01T00:00:00Z", limit=50))
    movements: list[Any] = [entry["movements"] for entry in vendor.ledger()]
    assert len({activity.id for activity in everything}) == len(everything) == sum(map(len, movements))


def test_the_client_reads_an_empty_list(seller: Seller) -> None:
    assert list(seller.client.gift_cards.list(customer_id="nobody")) == []
    assert list(seller.client.gift_cards.activities.list(gift_card_id="gftc:0")) == []


def test_a_customer_is_linked_and_unlinked(seller: Seller) -> None:
    card = seller.sell()
    linked = seller.client.gift_cards.link_customer(gift_card_id=card.id, customer_id="C1").gift_card
    assert linked is not None
    assert linked.customer_ids == ["C1"]
    assert [found.id for found in seller.client.gift_cards.list(customer_id="C1")] == [card.id]
    unlinked = seller.client.gift_cards.unlink_customer(gift_card_id=card.id, customer_id="C1").gift_card
    assert unlinked is not None
    assert unlinked.customer_ids is None


def test_the_client_reads_the_vendors_refusals(seller: Seller) -> None:
    card = seller.sell(500)
    with pytest.raises(ApiError) as refused:
        seller.act("REDEEM", card, amount_money=EUR)
    (error,) = refused.value.errors
    assert (refused.value.status_code, error.category, error.code) == (
        400,
        "PAYMENT_METHOD_ERROR",
        "INSUFFICIENT_FUNDS",
    )
    with pytest.raises(ApiError) as missing:
        seller.client.gift_cards.get(id="gftc:0")
    assert (missing.value.status_code, missing.value.errors[0].code) == (404, "NOT_FOUND")


def test_a_repeat_under_a_key_is_the_same_activity_and_another_body_is_refused(seller: Seller) -> None:
    card = seller.sell()
    first = seller.act("REDEEM", card, key="k", amount_money=EUR)
    assert seller.act("REDEEM", card, key="k", amount_money=EUR) == first
    with pytest.raises(ApiError) as refused:
        seller.act("REDEEM", card, key="k", amount_money={**EUR, "amount": 1})
    assert refused.value.errors[0].code == "IDEMPOTENCY_KEY_REUSED"
    assert seller.card(card).balance_money.amount == 4000


def test_the_client_repeats_under_the_same_key_after_an_error_and_value_moves_once(
    seller: Seller, vendor: RunningSimulator
) -> None:
    card = seller.sell()
    vendor.inject("error-after-commit", "POST /v2/gift-cards/activities", status=503)
    redeemed = seller.act("REDEEM", card, key="k", amount_money=EUR)
    keys = [request.status for request in vendor.requests if b'"k"' in request.body]
    assert keys == [503, 200]
    assert redeemed.gift_card_balance_money.amount == 4000
    assert seller.card(card).balance_money.amount == 4000
