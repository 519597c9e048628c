"""The rules of the simulated vendor: making, changing, finding and spending vouchers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from voucher_gateway_ticketing.simulator import CheckoutRefused

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient

ODD_CODES = ["a/b/c", "%2e%2e", "....", "x?y#z", " two ", "äöü€", "🎟🎁🎉🎈", "a&b=c", "nul\x00l", "rich"]
EXPIRY = "2030-01-23T23:00:00.123Z"


def test_a_new_voucher_has_a_random_code_its_whole_balance_and_no_empty_fields(
    ticketing: VendorClient,
) -> None:
    voucher = ticketing.create(10.5)
    assert set(voucher) == {"_id", "code", "amount", "sellerId", "origin", "createdAt", "updatedAt"}
    assert len(voucher["code"]) == 8
    assert voucher["origin"] == "default"
    assert ticketing.listed() == {"docs": [{**voucher, "balance": 10.5}], "total": 1}


@pytest.mark.parametrize("code", ODD_CODES)
def test_a_chosen_code_is_kept_and_found_whatever_its_characters(shared_ticketing: VendorClient, code: str) -> None:
    voucher = shared_ticketing.create(5, code=code)
    shared_ticketing.create(6, code=code + "~")
    assert [found["_id"] for found in shared_ticketing.listed(code=code)["docs"]] == [voucher["_id"]]
    in_path = quote(code, safe="")
    info = shared_ticketing.call("GET", f"/api/vouchers/{voucher['_id']}/{in_path}/info", key=None)
    assert info.json()["voucher"] == voucher
    seller = shared_ticketing.running.announcement["seller_id"]
    look_up = shared_ticketing.call("GET", f"/api/coupon/{in_path}/info", params={"sellerId": seller}, key=None)
    assert look_up.json()["voucher"] == {"_id": voucher["_id"], "code": code, "balance": 5}


@pytest.mark.parametrize("code", ["abc", "", "with;semicolon", 12345, True, ["code"], "\ud800abc"])
def test_a_code_the_vendor_forbids_is_refused(shared_ticketing: VendorClient, code: object) -> None:
    assert shared_ticketing.call("POST", "/api/vouchers", json={"amount": 1, "code": code}).status_code == 400


def test_a_code_cannot_be_used_twice_unless_the_vendor_allows_it(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    strict, lax = start_ticketing(), start_ticketing(allow_duplicate_codes=True)
    for client, status in ((strict, 400), (lax, 201)):
        client.create(5, code="twice")
        again = client.call("POST", "/api/vouchers", json={"amount": 5, "code": "twice"})
        assert again.status_code == status
    assert lax.listed(code="twice")["total"] == 2


def test_the_words_of_undocumented_refusals_differ_from_start_to_start(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    messages = set()
    for _ in range(2):
        client = start_ticketing(seed=1)
        voucher = client.create(5, code="code")
        client.simulator.redeem_at_checkout("code", "3")
        taken = client.call("POST", "/api/vouchers", json={"amount": 5, "code": "code"})
        below = client.call("PUT", f"/api/vouchers/{voucher['_id']}", json={"amount": 2})
        messages |= {taken.json()["message"], below.json()["message"]}
    assert len(messages) == 4


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (EXPIRY, EXPIRY),
        ("2030-01-23T23:00:00Z", "2030-01-23T23:00:00.000Z"),
        ("2030-01-24T01:00:00.123999+02:00", EXPIRY),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_an_expiry_is_shown_in_utc_with_milliseconds(shared_ticketing: VendorClient, sent: str, shown: str) -> None:
    assert shared_ticketing.create(1, validUntil=sent)["validUntil"] == shown


@pytest.mark.parametrize(
    "valid_until",
    [
        *("2030-01-23T23:00:00", "2030-01-23", "2030-02-30T00:00:00Z", "2030-01-01T00:00:60Z"),
        *("2030-01-01T00:00:00+01:60", "9999-12-31T23:59:59-01:00", "２０３０-01-01T00:00:00Z"),
        *("soon", "", 1893456000, True, [EXPIRY]),
    ],
)
def test_an_expiry_that_is_no_instant_is_refused(shared_ticketing: VendorClient, valid_until: object) -> None:
    body = {"amount": 1, "validUntil": valid_until}
    assert shared_ticketing.call("POST", "/api/vouchers", json=body).status_code == 400
    voucher = shared_ticketing.create(1)
    assert shared_ticketing.call("PUT", f"/api/vouchers/{voucher['_id']}", json=body).status_code == 400


@pytest.mark.parametrize("body", [{"amount": 12}, {"amount": 12, "validUntil": None}])
def test_an_update_without_an_expiry_removes_it(ticketing: VendorClient, body: dict[str, object]) -> None:
    voucher = ticketing.create(10, validUntil=EXPIRY)
    updated = ticketing.call("PUT", f"/api/vouchers/{voucher['_id']}", json=body).json()
    assert "validUntil" not in updated
    assert updated["amount"] == 12
    assert "balance" not in updated


def test_an_update_needs_the_amount(ticketing: VendorClient) -> None:
    voucher = ticketing.create(10)
    path = f"/api/vouchers/{voucher['_id']}"
    assert ticketing.call("PUT", path, json={"validUntil": EXPIRY}).status_code == 400
    assert ticketing.call("GET", path).json() == voucher


def test_an_update_moves_the_balance_and_stops_at_what_was_redeemed(ticketing: VendorClient) -> None:
    voucher = ticketing.create(50, code="code")
    path = f"/api/vouchers/{voucher['_id']}"
    ticketing.simulator.redeem_at_checkout("code", "20.01")
    for amount, status, balance in ((60, 200, 39.99), (20, 400, 39.99), (20.01, 200, 0)):
        assert ticketing.call("PUT", path, json={"amount": amount}).status_code == status
        assert [found["balance"] for found in ticketing.listed()["docs"]] == [balance]


def test_a_change_is_dated_by_the_virtual_clock(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(start=datetime(2030, 1, 1, tzinfo=UTC))
    voucher = client.create(10)
    client.running.clock.advance(3600)
    updated = client.call("PUT", f"/api/vouchers/{voucher['_id']}", json={"amount": 11}).json()
    assert voucher["createdAt"].startswith("2030-01-01T00:00")
    assert updated["createdAt"] == voucher["createdAt"]
    assert updated["updatedAt"].startswith("2030-01-01T01:00")


def test_each_checkout_elsewhere_takes_value_and_leaves_a_transaction(ticketing: VendorClient) -> None:
    voucher = ticketing.create(50, code="code")
    made = [(ticketing.simulator.redeem_at_checkout("code", amount), amount) for amount in ("19.99", "0.02")]
    history = ticketing.call("GET", f"/api/vouchers/{voucher['_id']}/transactions").json()
    assert [(entry["transactionId"], str(entry["amount"])) for entry in history] == made
    assert ticketing.listed()["docs"][0]["balance"] == 29.99
    entry = ticketing.running.ledger()[0]
    assert (entry["initial"], entry["remaining"], entry["reserved"]) == ("50.00", "29.99", "0.00")
    assert entry["movements"] == [
        {"id": transaction, "kind": "redemption", "amount": amount, "reference": None, "at": shown["createdAt"]}
        for (transaction, amount), shown in zip(made, history, strict=True)
    ]


@pytest.mark.parametrize(("code", "amount"), [("code", "50.01"), ("code", "0"), ("other", "1"), ("expired", "1")])
def test_a_checkout_takes_no_more_than_there_is(ticketing: VendorClient, code: str, amount: str) -> None:
    ticketing.create(50, code="code")
    ticketing.create(50, code="expired", validUntil="2020-01-01T00:00:00Z")
    with pytest.raises(CheckoutRefused):
        ticketing.simulator.redeem_at_checkout(code, amount)
    assert {entry["remaining"] for entry in ticketing.running.ledger()} == {"50.00"}


def test_redemptions_can_be_shown_with_a_minus(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(negative_redemptions=True)
    voucher = client.create(50, code="code")
    client.simulator.redeem_at_checkout("code", "0.10")
    assert '"amount":-0.1,' in client.call("GET", f"/api/vouchers/{voucher['_id']}/transactions").text
    assert client.listed()["docs"][0]["balance"] == 49.9


def test_the_look_up_says_whether_a_code_can_be_used(ticketing: VendorClient) -> None:
    ticketing.create(5, code="good")
    ticketing.create(5, code="late", validUntil="2020-01-01T00:00:00Z")
    ticketing.create(0, code="spent")
    seller = ticketing.running.announcement["seller_id"]

    def message(code: str) -> str:
        answer = ticketing.call("GET", f"/api/coupon/{code}/info?sellerId={seller}", key=None)
        return str(answer.json()["message"])

    assert [message(code) for code in ("good", "late", "spent")] == ["valid", "expired", "invalid"]


def test_a_voucher_expires_when_the_virtual_clock_passes_its_last_moment(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    client = start_ticketing(start=datetime(2030, 1, 1, tzinfo=UTC))
    client.create(5, code="soon", validUntil="2030-01-02T00:00:00Z")
    path = f"/api/coupon/soon/info?sellerId={client.running.announcement['seller_id']}"
    client.running.clock.advance(86_000)
    assert client.call("GET", path, key=None).json()["message"] == "valid"
    client.running.clock.advance(400)
    assert client.call("GET", path, key=None).json()["message"] == "expired"


def test_the_look_up_needs_the_seller_whose_code_it_is(ticketing: VendorClient) -> None:
    ticketing.create(5, code="code")
    assert ticketing.call("GET", "/api/coupon/code/info", key=None).status_code == 400
    assert ticketing.call("GET", "/api/coupon/code/info?sellerId=other", key=None).status_code == 404


def test_an_unknown_code_can_be_answered_as_invalid(start_ticketing: Callable[..., VendorClient]) -> None:
    path = "/api/coupon/nobody/info?sellerId="
    plain, other = start_ticketing(), start_ticketing(unknown_code_is_invalid=True)
    seller = other.running.announcement["seller_id"]
    assert plain.call("GET", path + plain.running.announcement["seller_id"], key=None).status_code == 404
    assert other.call("GET", path + seller, key=None).json() == {"message": "invalid"}


def test_ids_can_be_hidden_everywhere_but_in_the_look_up(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(show_id=False)
    created = client.create(5, code="code")
    seller = client.running.announcement["seller_id"]
    look_up = client.call("GET", f"/api/coupon/code/info?sellerId={seller}", key=None).json()
    voucher_id = look_up["voucher"]["_id"]
    one = f"/api/vouchers/{voucher_id}"
    assert "_id" not in created
    assert "_id" not in client.listed()["docs"][0]
    assert "_id" not in client.call("GET", one).json()
    assert "_id" not in client.call("PUT", one, json={"amount": 6}).json()
    assert "_id" not in client.call("GET", f"{one}/code/info", key=None).json()["voucher"]
