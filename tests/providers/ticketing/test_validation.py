"""What the adapter refuses before anything is sent: settings, codes, amounts, fields and filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.models.voucher import Interval
from voucher_gateway.provider_api import (
    AmountOutOfRange,
    Code,
    ConfigurationError,
    Expiry,
    InvalidRequest,
    Medium,
    Money,
    NewVoucher,
    Operation,
    Redemption,
    Reservation,
    SecretSource,
    Status,
    Support,
    UnsupportedOperation,
    Validity,
    ValueReading,
    VoucherChanges,
    VoucherQuery,
)
from voucher_gateway_ticketing import PRODUCTION, STAGING, TicketingProvider, TicketingSettings

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient

AT = datetime(2030, 1, 1, tzinfo=UTC)
EUR = Money(5, "EUR")
RESERVATION = Reservation(account="events", id="R", money=EUR)
REDEMPTION = Redemption(account="events", id="M", voucher_id="V", money=EUR)

LACKING: dict[Operation, Callable[[TicketingProvider], object]] = {
    Operation.ACTIVATE: lambda events: events.activate("V", reference="r"),
    Operation.DEACTIVATE: lambda events: events.deactivate("V", reference="r"),
    Operation.TOP_UP: lambda events: events.top_up("V", EUR, reference="r"),
    Operation.DELETE: lambda events: events.delete("V", "why", reference="r"),
    Operation.RESERVE: lambda events: events.reserve("code", EUR, reference="r"),
    Operation.CAPTURE: lambda events: events.capture(RESERVATION, reference="r"),
    Operation.RELEASE: lambda events: events.release(RESERVATION, reference="r"),
    Operation.REDEEM: lambda events: events.redeem("code", EUR, reference="r"),
    Operation.REFUND: lambda events: events.refund(REDEMPTION, reference="r"),
}


def settings(**given: Any) -> TicketingSettings:
    return TicketingSettings(**{"base_url": PRODUCTION, "api_key": SecretSource.of("key_1"), **given})


@pytest.mark.parametrize("operation", LACKING)
def test_what_the_vendor_lacks_is_refused_and_nothing_is_sent(
    ticketing: VendorClient, adapter: TicketingProvider, operation: Operation
) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        LACKING[operation](adapter)
    support = adapter.capabilities.of(operation)
    assert (caught.value.account, caught.value.operation) == ("events", operation.value)
    assert (support.support, caught.value.emulation) == (Support.UNSUPPORTED, support.emulation)
    assert support.note
    assert support.note in caught.value.message
    assert ticketing.running.requests == []


def test_the_operations_that_are_declared_are_all_there_is(adapter: TicketingProvider) -> None:
    declared = adapter.capabilities.operations
    assert set(declared) == set(Operation)
    assert {operation for operation, support in declared.items() if not support.available} == set(LACKING)


def test_the_spending_that_could_be_emulated_is_named() -> None:
    emulations = {operation: TicketingProvider.declared.of(operation).emulation for operation in Operation}
    assert {operation: name for operation, name in emulations.items() if name} == {
        Operation.REDEEM: "redeem-by-update",
        Operation.REFUND: "refund-by-update",
        Operation.TOP_UP: "top-up-by-update",
    }


def test_the_declaration_says_how_codes_amounts_and_expiries_are_treated() -> None:
    declared = TicketingProvider.declared
    assert (declared.codes.choosable, declared.codes.readable, declared.codes.ids_choosable) == (True, True, False)
    assert (declared.codes.min_length, declared.codes.forbidden, declared.codes.max_length) == (4, ";", None)
    assert (declared.currency_from, declared.expiry, declared.reservations) == ("account", Expiry.ABSOLUTE, None)
    assert (declared.listing.max_page_size, declared.listing.sortable) == (1000, False)


CANNOT_KEEP: dict[str, object] = {
    "id": "V1",
    "pin": "1234",
    "active": False,
    "medium": Medium.DIGITAL,
    "validity": Validity(3, Interval.YEARS),
    "taxable": False,
    "tax_rate": "19",
    "sku": "MUG",
    "batch": "Spring",
    "order": "W-1",
    "metadata": {},
}


@pytest.mark.parametrize("field", CANNOT_KEEP)
def test_a_new_voucher_with_what_the_vendor_cannot_keep_is_refused(
    ticketing: VendorClient, adapter: TicketingProvider, field: str
) -> None:
    new = NewVoucher(initial=EUR, **{field: CANNOT_KEEP[field]})  # type: ignore[arg-type]  # each has its field's type
    with pytest.raises(UnsupportedOperation, match=f"cannot store {field}"):
        adapter.issue(new, reference="r")
    assert ticketing.running.requests == []


def test_all_that_the_vendor_cannot_keep_is_named_at_once(adapter: TicketingProvider) -> None:
    new = NewVoucher(initial=EUR, id="V", sku="S", active=False, metadata={"a": 1})
    with pytest.raises(UnsupportedOperation, match="id, sku, metadata, active=False:"):
        adapter.issue(new, reference="r")


@pytest.mark.parametrize("code", ["", "abc", "a;bc", ";;;;", "\ud800abc"])
def test_a_code_that_no_voucher_can_get_is_refused(
    ticketing: VendorClient, adapter: TicketingProvider, code: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        adapter.issue(NewVoucher(initial=EUR, code=code), reference="r")
    assert caught.value.field == "code"
    assert ticketing.running.requests == []


@pytest.mark.parametrize("amount", ["-0.01", "-100", "100000000000", "99999999999.01"])
def test_an_amount_outside_of_what_can_be_sent_exactly_is_refused(
    ticketing: VendorClient, adapter: TicketingProvider, amount: str
) -> None:
    money = Money(amount, "EUR")
    with pytest.raises(AmountOutOfRange) as caught:
        adapter.issue(NewVoucher(initial=money), reference="r")
    assert caught.value.field == "amount"
    before = ValueReading(voucher_id="V", value=EUR, remaining=EUR)
    with pytest.raises(AmountOutOfRange):
        adapter.write_value(before, money, intent=adapter.intent(Operation.REDEEM, reference="r"))
    assert ticketing.running.requests == []


def test_money_in_another_currency_than_the_sellers_is_refused(
    ticketing: VendorClient, adapter: TicketingProvider
) -> None:
    with pytest.raises(InvalidRequest, match="in EUR, not in USD") as caught:
        adapter.issue(NewVoucher(initial=Money(5, "USD")), reference="r")
    assert (caught.value.field, caught.value.rule) == ("currency", "EUR, the currency of the seller")
    assert {request.method for request in ticketing.running.requests} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        (VoucherChanges(), InvalidRequest, "no change"),
        (VoucherChanges(sku="S"), UnsupportedOperation, "sku"),
        (VoucherChanges(sku=None, batch="B", valid_until=AT), UnsupportedOperation, "sku and no batch"),
    ],
)
def test_an_update_of_anything_but_the_expiry_is_refused(
    ticketing: VendorClient, adapter: TicketingProvider, changes: VoucherChanges, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        adapter.update("V", changes, reference="r")
    assert ticketing.running.requests == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (VoucherQuery(status=Status.ACTIVE), "status"),
        (VoucherQuery(created_from=AT, created_to=AT), "created_from, created_to"),
        (VoucherQuery(valid_until_from=AT), "valid_until_from"),
        (VoucherQuery(valid_until_to=AT), "valid_until_to"),
        (VoucherQuery(sku="S", batch="B"), "batch, sku"),
        (VoucherQuery(has_value=False), "has_value"),
        (VoucherQuery(newest_first=True), "order"),
        (VoucherQuery(newest_first=False), "order"),
    ],
)
def test_a_list_by_what_the_vendor_cannot_filter_or_sort_by_is_refused_at_once(
    ticketing: VendorClient, adapter: TicketingProvider, query: VoucherQuery, named: str
) -> None:
    with pytest.raises(UnsupportedOperation, match=named):
        adapter.vouchers(query)
    assert ticketing.running.requests == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (VoucherQuery(native={"origin": "shop"}), "native.origin"),
        (VoucherQuery(native={"transactionId": ""}), "native.transactionId"),
        (VoucherQuery(code="a", native={"code": "b"}), "native.code"),
        (VoucherQuery(code=""), "code"),
    ],
)
def test_a_filter_that_is_unknown_empty_or_given_twice_is_refused_at_once(
    ticketing: VendorClient, adapter: TicketingProvider, query: VoucherQuery, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        adapter.vouchers(query)
    assert caught.value.field == field
    assert ticketing.running.requests == []


@pytest.mark.parametrize(
    "call",
    [
        lambda events: events.find(""),
        lambda events: events.balance(""),
        lambda events: events.read_value(""),
        lambda events: events.read_value("code", id="V"),
        lambda events: events.read_value(),
        lambda events: events.presentation("..", id="V"),
        lambda events: events.presentation("code", id="."),
        lambda events: events.get(""),
        lambda events: events.get(".."),
        lambda events: events.history("."),
        lambda events: events.update("", VoucherChanges(valid_until=None), reference="r"),
        lambda events: events.find(Code("\ud800abc")),
    ],
)
def test_a_code_or_id_that_cannot_be_meant_is_refused(
    ticketing: VendorClient, make_adapter: Callable[..., TicketingProvider], call: Callable[[TicketingProvider], object]
) -> None:
    with pytest.raises(InvalidRequest):
        call(make_adapter(ticketing, currency="EUR"))
    assert ticketing.running.requests == []


def test_the_settings_have_the_defaults_of_the_documents() -> None:
    made = settings()
    assert (made.currency, made.page_size) == (None, 100)
    assert (PRODUCTION, STAGING) == ("https://vivenu.com", "https://vivenu.dev")
    assert TicketingProvider("events", settings(base_url=f"{STAGING}/")).host == "vivenu.dev"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "https://vivenu.com/api"},
        {"base_url": "https://vivenu.com/api/"},
        {"base_url": "http://vivenu.com"},
        {"currency": "eur"},
        {"currency": "EURO"},
        {"currency": "XAU"},
        {"currency": ""},
        {"page_size": 0},
        {"page_size": 1001},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        settings(**wrong)


def test_the_key_does_not_show_in_the_settings_or_the_provider() -> None:
    made = settings(api_key=SecretSource.of("key_0123456789"))
    assert "key_0123456789" not in f"{made} {made!r} {vars(TicketingProvider('events', made))}"
