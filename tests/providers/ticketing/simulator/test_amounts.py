"""Amounts at the simulated vendor: exact digits out, only what the seller's currency can express in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.simulator import NotAnAmount
from voucher_gateway_ticketing.simulator.scalars import MAX_MINOR_UNITS, SellerCurrency

if TYPE_CHECKING:
    import requests

    from tests.providers.ticketing.conftest import VendorClient

CURRENCIES = {code: SellerCurrency.of(code) for code in ("EUR", "JPY", "KWD")}


def post_amount(client: VendorClient, digits: str) -> requests.Response:
    """Creates a voucher whose amount is written with exactly these characters."""
    body = '{"amount":' + digits + "}"
    return client.call("POST", "/api/vouchers", data=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("10.5", "10.5"),
        ("10", "10"),
        ("1E+1", "10"),
        ("0.1", "0.1"),
        ("10.50", "10.5"),
        ("-0", "0"),
        ("0e99", "0"),
        ("90071992547409.92", "90071992547409.92"),
    ],
)
def test_an_amount_is_shown_with_its_own_digits(shared_ticketing: VendorClient, sent: str, shown: str) -> None:
    assert f'"amount":{shown},' in post_amount(shared_ticketing, sent).text


@pytest.mark.parametrize(
    "digits",
    [
        *("-0.01", "0.001", "1e-3", "29.999999999999999", "90071992547409.93"),
        *("1e400", "-1e400", "1e999999999", "1e-999999999", "9" * 5000),
        *('"10.50"', "true", "null", "[10]", "{}"),
        *("NaN", "Infinity", "0x10", "1_000", "010", ".5"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_refused_and_nothing_is_made(
    shared_ticketing: VendorClient, digits: str
) -> None:
    before = shared_ticketing.running.ledger()
    answer = post_amount(shared_ticketing, digits)
    assert answer.status_code == 400
    assert answer.json()["statusCode"] == "400"
    assert shared_ticketing.running.ledger() == before


@pytest.mark.parametrize(
    ("currency", "finest", "too_fine", "true_value"),
    [("EUR", "0.01", "0.015", "0.01"), ("JPY", "1", "0.5", "1"), ("KWD", "0.001", "0.0005", "0.001")],
)
def test_the_sellers_currency_decides_how_fine_an_amount_may_be(
    start_ticketing: Callable[..., VendorClient], currency: str, finest: str, too_fine: str, true_value: str
) -> None:
    client = start_ticketing(seller_currency=currency)
    assert post_amount(client, too_fine).status_code == 400
    assert f'"amount":{finest},' in post_amount(client, finest).text
    assert [entry["initial"] for entry in client.running.ledger()] == [true_value]


def test_the_currency_is_found_by_way_of_the_key(start_ticketing: Callable[..., VendorClient]) -> None:
    client = start_ticketing(seller_currency="KWD")
    key = client.call("GET", "/api/keys/info").json()
    assert key["key"] == client.running.announcement["api_key"]
    seller = client.call("GET", f"/api/sellers/info/{key['sellerId']}", key=None).json()
    assert seller["currency"] == client.running.announcement["currency"] == "KWD"


# The third is ISO 4217's own code for "no currency".
@pytest.mark.parametrize("code", ["EURO", "eur", "XXX", ""])
def test_a_seller_needs_a_currency_with_minor_units(start_ticketing: Callable[..., VendorClient], code: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whose message it is depends on the code
        start_ticketing(seller_currency=code)


def test_a_careless_vendor_shows_float_noise_while_the_books_stay_exact(
    start_ticketing: Callable[..., VendorClient],
) -> None:
    client = start_ticketing(float_noise=True)
    client.create(32.8, code="noisy")
    client.simulator.redeem_at_checkout("noisy", "2.80")
    assert '"balance":29.999999999999996}' in client.call("GET", "/api/vouchers?code=noisy").text
    assert [entry["remaining"] for entry in client.running.ledger()] == ["30.00"]


def test_a_careful_vendor_shows_the_exact_balance(ticketing: VendorClient) -> None:
    ticketing.create(32.8, code="exact")
    ticketing.simulator.redeem_at_checkout("exact", "2.80")
    assert '"balance":30}' in ticketing.call("GET", "/api/vouchers?code=exact").text


@given(st.sampled_from(list(CURRENCIES.values())), st.integers(0, MAX_MINOR_UNITS))
def test_minor_units_survive_the_way_out_and_back(currency: SellerCurrency, minor: int) -> None:
    for text in (currency.plain(minor), currency.decimal_text(minor)):
        assert "E" not in text
        assert currency.minor_units(Decimal(text)) == minor


@given(st.sampled_from(list(CURRENCIES.values())), st.decimals(allow_nan=False, allow_infinity=False))
def test_an_amount_is_taken_exactly_or_not_at_all(currency: SellerCurrency, amount: Decimal) -> None:
    try:
        minor = currency.minor_units(amount)
    except NotAnAmount:
        return
    assert Decimal(minor).scaleb(-currency.places) == amount
