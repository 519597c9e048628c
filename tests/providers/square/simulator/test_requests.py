"""How the simulated Square reads requests: tokens, versions, idempotency keys, lists, and its ledger between runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.square import code_of

if TYPE_CHECKING:
    from tests.support.square import VendorClient

START = datetime(2030, 1, 1, tzinfo=UTC)
EUR = {"amount": 1000, "currency": "EUR"}


# --- tokens and versions ---


def test_a_request_needs_a_token(square: VendorClient) -> None:
    for token in (None, "EAAA-wrong"):
        refused = square.call("GET", "/v2/gift-cards", token=token)
        assert (refused.status_code, code_of(refused)) == (401, "UNAUTHORIZED")


def test_a_token_that_only_reads_cannot_write(square: VendorClient) -> None:
    token = square.running.announcement["read_only_token"]
    assert square.call("GET", "/v2/gift-cards", token=token).status_code == 200
    refused = square.call("POST", "/v2/gift-cards", token=token, json={})
    assert (refused.status_code, code_of(refused)) == (403, "INSUFFICIENT_SCOPES")


def test_the_version_is_a_date_and_may_be_missing(square: VendorClient) -> None:
    assert square.call("GET", "/v2/gift-cards", headers={"Square-Version": "2026-09-16"}).status_code == 200
    refused = square.call("GET", "/v2/gift-cards", headers={"Square-Version": "latest"})
    assert code_of(refused) == "INVALID_SQUARE_VERSION_FORMAT"


# --- idempotency keys ---


def test_a_key_repeats_the_first_answer_and_nothing_happens_twice(square: VendorClient) -> None:
    card = square.sell(5000)
    first = square.act("REDEEM", card, key="k", amount_money=EUR)
    again = square.act("REDEEM", card, key="k", amount_money=EUR)
    assert again.json() == first.json()
    assert square.card(card)["balance_money"]["amount"] == 4000


def test_a_key_with_another_body_is_refused(square: VendorClient) -> None:
    card = square.sell(5000)
    square.act("REDEEM", card, key="k", amount_money=EUR)
    refused = square.act("REDEEM", card, key="k", amount_money={**EUR, "amount": 1001})
    assert (refused.status_code, code_of(refused)) == (400, "IDEMPOTENCY_KEY_REUSED")


def test_a_key_is_another_one_at_another_path(square: VendorClient) -> None:
    card = square.create(key="same").json()["gift_card"]
    answer = square.act("ACTIVATE", card, key="same", amount_money=EUR, buyer_payment_instrument_ids=["cash"])
    assert answer.status_code == 200


def test_a_key_is_forgotten_after_its_lifetime(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(key_lifetime_s=60)
    card = client.sell(5000)
    client.act("REDEEM", card, key="k", amount_money=EUR)
    client.running.clock.advance(61)
    client.act("REDEEM", card, key="k", amount_money=EUR)
    assert client.card(card)["balance_money"]["amount"] == 3000


@pytest.mark.parametrize(("keeps", "status"), [(True, 400), (False, 200)])
def test_whether_a_refusal_is_repeated_under_its_key_is_an_option(
    start_square: Callable[..., VendorClient], keeps: bool, status: int
) -> None:
    client = start_square(keeps_refusals=keeps)
    card = client.sell(500)
    assert code_of(client.act("REDEEM", card, key="k", amount_money=EUR)) == "INSUFFICIENT_FUNDS"
    client.act("LOAD", card, amount_money=EUR, buyer_payment_instrument_ids=["cash"])
    assert client.act("REDEEM", card, key="k", amount_money=EUR).status_code == status


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "MISSING_REQUIRED_PARAMETER"), ("", "VALUE_EMPTY"), (7, "EXPECTED_STRING"), ("k" * 129, "VALUE_TOO_LONG")],
)
def test_a_key_has_1_to_128_characters(square: VendorClient, key: object, code: str) -> None:
    body = {"idempotency_key": key, "location_id": square.location, "gift_card": {"type": "DIGITAL"}}
    assert code_of(square.call("POST", "/v2/gift-cards", json=body)) == code


# --- lists ---


def pages(client: VendorClient, path: str, name: str, **query: Any) -> list[list[dict[str, Any]]]:
    """Return the entries of each page."""
    entries: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        body = client.get(path, **query, **cursor)
        entries.append(body[name])
        if "cursor" not in body:
            return entries
        cursor = {"cursor": body["cursor"]}


def test_cards_come_oldest_first_in_pages_of_30_and_at_most_200(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(vouchers=70, seed=2)
    cards = pages(client, "/v2/gift-cards", "gift_cards")
    assert [len(page) for page in cards] == [30, 30, 10]
    times = [card["created_at"] for page in cards for card in page]
    assert times == sorted(times)
    assert code_of(client.call("GET", "/v2/gift-cards?limit=201")) == "VALUE_TOO_HIGH"
    assert code_of(client.call("GET", "/v2/gift-cards?limit=0")) == "VALUE_TOO_LOW"
    assert code_of(client.call("GET", "/v2/gift-cards?limit=many")) == "EXPECTED_INTEGER"


def test_the_last_page_has_no_cursor_and_an_empty_list_is_an_empty_object(square: VendorClient) -> None:
    assert square.get("/v2/gift-cards") == {}
    assert square.get("/v2/gift-cards/activities") == {}
    square.create()
    assert set(square.get("/v2/gift-cards", limit=1)) == {"gift_cards"}


@pytest.mark.parametrize("state", ["ACTIVE", "PENDING", "BLOCKED", "DEACTIVATED"])
def test_cards_are_listed_by_state(start_square: Callable[..., VendorClient], state: str) -> None:
    client = start_square(vouchers=60, seed=2)
    listed = [card for page in pages(client, "/v2/gift-cards", "gift_cards", state=state, limit=7) for card in page]
    expected = [entry["id"] for entry in client.running.ledger() if entry["status"] == state.lower()]
    assert sorted(card["id"] for card in listed) == sorted(str(id) for id in expected)


def test_a_cursor_belongs_to_its_filters(start_square: Callable[..., VendorClient]) -> None:
    client = start_square(vouchers=60, seed=2)
    cursor = client.get("/v2/gift-cards", state="ACTIVE", limit=5)["cursor"]
    assert client.get("/v2/gift-cards", state="ACTIVE", limit=9, cursor=cursor)["gift_cards"]
    for path, query in (("/v2/gift-cards", {}), ("/v2/gift-cards/activities", {"type": "REDEEM"})):
        assert code_of(client.call("GET", path, params={**query, "cursor": cursor})) == "INVALID_CURSOR"
    assert code_of(client.call("GET", "/v2/gift-cards", params={"cursor": "made up"})) == "INVALID_CURSOR"


def test_activities_are_those_of_one_year_unless_the_request_begins_earlier(
    start_square: Callable[..., VendorClient],
) -> None:
    client = start_square(history=130, seed=4)
    (card_id,) = [str(entry["id"]) for entry in client.running.ledger()]
    path, name = "/v2/gift-cards/activities", "gift_card_activities"
    default = [entry for page in pages(client, path, name, gift_card_id=card_id) for entry in page]
    everything = pages(client, path, name, gift_card_id=card_id, begin_time="2000-01-01T00:00:00Z")
    assert [len(page) for page in everything] == [50, 50, 31]
    assert 0 < len(default) < 131
    assert "ACTIVATE" not in {entry["type"] for entry in default}
    times = [entry["created_at"] for page in everything for entry in page]
    assert times == sorted(times, reverse=True)
    oldest = client.get(path, begin_time="2000-01-01T00:00:00Z", sort_order="ASC", limit=1)[name]
    assert [entry["type"] for entry in oldest] == ["ACTIVATE"]


def test_both_ends_of_the_window_belong_to_it(square: VendorClient) -> None:
    card = square.sell()
    (activity,) = square.get("/v2/gift-cards/activities", gift_card_id=card["id"])["gift_card_activities"]
    at = activity["created_at"]
    assert square.get("/v2/gift-cards/activities", begin_time=at, end_time=at)["gift_card_activities"] == [activity]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"begin_time": "yesterday"}, "INVALID_TIME"),
        ({"begin_time": "2030-01-01T00:00:00"}, "INVALID_TIME"),
        ({"begin_time": "2030-01-02T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}, "INVALID_TIME_RANGE"),
        ({"sort_order": "UP"}, "INVALID_ENUM_VALUE"),
        ({"type": "GIVE"}, "INVALID_ENUM_VALUE"),
        ({"limit": "101"}, "VALUE_TOO_HIGH"),
    ],
)
def test_a_wrong_filter_of_activities_is_refused(square: VendorClient, query: dict[str, str], code: str) -> None:
    assert code_of(square.call("GET", "/v2/gift-cards/activities", params=query)) == code


# --- the ledger ---


def test_the_same_seed_and_start_make_the_same_cards(start_square: Callable[..., VendorClient]) -> None:
    def ledger(seed: int) -> object:
        return start_square(vouchers=40, seed=seed, start=START).running.ledger()

    assert ledger(1) == ledger(1)
    assert ledger(1) != ledger(2)


def test_seeded_cards_are_varied(start_square: Callable[..., VendorClient]) -> None:
    ledger = start_square(vouchers=120, seed=5).running.ledger()
    movements: list[Any] = [movement for entry in ledger for movement in entry["movements"]]
    assert {entry["status"] for entry in ledger} == {"pending", "active", "blocked", "deactivated"}
    assert {entry["currency"] for entry in ledger} == {"EUR", "CHF", "JPY", "KWD"}
    assert {movement["state"] for movement in movements} == {"pending", "completed", "cancelled"}
    assert len({entry["code"] for entry in ledger}) == 120


def test_a_state_file_brings_back_ledger_keys_and_tokens(
    start_square: Callable[..., VendorClient], tmp_path: Path
) -> None:
    state = tmp_path / "square.json"
    first = start_square(vouchers=40, seed=1, state=state)
    card = first.sell(5000)
    redeemed = first.act("REDEEM", card, key="k", amount_money=EUR)
    first.running.close()
    second = start_square(seed=1, state=state)
    assert second.running.ledger() == first.running.ledger()
    assert second.running.announcement["access_token"] == first.running.announcement["access_token"]
    assert second.act("REDEEM", card, key="k", amount_money=EUR).json() == redeemed.json()
    assert second.create().status_code == 200


def test_a_state_file_of_a_seller_with_another_currency_is_refused(
    start_square: Callable[..., VendorClient], tmp_path: Path
) -> None:
    state = tmp_path / "square.json"
    start_square(state=state).running.close()
    with pytest.raises(ValueError, match="EUR, not in JPY"):
        start_square(state=state, seller_currency="JPY")


def test_a_wrong_echo_shows_other_amounts_than_the_ledger(square: VendorClient) -> None:
    card = square.sell(5000)
    square.running.inject("wrong-echo", "POST *")
    activity = square.act("REDEEM", card, amount_money=EUR).json()["gift_card_activity"]
    assert activity["redeem_activity_details"]["amount_money"]["amount"] == 1001
    assert square.card(card)["balance_money"]["amount"] == 4000


@pytest.mark.parametrize(
    ("fault", "status", "left"),
    [
        ("temporary-error", 400, 5000),
        ("late-temporary-error", 400, 4000),
        ("conflict", 409, 5000),
        ("late-server-error", 500, 4000),
        ("rate-limited", 429, 5000),
    ],
)
def test_the_vendors_own_errors_happen_on_request(square: VendorClient, fault: str, status: int, left: int) -> None:
    card = square.sell(5000)
    square.running.inject(fault, "POST /v2/gift-cards/activities")
    assert square.act("REDEEM", card, amount_money=EUR).status_code == status
    assert square.card(card)["balance_money"]["amount"] == left


@pytest.mark.parametrize("fault", ["expire-token", "replace-reservation"])
def test_faults_without_meaning_are_refused(square: VendorClient, fault: str) -> None:
    with pytest.raises(ValueError, match="no meaning"):
        square.running.inject(fault)


def test_the_vendor_may_keep_another_reference_than_it_was_sent(square: VendorClient) -> None:
    card = square.sell(5000)
    square.running.inject("rewrite-reference", "POST /v2/gift-cards/activities", how="upper")
    activity = square.act("REDEEM", card, amount_money=EUR, reference_id="order-1").json()["gift_card_activity"]
    assert activity["redeem_activity_details"]["reference_id"] == "ORDER-1"


def test_a_dropped_answer_is_repeated_under_the_key(square: VendorClient) -> None:
    card = square.sell(5000)
    square.running.inject("commit-then-drop", "POST /v2/gift-cards/activities")
    with pytest.raises(requests.ConnectionError):
        square.act("REDEEM", card, key="k", amount_money=EUR)
    assert square.act("REDEEM", card, key="k", amount_money=EUR).status_code == 200
    assert square.card(card)["balance_money"]["amount"] == 4000
