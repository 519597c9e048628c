"""What the vendor says of vouchers, and what the adapter makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    JSON_NULL,
    Code,
    Interval,
    MalformedResponse,
    Medium,
    Money,
    Pin,
    Status,
    Validity,
    Voucher,
    VoucherNotFound,
)
from voucher_gateway_jtl import PRODUCTION
from voucher_gateway_jtl.request_bodies import data_text

if TYPE_CHECKING:
    import responses

    from voucher_gateway_jtl import JtlProvider

SHOWN: dict[str, Any] = {
    "id": "AB12CD34",
    "client_id": "0f3c",
    "sku": "MUG-7",
    "batch": "Spring",
    "amount": "25.00",
    "currency": "EUR",
    "valid_until": "2029-03-31T21:59:59+00:00",
    "validity_value": 36,
    "validity_interval": "months",
    "status": "active",
    "type": "print",
    "taxable": True,
    "tax_rate": "7",
    "order_number": "W-1",
    "data": '{"to": "Ada", "parts": [1, 2.5]}',
    "created_at": "2026-03-01T10:00:00+00:00",
    "updated_at": "2026-04-01T12:30:00+02:00",
    "remaining_amount": "12.34",
    "deletable": False,
}


def _get(vendor: responses.RequestsMock, adapter: JtlProvider, **changed: Any) -> Voucher:
    """The voucher that the adapter reads when the vendor shows SHOWN with changes; ... leaves a field out."""
    shown = {name: value for name, value in {**SHOWN, **changed}.items() if value is not ...}
    vendor.get(f"{PRODUCTION}/vouchers/AB12CD34", json=shown)
    return adapter.get("AB12CD34")


def test_every_field_arrives_in_the_voucher(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    voucher = _get(vendor, lone_adapter)
    assert voucher == Voucher(
        account="shop",
        id="AB12CD34",
        initial=Money("25.00", "EUR"),
        remaining=Money("12.34", "EUR"),
        status=Status.ACTIVE,
        medium=Medium.PRINT,
        valid_until=datetime(2029, 3, 31, 21, 59, 59, tzinfo=UTC),
        validity=Validity(36, Interval.MONTHS),
        taxable=True,
        tax_rate="7",
        sku="MUG-7",
        batch="Spring",
        order="W-1",
        metadata=voucher.metadata,
        login="0f3c",
        created_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
        updated_at=datetime(2026, 4, 1, 10, 30, tzinfo=UTC),
        deletable=False,
    )
    assert str(voucher.metadata) == "{'to': 'Ada', 'parts': [1, Decimal('2.5')]}"


@pytest.mark.parametrize("missing", [None, ...])
def test_all_but_the_id_may_be_null_or_missing(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, missing: Any
) -> None:
    voucher = _get(vendor, lone_adapter, **dict.fromkeys(SHOWN.keys() - {"id"}, missing))
    assert voucher == Voucher(account="shop", id="AB12CD34")


def test_an_inactive_voucher_has_a_validity_but_no_end_yet(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    voucher = _get(vendor, lone_adapter, status="inactive", valid_until=None)
    assert (voucher.status, voucher.valid_until) == (Status.INACTIVE, None)
    assert voucher.validity == Validity(36, Interval.MONTHS)


@pytest.mark.parametrize(
    ("data", "metadata"),
    [
        ("[1, 2.50]", [1, Decimal("2.50")]),
        ('"text"', "text"),
        ('""', ""),
        ("7", 7),
        ("0.10", Decimal("0.10")),
        ("false", False),
        ("null", JSON_NULL),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_data_may_be_any_json_value(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, data: str, metadata: Any
) -> None:
    voucher = _get(vendor, lone_adapter, data=data)
    assert repr(voucher.metadata) == repr(metadata)
    assert voucher.unread == set()
    assert data_text(metadata) == data.replace(", ", ",")


@pytest.mark.parametrize("data", ["not JSON {", "", '{"a": NaN}', '{"a": 1, "a": 2}', "1e-999999"])
def test_data_that_is_not_json_stays_in_raw(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, data: str
) -> None:
    voucher = _get(vendor, lone_adapter, data=data)
    assert voucher.metadata is None
    assert voucher.unread == ({"metadata"} if data else set())
    assert voucher.raw is not None
    assert voucher.raw["data"] == data


def test_words_that_are_not_known_become_unknown_and_stay_in_raw(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    voucher = _get(vendor, lone_adapter, status="frozen", type="plastic", validity_interval="decades")
    assert (voucher.status, voucher.medium) == (Status.UNKNOWN, Medium.UNKNOWN)
    assert voucher.validity == Validity(36, Interval.UNKNOWN)
    assert voucher.raw is not None
    assert [voucher.raw[name] for name in ("status", "type", "validity_interval")] == ["frozen", "plastic", "decades"]


def test_fields_that_are_not_known_stay_in_raw(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    voucher = _get(vendor, lone_adapter, colour="red", nested={"a": [1]})
    assert voucher.raw == {**SHOWN, "colour": "red", "nested": {"a": [1]}}


def test_six_digits_before_the_point_are_read(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    voucher = _get(vendor, lone_adapter, amount="999999.99", remaining_amount="0.00")
    assert (voucher.initial, voucher.remaining) == (Money("999999.99", "EUR"), Money(0, "EUR"))


def test_yen_have_no_decimals_and_dinars_keep_three(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    assert str(_get(vendor, lone_adapter, currency="JPY", amount="500.00", remaining_amount=None).initial) == "500 JPY"
    vendor.get(f"{PRODUCTION}/vouchers/D", json={"id": "D", "amount": "1.50", "currency": "BHD"})
    assert str(lone_adapter.get("D").initial) == "1.500 BHD"


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("amount", 25.0, "amount: expected a string of"),
        ("amount", 25, "amount: expected a string of"),
        ("amount", "25", "amount: expected a string of"),
        ("amount", "25.0", "amount: expected a string of"),
        ("amount", "-25.00", "amount: expected a string of"),
        ("amount", "2500000.00", "amount: expected a string of"),
        ("amount", "1e1", "amount: expected a string of"),
        ("amount", "٢٥.٠٠", "amount: expected a string of"),
        ("amount", "25.00\n", "amount: expected a string of"),
        ("remaining_amount", True, "remaining_amount: expected a string of"),
        ("currency", "eur", "currency: expected an ISO 4217 currency"),
        ("currency", "XQZ", "currency: expected an ISO 4217 currency"),
        ("currency", "JPY", "remaining_amount: expected an amount with at most the 0 decimals of JPY"),
        ("currency", ..., "currency: is missing"),
        ("id", None, "id: expected a string"),
        ("id", ..., "id: is missing"),
        ("id", 7, "id: expected a string"),
        ("taxable", 0, "taxable: expected a boolean"),
        ("taxable", "false", "taxable: expected a boolean"),
        ("validity_value", 36.5, "validity_value: expected an integer"),
        ("valid_until", "2029-03-31T21:59:59", "valid_until: expected an RFC 3339 timestamp"),
        ("created_at", 1772359200, "created_at: expected an RFC 3339 timestamp"),
        ("status", 1, "status: expected one of active, inactive, unknown"),
        ("sku", 7, "sku: expected a string"),
    ],
)
def test_a_field_outside_of_the_contract_is_named(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, field: str, value: Any, rule: str
) -> None:
    with pytest.raises(MalformedResponse) as caught:
        _get(vendor, lone_adapter, **{field: value})
    assert [problem for problem in caught.value.problems if rule in problem]
    assert (caught.value.account, caught.value.operation, caught.value.retry_safe) == ("shop", "get", True)


def test_all_wrong_fields_are_named_at_once(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    with pytest.raises(MalformedResponse) as caught:
        _get(vendor, lone_adapter, amount=5, taxable="no", created_at="yesterday")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["amount", "taxable", "created_at"]


def test_a_list_passes_over_its_unreadable_vouchers_and_names_them(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    wrong = [{**SHOWN, "id": "wrong-1", "amount": "1"}, {**SHOWN, "id": "wrong-2", "currency": None}, {"id": 7}, "a"]
    page = {"data": [*wrong[:2], SHOWN, *wrong[2:]], "meta": {"total": 5}}
    vendor.get(f"{PRODUCTION}/vouchers", json=page)
    listing = lone_adapter.vouchers()
    assert [voucher.id for voucher in listing] == ["AB12CD34"]
    assert [(entry.name, entry.reason.partition(":")[0]) for entry in listing.unreadable] == [
        ("wrong-1", "amount"),
        ("wrong-2", "currency"),
        ("7", "id"),
        ("entry 5 of page 1", "the whole"),
    ]
    assert (listing.report.seen, listing.report.unreadable, listing.report.consistent) == (1, 4, True)


def test_a_voucher_is_found_only_if_all_that_the_filter_returns_is_readable(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [{**SHOWN, "currency": "ZZZ"}], "meta": {"total": 1}})
    with pytest.raises(MalformedResponse, match="currency"):
        lone_adapter.find("C-1")


def test_the_links_of_a_page_are_not_even_looked_at(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    links = {"first": 1, "last": ["nonsense"], "prev": "http://elsewhere.example/?page=9", "next": None}
    meta = {"current_page": 1, "per_page": 100, "from": 1, "to": 1, "last_page": 1, "total": 1, "path": "http://x"}
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [SHOWN], "links": links, "meta": meta})
    assert [voucher.id for voucher in lone_adapter.vouchers()] == ["AB12CD34"]


def test_the_complete_view_adds_the_secrets_to_the_balance(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    complete = {name: value for name, value in SHOWN.items() if name not in ("remaining_amount", "deletable")}
    vendor.get(f"{PRODUCTION}/vouchers/AB12CD34", json=SHOWN)
    vendor.get(f"{PRODUCTION}/vouchers/AB12CD34/complete", json={**complete, "code": "C-1", "pin": "0042"})
    voucher = lone_adapter.get("AB12CD34", secrets=True)
    assert (voucher.code, voucher.pin, voucher.remaining) == (Code("C-1"), Pin("0042"), Money("12.34", "EUR"))


def test_a_voucher_found_by_code_carries_the_code_it_was_found_by(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [SHOWN], "meta": {"total": 1}})
    assert lone_adapter.find("C-1").code == Code("C-1")
    balance = lone_adapter.balance("C-1")
    assert (balance.voucher_id, balance.remaining) == ("AB12CD34", Money("12.34", "EUR"))


def test_a_balance_that_the_vendor_does_not_tell_is_an_error_and_not_zero(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [{**SHOWN, "remaining_amount": None}], "meta": {"total": 1}})
    with pytest.raises(MalformedResponse, match="did not send the balance"):
        lone_adapter.balance("C-1")


def test_a_code_that_nobody_has_is_not_found(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [], "meta": {"total": 0}})
    with pytest.raises(VoucherNotFound) as caught:
        lone_adapter.find("C-1")
    assert (caught.value.account, caught.value.operation, caught.value.outcome) == ("shop", "find", "declined")


def test_two_vouchers_for_one_code_are_an_error_and_no_choice(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json={"data": [SHOWN, {**SHOWN, "id": "other"}], "meta": {"total": 2}})
    with pytest.raises(MalformedResponse, match="several vouchers"):
        lone_adapter.find("C-1")
