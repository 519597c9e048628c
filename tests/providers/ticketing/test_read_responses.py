"""Answers to reads: what becomes of them, and what they must be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.provider_api import (
    Code,
    MalformedResponse,
    Money,
    MovementKind,
    Response,
    VoucherNotFound,
    encode,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider, wire

if TYPE_CHECKING:
    import responses

ID = "64d0a1b2c3d4e5f601234567"
AT = "2030-01-23T23:00:00.123Z"
INSTANT = datetime(2030, 1, 23, 23, 0, 0, 123_000, UTC)
# The example of the vendor's page has every field but an id; the paths need one.
DOCUMENTED: dict[str, Any] = {
    "code": "string",
    "amount": 10.5,
    "validUntil": AT,
    "sellerId": "seller",
    "transactionId": "transaction",
    "productId": "product",
    "refundId": "refund",
    "customerId": "customer",
    "origin": "default",
    "createdAt": AT,
    "updatedAt": AT,
}
VOUCHER = {"_id": ID, **DOCUMENTED}
MONEY = Money("10.50", "EUR")


def changed(**fields: Any) -> dict[str, Any]:
    """The vendor's voucher with other values; ... leaves a field out."""
    return {name: value for name, value in {**VOUCHER, **fields}.items() if value is not ...}


def test_a_voucher_is_read_field_by_field(vendor: responses.RequestsMock, lone_adapter: TicketingProvider) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", json=VOUCHER)
    voucher = lone_adapter.get(ID)
    assert (voucher.account, voucher.id, voucher.code) == ("events", ID, Code("string"))
    assert (voucher.initial, voucher.remaining) == (MONEY, None)
    assert (voucher.valid_until, voucher.created_at, voucher.updated_at) == (INSTANT, INSTANT, INSTANT)
    assert (voucher.status, voucher.medium, voucher.pin, voucher.order) == (None, None, None, None)
    assert (voucher.origin, voucher.login) == ("default", None)
    assert voucher.links == {
        "seller_id": "seller",
        "transaction_id": "transaction",
        "product_id": "product",
        "refund_id": "refund",
        "customer_id": "customer",
    }
    assert voucher.raw == {**VOUCHER, "amount": Decimal("10.5")}


def test_a_listed_voucher_tells_what_is_left(vendor: responses.RequestsMock, lone_adapter: TicketingProvider) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [{**VOUCHER, "balance": 3}], "total": 1})
    assert lone_adapter.find("string").remaining == Money("3.00", "EUR")
    balance = lone_adapter.balance("string")
    assert (balance.voucher_id, balance.remaining, balance.valid_until) == (ID, Money(3, "EUR"), INSTANT)


def test_a_list_that_does_not_tell_what_is_left_is_malformed_for_who_needs_it(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [VOUCHER], "total": 1})
    assert lone_adapter.find("string").remaining is None
    for call in (lone_adapter.balance, lone_adapter.read_value):
        with pytest.raises(MalformedResponse, match="did not send the balance"):
            call("string")


