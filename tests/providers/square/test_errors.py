"""The refusals of Square as errors, and what is none of the vendor's refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Money, NewVoucher, Status
from voucher_gateway.errors import (
    AlreadyRefunded,
    AmountOutOfRange,
    AuthenticationFailed,
    CurrencyMismatch,
    DuplicateCode,
    InsufficientValue,
    MalformedResponse,
    MissingScope,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    ReferenceConflict,
    Rejected,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
)
from voucher_gateway_square import PRODUCTION

if TYPE_CHECKING:
    import responses

    from tests.support.square import VendorClient
    from voucher_gateway_square import SquareProvider

EUR = Money(10, "EUR")
CARD = f"{PRODUCTION}/v2/gift-cards/gftc:1"
ACTIVITIES = f"{PRODUCTION}/v2/gift-cards/activities"
SHOWN = {
    "gift_card": {
        "id": "gftc:1",
        "type": "DIGITAL",
        "state": "ACTIVE",
        "balance_money": {"amount": 5000, "currency": "EUR"},
        "gan": "SOMECODE1",
    }
}


def errors(category: str, code: str, **more: str) -> dict[str, Any]:
    return {"errors": [{"category": category, "code": code, **more}]}


@pytest.mark.parametrize(
    ("status", "category", "code", "expected"),
    [
        (400, "PAYMENT_METHOD_ERROR", "INSUFFICIENT_FUNDS", InsufficientValue),
        (422, "PAYMENT_METHOD_ERROR", "INSUFFICIENT_FUNDS", InsufficientValue),
        (400, "INVALID_REQUEST_ERROR", "CURRENCY_MISMATCH", CurrencyMismatch),
        (400, "INVALID_REQUEST_ERROR", "VALUE_TOO_LOW", AmountOutOfRange),
        (400, "INVALID_REQUEST_ERROR", "VALUE_TOO_HIGH", AmountOutOfRange),
        (400, "INVALID_REQUEST_ERROR", "PAYMENT_LIMIT_EXCEEDED", AmountOutOfRange),
        (400, "REFUND_ERROR", "REFUND_AMOUNT_INVALID", Rejected),
        (400, "INVALID_REQUEST_ERROR", "IDEMPOTENCY_KEY_REUSED", ReferenceConflict),
        (401, "AUTHENTICATION_ERROR", "UNAUTHORIZED", AuthenticationFailed),
        (403, "AUTHENTICATION_ERROR", "ACCESS_TOKEN_EXPIRED", AuthenticationFailed),
        (403, "AUTHENTICATION_ERROR", "ACCESS_TOKEN_REVOKED", AuthenticationFailed),
        (403, "AUTHENTICATION_ERROR", "INSUFFICIENT_SCOPES", MissingScope),
        (403, "AUTHENTICATION_ERROR", "FORBIDDEN", MissingScope),
        (429, "RATE_LIMIT_ERROR", "RATE_LIMITED", RateLimited),
        (400, "INVALID_REQUEST_ERROR", "SOME_LATER_CODE", Rejected),
        (400, "PAYMENT_METHOD_ERROR", "TEMPORARY_ERROR", OutcomeUnknown),
        (409, "INVALID_REQUEST_ERROR", "CONFLICT", OutcomeUnknown),
        (400, "INVALID_REQUEST_ERROR", "CONFLICT", OutcomeUnknown),
        (500, "API_ERROR", "INTERNAL_SERVER_ERROR", OutcomeUnknown),
        (400, "API_ERROR", "INTERNAL_SERVER_ERROR", OutcomeUnknown),
    ],
)
def test_each_code_of_a_change_is_its_error(
    vendor: responses.RequestsMock,
    lone_adapter: SquareProvider,
    status: int,
    category: str,
    code: str,
    expected: type[VoucherGatewayError],
) -> None:
    vendor.post(ACTIVITIES, status=status, json=errors(category, code))
    vendor.get(CARD, json=SHOWN)
    vendor.get(ACTIVITIES, json={})
    with pytest.raises(VoucherGatewayError) as caught:
        lone_adapter.top_up("gftc:1", EUR, reference="load-1")
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad Request</html>",
        b"{}",
        b'{"errors": []}',
        b'{"errors": [{"code": "NOT_FOUND"}]}',
        b'{"errors": ["NOT_FOUND"]}',
        b'{"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "not found"}]}',
        b'{"errors": [{"category": "PROXY_ERROR", "code": "NOT_FOUND"}]}',
        b'{"message": "no route"}',
        b'[{"code": "NOT_FOUND"}]',
    ],
)
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_what_is_not_in_the_vendors_shape_is_no_refusal(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider, status: int, body: bytes
) -> None:
    vendor.post(ACTIVITIES, status=status, body=body)
    vendor.get(CARD, status=status, body=body)
    with pytest.raises(OutcomeUnknown):
        lone_adapter.top_up("gftc:1", EUR, reference="load-1")
    with pytest.raises((MalformedResponse, ProviderUnavailable)):
        lone_adapter.get("gftc:1")


def test_no_detail_of_the_vendor_is_quoted_but_words_about_a_maximum(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider
) -> None:
    vendor.get(CARD, json=SHOWN)
    vendor.post(ACTIVITIES, status=400, json=errors("INVALID_REQUEST_ERROR", "BAD_REQUEST", detail="SOMECODE1 is gone"))
    with pytest.raises(Rejected) as refused:
        lone_adapter.top_up("gftc:1", EUR, reference="load-1")
    assert "SOMECODE1" not in str(refused.value)
    words = "Load amount exceeds maximum buyer daily amount."
    vendor.replace("POST", ACTIVITIES, status=400, json=errors("INVALID_REQUEST_ERROR", "BAD_REQUEST", detail=words))
    with pytest.raises(Rejected, match=words):
        lone_adapter.top_up("gftc:1", EUR, reference="load-2")


def test_a_refusal_names_the_fields_that_it_is_about(square: VendorClient, make_adapter: Any) -> None:
    card = square.sell()
    with pytest.raises(Rejected) as refused:
        make_adapter(square, location_id="LNOWHERE").redeem(card["gan"], EUR, reference="r-1")
    assert type(refused.value) is Rejected
    assert [field.field for field in refused.value.fields] == ["gift_card_activity.location_id"]


def test_another_location_is_not_a_missing_voucher(square: VendorClient, make_adapter: Any) -> None:
    with pytest.raises(Rejected) as refused:
        make_adapter(square, location_id="LNOWHERE").issue(NewVoucher(initial=EUR, code="NEWCODE12"), reference="s-1")
    assert type(refused.value) is Rejected
    assert refused.value.vendor_code == "NOT_FOUND"


# --- the state of the card, for which there is no code ---


@pytest.mark.parametrize("state", [Status.PENDING, Status.BLOCKED, Status.DEACTIVATED])
@pytest.mark.parametrize("verb", ["redeem", "top_up", "refund"])
def test_a_card_that_is_not_active_is_inactive_and_the_error_says_how(
    square: VendorClient, adapter: SquareProvider, state: Status, verb: str
) -> None:
    card = square.sell(5000)
    redemption = adapter.redeem(card["gan"], EUR, reference="r-1")
    if state is Status.PENDING:
        card = square.create().json()["gift_card"]
    elif state is Status.BLOCKED:
        square.simulator.till.block(card["gan"])
    else:
        adapter.deactivate(card["id"], reference="off")
    calls: dict[str, Callable[[], object]] = {
        "redeem": lambda: adapter.redeem(card["gan"], EUR, reference="r-2"),
        "top_up": lambda: adapter.top_up(card["id"], EUR, reference="r-2"),
        "refund": lambda: adapter.refund(redemption, reference="r-2"),
    }
    if (state, verb) == (Status.PENDING, "refund"):
        return  # a card that was never sold has no redemption
    with pytest.raises(VoucherInactive, match=state.value):
        calls[verb]()


def test_a_redemption_that_was_given_back_is_told_apart_from_a_refund_that_is_too_high(
    square: VendorClient, adapter: SquareProvider
) -> None:
    card = square.sell(5000)
    redemption = adapter.redeem(card["gan"], EUR, reference="r-1")
    adapter.refund(redemption, Money(4, "EUR"), reference="b-1")
    with pytest.raises(Rejected) as refused:
        adapter.refund(redemption, Money(7, "EUR"), reference="b-2")
    assert type(refused.value) is Rejected
    adapter.refund(redemption, Money(6, "EUR"), reference="b-3")
    with pytest.raises(AlreadyRefunded):
        adapter.refund(redemption, Money(1, "EUR"), reference="b-4")
    assert square.card(card)["balance_money"]["amount"] == 5000


def test_a_code_of_a_card_that_was_sold_is_a_duplicate(square: VendorClient, adapter: SquareProvider) -> None:
    square.sell(gan_source="OTHER", gan="TAKEN1234")
    with pytest.raises(DuplicateCode):
        adapter.issue(NewVoucher(initial=EUR, code="TAKEN1234"), reference="s-1")


def test_a_card_that_the_vendor_does_not_have_is_not_found(square: VendorClient, adapter: SquareProvider) -> None:
    calls: list[Callable[[], object]] = [
        lambda: adapter.find("NOBODY123"),
        lambda: adapter.get("gftc:0"),
        lambda: adapter.get("activities"),
        lambda: adapter.get("from-gan"),
        lambda: adapter.history("gftc:0"),
        lambda: adapter.redeem("NOBODY123", EUR, reference="r-1"),
        lambda: adapter.top_up("gftc:0", EUR, reference="r-1"),
        lambda: adapter.deactivate("gftc:0", reference="r-1"),
    ]
    for call in calls:
        with pytest.raises(VoucherNotFound):
            call()


def test_a_code_that_differs_in_case_is_not_found_and_another_code_is_not_believed(
    vendor: responses.RequestsMock, lone_adapter: SquareProvider
) -> None:
    vendor.post(f"{PRODUCTION}/v2/gift-cards/from-gan", json=SHOWN)
    with pytest.raises(VoucherNotFound):
        lone_adapter.find("somecode1")
    with pytest.raises(MalformedResponse):
        lone_adapter.find("OTHERCODE")


def test_a_token_that_only_reads_lacks_a_right(square: VendorClient, make_adapter: Any) -> None:
    card = square.sell()
    adapter = make_adapter(square, access_token=square.running.announcement["read_only_token"])
    assert adapter.find(card["gan"]).id == card["id"]
    with pytest.raises(MissingScope):
        adapter.top_up(card["id"], EUR, reference="load-1")
