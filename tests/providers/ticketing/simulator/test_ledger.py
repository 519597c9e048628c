"""The simulated vendor's books: seeding, keeping them between runs, and what faults do to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from voucher_gateway_ticketing.simulator.ledger import ORIGINS

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_same_seed_and_start_make_the_same_vouchers(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    def vouchers(seed: int) -> object:
        return start_ticketing(vouchers=50, seed=seed, start=START).listed(top=50)

    assert vouchers(1) == vouchers(1)
    assert vouchers(1) != vouchers(2)


def test_seeded_vouchers_are_varied_and_legal(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(vouchers=300, seed=5)
    docs = client.listed(top=1000)["docs"]
    codes = [voucher["code"] for voucher in docs]
    assert {voucher["origin"] for voucher in docs} == set(ORIGINS)
    assert {"transactionId", "productId", "refundId", "customerId", "validUntil"} <= {k for v in docs for k in v}
    assert len(set(codes)) == 300
    assert all(len(code) >= 4 and ";" not in code for code in codes)
    assert all(any(mark in code for code in codes) for mark in ["/", "%2e", "?", " ", "#", "🎟", "ü", ".."])
    assert any(voucher["balance"] == 0 for voucher in docs)
    assert any(0 < voucher["balance"] < voucher["amount"] for voucher in docs)
    assert all(0 <= voucher["balance"] <= voucher["amount"] for voucher in docs)
    assert any(voucher.get("validUntil", "9") < "2026" for voucher in docs)


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_seeded_vouchers_are_priced_in_the_sellers_currency(
    start_ticketing: Callable[..., VendorClient], currency: str
) -> None:
    ledger = start_ticketing(vouchers=40, seed=5, seller_currency=currency).running.ledger()
    places = {str(entry["initial"]).partition(".")[2] for entry in ledger}
    assert {entry["currency"] for entry in ledger} == {currency}
    assert {len(decimals) for decimals in places} == {0 if currency == "JPY" else 3}


def test_a_state_file_brings_back_the_books_and_the_login(
    start_ticketing: Callable[..., VendorClient], tmp_path: Path
) -> None:
    state = tmp_path / "ticketing.json"
    first = start_ticketing(vouchers=60, state=state)
    first.create(25, code="spend me", validUntil="2040-01-01T00:00:00Z")
    first.simulator.redeem_at_checkout("spend me", "5.01")
    first.running.close()
    second = start_ticketing(state=state)
    assert second.running.ledger() == first.running.ledger()
    for name in ("api_key", "seller_id"):
        assert second.running.announcement[name] == first.running.announcement[name]


def test_a_state_file_of_a_seller_with_another_currency_is_refused(
    start_ticketing: Callable[..., VendorClient], tmp_path: Path
) -> None:
    state = tmp_path / "ticketing.json"
    start_ticketing(state=state).running.close()
    with pytest.raises(ValueError, match="EUR, not in JPY"):
        start_ticketing(state=state, seller_currency="JPY")


@pytest.mark.parametrize("name", ["expire-token", "replace-reservation"])
def test_faults_without_meaning_for_this_vendor_are_refused(ticketing: VendorClient, name: str) -> None:
    with pytest.raises(ValueError, match="no meaning"):
        ticketing.running.inject(name)


@pytest.mark.parametrize(("method", "status"), [("POST", 201), ("PUT", 200)])
def test_a_wrong_echo_shows_another_amount_than_the_books(ticketing: VendorClient, method: str, status: int) -> None:
    path = "/api/vouchers" if method == "POST" else f"/api/vouchers/{ticketing.create(1)['_id']}"
    ticketing.running.inject("wrong-echo", f"{method} *")
    answer = ticketing.call(method, path, json={"amount": 10.5})
    assert (answer.status_code, answer.json()["amount"]) == (status, 10.51)
    assert [entry["initial"] for entry in ticketing.running.ledger()] == ["10.50"]


@pytest.mark.parametrize(("fault", "made"), [("drop-before", 0), ("commit-then-drop", 1)])
def test_a_dropped_creation_happened_or_not_as_the_fault_says(ticketing: VendorClient, fault: str, made: int) -> None:
    ticketing.running.inject(fault, "POST /api/vouchers")
    with pytest.raises(requests.ConnectionError):
        ticketing.call("POST", "/api/vouchers", json={"amount": 10})
    assert len(ticketing.running.ledger()) == made


def test_a_fault_with_an_unknown_status_is_still_the_vendors_error(ticketing: VendorClient) -> None:
    ticketing.running.inject("error-before", status=520)
    answer = ticketing.call("GET", "/api/vouchers")
    assert (answer.status_code, answer.json()["statusCode"]) == (520, "520")


def test_lagging_look_ups_do_not_know_the_latest_voucher_but_reading_by_id_does(
    ticketing: VendorClient,
) -> None:
    ticketing.running.inject("lagging-lookups", times=0, lag_s=60)
    voucher = ticketing.create(10, code="fresh")
    seller = ticketing.running.announcement["seller_id"]
    assert ticketing.listed()["total"] == ticketing.listed(code="fresh")["total"] == 0
    assert ticketing.call("GET", f"/api/coupon/fresh/info?sellerId={seller}", key=None).status_code == 404
    assert ticketing.call("GET", f"/api/vouchers/{voucher['_id']}").status_code == 200
    ticketing.running.clock.advance(61)
    assert ticketing.listed(code="fresh")["total"] == 1


@pytest.mark.parametrize(("order", "shifts"), [("oldest-first", False), ("newest-first", True)])
def test_a_voucher_inserted_while_paging_shifts_a_list_that_runs_newest_first(
    start_ticketing: Callable[..., VendorClient], order: str, shifts: bool
) -> None:
    client = start_ticketing(vouchers=4, list_order=order)
    client.running.inject("insert-while-paging", "GET /api/vouchers")
    first, second = client.listed(top=2), client.listed(top=2, skip=2)
    assert (first["docs"][-1]["code"] == second["docs"][0]["code"]) is shifts
    assert (first["total"], second["total"]) == (4, 5)