def test_only_what_the_documents_require_must_be_there(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    bare = {"code": "string", "amount": 0, "createdAt": AT, "updatedAt": AT}
    nulls = dict.fromkeys(DOCUMENTED.keys() - bare.keys())
    for answer in (bare, {**bare, **nulls}):
        vendor.upsert("GET", f"{PRODUCTION}/api/vouchers/{ID}", json=answer)
        voucher = lone_adapter.get(ID)
        assert (voucher.id, voucher.initial, voucher.valid_until) == (ID, Money(0, "EUR"), None)
        assert (voucher.origin, dict(voucher.links)) == (None, {})


def test_an_origin_and_fields_that_nobody_documented_stay_readable(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", json=changed(origin="raffle", shape=["round", 1.25]))
    voucher = lone_adapter.get(ID)
    assert voucher.origin == "raffle"
    raw = voucher.raw
    assert raw is not None
    assert (raw["origin"], raw["shape"]) == ("raffle", ["round", Decimal("1.25")])


@pytest.mark.parametrize(
    ("digits", "currency", "amount"),
    [
        ("10.5", "EUR", "10.50"),
        ("29.999999999999996", "EUR", "30.00"),
        ("0.30000000000000004", "EUR", "0.30"),
        ("1e1", "EUR", "10.00"),
        ("-0", "EUR", "0.00"),
        ("10.50000", "EUR", "10.50"),
        ("500", "JPY", "500"),
        ("499.9999999999", "JPY", "500"),
        ("1.005", "KWD", "1.005"),
        ("0.1", "KWD", "0.100"),
    ],
)
def test_amounts_are_read_to_the_last_digit_and_float_noise_is_cleared_away(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, digits: str, currency: str, amount: str
) -> None:
    adapter = TicketingProvider("events", attrs.evolve(lone_adapter.settings, currency=currency))
    body = json.dumps(changed(amount=-7)).replace("-7", digits)
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", body=body)
    assert adapter.get(ID).initial == Money(amount, currency)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an amount as text": ({"amount": "10.50"}, "amount: expected a number"),
    "an amount as a flag": ({"amount": True}, "amount: expected a number"),
    "no amount": ({"amount": None}, "amount: expected a number"),
    "an amount between two cents": (
        {"amount": 10.505},
        "amount: expected an amount with at most the 2 decimals of EUR",
    ),
    "an amount beyond all bounds": ({"amount": 10**30}, "amount: expected an amount of at most 18 digits"),
    "no code": ({"code": ...}, "code: is missing"),
    "a code as a number": ({"code": 12345678}, "code: expected a string"),
    "no time of creation": ({"createdAt": ...}, "createdAt: is missing"),
    "a naive time": ({"updatedAt": "2030-01-23T23:00:00"}, "updatedAt: expected an RFC 3339 timestamp"),
    "an expiry in seconds": ({"validUntil": 1893456000}, "validUntil: expected an RFC 3339 timestamp"),
    "an id as a number": ({"_id": 7}, "_id: expected a string"),
    "a balance as text": ({"balance": "1"}, "balance: expected a number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_voucher_outside_of_the_contract_is_malformed_naming_the_field_as_the_vendor_does(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, name: str
) -> None:
    fields, problem = WRONG[name]
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", json=changed(**fields))
    with pytest.raises(MalformedResponse) as caught:
        lone_adapter.get(ID)
    assert caught.value.problems[0].startswith(problem)
    assert (caught.value.account, caught.value.operation) == ("events", "get")


def test_a_list_passes_over_its_unreadable_vouchers_and_names_all_that_is_wrong_with_them(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    docs = [changed(_id="wrong-1", code=1, amount="1"), VOUCHER, changed(_id="wrong-2", validUntil="never")]
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": docs, "total": 3})
    listing = lone_adapter.vouchers()
    assert [voucher.id for voucher in listing] == [VOUCHER["_id"]]
    named = {entry.name: [text.split(":")[0] for text in entry.reason.split("; ")] for entry in listing.unreadable}
    assert named == {"wrong-1": ["code", "amount"], "wrong-2": ["validUntil"]}


@pytest.mark.parametrize(
    "answer", [{"docs": []}, {"total": 1}, {"docs": {}, "total": 0}, [], {"docs": [], "total": -1}]
)
def test_a_list_that_is_none_is_malformed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, answer: Any
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers", json=answer)
    with pytest.raises(MalformedResponse):
        next(lone_adapter.vouchers())
    with pytest.raises((MalformedResponse, VoucherNotFound)):
        lone_adapter.find("code")


# --- history and the public view ---


def transaction(amount: float, at: str = AT, id: str = "t") -> dict[str, Any]:
    return {"transactionId": id, "amount": amount, "createdAt": at}


@pytest.mark.parametrize(
    ("amounts", "kind"), [([4, 2.5], "redemption"), ([-4, -2.5, 0], "redemption"), ([-4, 4], "unknown")]
)
def test_a_history_is_what_was_redeemed_unless_its_signs_contradict_that(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, amounts: list[float], kind: str
) -> None:
    later = [transaction(amount, f"2030-01-0{9 - n}T00:00:00.000Z", f"t{n}") for n, amount in enumerate(amounts)]
    vendor.get(
        f"{PRODUCTION}/api/vouchers/{ID}/transactions", json=later, headers={"Date": "Wed, 23 Jan 2030 23:00:00 GMT"}
    )
    history = lone_adapter.history(ID)
    assert (history.voucher_id, history.complete) == (ID, True)
    assert history.as_of == datetime(2030, 1, 23, 23, tzinfo=UTC)
    assert {movement.kind for movement in history} == {MovementKind(kind)}
    assert [movement.reference for movement in history] == [f"t{n}" for n in reversed(range(len(amounts)))]
    assert [movement.money for movement in history] == [Money(str(abs(a)), "EUR") for a in reversed(amounts)]
    assert [movement.raw["amount"] for movement in history if movement.raw] == list(reversed(amounts))


def test_a_transaction_outside_of_the_contract_is_malformed_by_its_place(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}/transactions", json=[transaction(1), transaction(0.005)])
    with pytest.raises(MalformedResponse) as caught:
        lone_adapter.history(ID)
    assert caught.value.problems[0].startswith("[1].amount: ")
    assert (caught.value.account, caught.value.operation) == ("events", "history")


# --- wire objects, there and back ---

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
amounts = st.one_of(st.integers(0, 10**15), st.decimals(0, 10**9, places=2), st.decimals(0, 10**6, places=15))
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 - Hypothesis wants naive bounds
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
bodies = st.fixed_dictionaries(
    {"code": texts, "amount": amounts, "createdAt": instants, "updatedAt": instants},
    optional={
        "_id": texts,
        "validUntil": st.none() | instants,
        "balance": st.none() | amounts,
        "sellerId": st.none() | texts,
        "transactionId": st.none() | texts,
        "productId": st.none() | texts,
        "refundId": st.none() | texts,
        "customerId": st.none() | texts,
        "origin": st.none() | texts,
    },
)


@given(bodies)
def test_every_voucher_that_the_documents_allow_is_read_without_a_loss(body: dict[str, Any]) -> None:
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in body.items()}
    one, raw = wire.read_voucher(Response(status=200, headers={}, body=encode(plain)))
    names = {
        "_id": one.id,
        "code": one.code.reveal(),
        "amount": one.amount,
        "createdAt": one.created_at,
        "updatedAt": one.updated_at,
        "validUntil": one.valid_until,
        "balance": one.balance,
        "sellerId": one.seller_id,
        "transactionId": one.transaction_id,
        "productId": one.product_id,
        "refundId": one.refund_id,
        "customerId": one.customer_id,
        "origin": one.origin,
    }
    assert {name: value for name, value in names.items() if name in body} == body
    assert all(value is None for name, value in names.items() if name not in body)
    assert raw == plain


@given(st.integers(0, 99_999_999_999), st.integers(0, 9999), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_every_amount_goes_out_plainly_and_survives_a_vendor_who_computes_in_floats(
    whole: int, part: int, currency: str
) -> None:
    unit = Money(1, currency).minor
    money = Money.from_minor(whole * unit + part % unit, currency)
    sent = encode({"amount": wire.AMOUNT.write(money)})
    assert b"e" not in sent.lower().replace(b'"amount"', b"")
    as_the_vendor_reads_it = Decimal(repr(float(json.loads(sent)["amount"])))
    assert wire.AMOUNT.money(as_the_vendor_reads_it, currency) == money
