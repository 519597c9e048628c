"""Answers to changes: what they must say before the adapter believes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ValueReading,
    Voucher,
    VoucherChanges,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider

if TYPE_CHECKING:
    import responses

ID = "64d0a1b2c3d4e5f601234567"
AT = "2030-01-23T23:00:00.123Z"
INSTANT = datetime(2030, 1, 23, 23, 0, 0, 123_000, UTC)
VOUCHER = {
    "_id": ID,
    "code": "string",
    "amount": 10.5,
    "validUntil": AT,
    "origin": "default",
    "createdAt": AT,
    "updatedAt": AT,
}
MONEY = Money("10.50", "EUR")


def changed(**fields: Any) -> dict[str, Any]:
    """The vendor's voucher with other values; ... leaves a field out."""
    return {name: value for name, value in {**VOUCHER, **fields}.items() if value is not ...}


NEW = NewVoucher(initial=MONEY, code="string", valid_until=INSTANT)
BEFORE = ValueReading(voucher_id=ID, value=Money(99, "EUR"), remaining=MONEY, valid_until=INSTANT, passthrough=AT)


def make(vendor: responses.RequestsMock, events: TicketingProvider, verb: str, **fields: Any) -> object:
    """What a change gives when the vendor's answer is the good one, changed so."""
    path = f"{PRODUCTION}/api/vouchers"
    before = changed(validUntil=...)
    vendor.get(f"{path}/{ID}", json=before)
    vendor.get(path, json={"docs": [{**before, "balance": 10.5}], "total": 1})
    vendor.get(f"{path}/{ID}", json=VOUCHER)  # the voucher is read back
    vendor.upsert("POST", path, json=changed(**fields), status=201)
    vendor.upsert("PUT", f"{path}/{ID}", json=changed(**fields))
    if verb == "issue":
        return events.issue(NEW, reference="r", order="W-1")
    if verb == "update":
        return events.update(ID, VoucherChanges(valid_until=INSTANT), reference="r", order="W-1")
    intent = events.intent(Operation.REDEEM, reference="r", order="W-1", voucher_id=ID, money=MONEY)
    events.write_value(BEFORE, MONEY, intent=intent)
    return None


VERBS = ("issue", "update", "redeem")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fields", [{}, {"amount": 10.50000000000001}, {"origin": None}, {"origin": "raffle"}])
def test_an_answer_that_says_what_was_asked_for_is_believed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, verb: str, fields: dict[str, Any]
) -> None:
    made = make(vendor, lone_adapter, verb, **fields)
    if verb == "redeem":
        assert made is None
    else:
        assert isinstance(made, Voucher)
        assert (made.id, made.initial, made.valid_until) == (ID, MONEY, INSTANT)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": 10.51}, "10.51 EUR instead of 10.50 EUR"),
        ({"amount": 0}, "0.00 EUR instead of 10.50 EUR"),
        ({"amount": -10.5}, "amount"),
        ({"amount": 1050}, "1050.00 EUR"),
        ({"amount": "10.5"}, "amount"),
        ({"amount": 10.505}, "amount"),
        ({"amount": ...}, "amount"),
        ({"validUntil": "2030-01-23T23:00:00.124Z"}, "another expiry"),
        ({"validUntil": None}, "another expiry"),
        ({"validUntil": ...}, "another expiry"),
        ({"validUntil": "soon"}, "validUntil"),
        ({"updatedAt": ...}, "updatedAt"),
        ({"_id": 7}, "_id"),
    ],
)
def test_an_answer_about_anything_else_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, verb: str, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        make(vendor, lone_adapter, verb, **fields)
    assert reason in caught.value.message
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.reference, ticket.order) == (verb, "r", "W-1")
    assert (ticket.account, ticket.provider, ticket.host) == ("events", "ticketing", "vivenu.com")
    assert ticket.voucher_id == (None if verb == "issue" else ID)


def test_a_created_voucher_with_another_code_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    with pytest.raises(OutcomeUnknown, match="another code than the request"):
        make(vendor, lone_adapter, "issue", code="String")


@pytest.mark.parametrize("verb", ["update", "redeem"])
def test_an_answer_about_another_voucher_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, verb: str
) -> None:
    with pytest.raises(OutcomeUnknown, match="another voucher"):
        make(vendor, lone_adapter, verb, _id="other")


def test_an_amount_that_cannot_be_read_is_found_out_before_an_update_is_sent(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    odd = changed(amount=10.505)
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", json=odd)
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [{**odd, "balance": 10.505}], "total": 1})
    with pytest.raises(MalformedResponse):
        lone_adapter.update(ID, VoucherChanges(valid_until=None), reference="r")
    assert {call.request.method for call in vendor.calls} == {"GET"}


def test_the_vendor_may_choose_an_expiry_where_none_was_asked_for(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.post(f"{PRODUCTION}/api/vouchers", json=VOUCHER, status=201)
    voucher = lone_adapter.issue(NewVoucher(initial=MONEY, code="string"), reference="r")
    assert voucher.valid_until == INSTANT
