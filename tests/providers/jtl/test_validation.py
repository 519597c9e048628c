"""What cannot be sent is refused with the field and the rule, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.provider_api import (
    JSON_NULL,
    AmountOutOfRange,
    AmountPrecisionError,
    Interval,
    InvalidRequest,
    Medium,
    Money,
    NewVoucher,
    Redemption,
    Reservation,
    Status,
    UnsupportedOperation,
    Validity,
    VoucherChanges,
    VoucherQuery,
)
from voucher_gateway_jtl import JtlProvider

if TYPE_CHECKING:
    import responses

EUR = Money(1, "EUR")
LONG = "x" * 256
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def _reservation(**changed: Any) -> Reservation:
    return Reservation(**{"account": "shop", "id": "R1", "money": Money("10.53", "EUR"), **changed})


def _redemption(**changed: Any) -> Redemption:
    return Redemption(**{"account": "shop", "id": "C1", "money": Money("10.53", "EUR"), **changed})


def _new(**fields: Any) -> NewVoucher:
    return NewVoucher(**{"initial": EUR, **fields})


@pytest.fixture
def refuses(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> Callable[..., InvalidRequest]:
    """Expects a call to be refused before even a token is asked for."""

    def expect(call: Callable[[JtlProvider], object], kind: type[InvalidRequest] = InvalidRequest) -> InvalidRequest:
        with pytest.raises(kind) as caught:
            call(lone_adapter)
        assert type(caught.value) is kind
        assert len(vendor.calls) == 0
        assert (caught.value.outcome, caught.value.retry_safe) == ("not_executed", True)
        return caught.value

    return expect


AMOUNTS: dict[str, Callable[[JtlProvider, Money], object]] = {
    "top_up": lambda shop, money: shop.top_up("V1", money, reference="r"),
    "reserve": lambda shop, money: shop.reserve("C", money, reference="r"),
    "refund": lambda shop, money: shop.refund(_redemption(), money, reference="r"),
}


@pytest.mark.parametrize("verb", AMOUNTS)
@pytest.mark.parametrize(
    ("money", "kind", "rule"),
    [
        (Money("100000.00", "EUR"), AmountOutOfRange, "at most 5 digits before the point"),
        (Money(100000, "JPY"), AmountOutOfRange, "at most 5 digits before the point"),
        (Money("1.234", "BHD"), AmountPrecisionError, "at most 2 decimals"),
        (Money("0.001", "KWD"), AmountPrecisionError, "at most 2 decimals"),
        (Money(0, "EUR"), AmountOutOfRange, "above zero"),
        (Money("-0.01", "EUR"), AmountOutOfRange, "above zero"),
    ],
)
def test_an_amount_that_jtl_cannot_be_sent_is_refused(
    refuses: Callable[..., InvalidRequest], verb: str, money: Money, kind: type[InvalidRequest], rule: str
) -> None:
    error = refuses(lambda shop: AMOUNTS[verb](shop, money), kind)
    assert (error.field, error.rule) == ("amount", rule)


@pytest.mark.parametrize(
    ("money", "kind"),
    [
        (Money("100000.00", "EUR"), AmountOutOfRange),
        (Money("1.234", "BHD"), AmountPrecisionError),
        (Money("-1.00", "EUR"), AmountOutOfRange),
    ],
)
def test_a_new_voucher_of_such_an_amount_is_refused(
    refuses: Callable[..., InvalidRequest], money: Money, kind: type[InvalidRequest]
) -> None:
    assert refuses(lambda shop: shop.issue(_new(initial=money), reference="r"), kind).field == "amount"


@pytest.mark.parametrize("verb", AMOUNTS)
@pytest.mark.parametrize("amount", [10.53, 10, "10.53", Decimal("10.53"), True])
def test_an_amount_is_money_and_never_a_bare_number(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str, amount: Any
) -> None:
    with pytest.raises(TypeError):
        AMOUNTS[verb](lone_adapter, amount)
    assert len(vendor.calls) == 0


IDS: dict[str, Callable[[JtlProvider, str], object]] = {
    "get": lambda shop, id: shop.get(id),
    "get with secrets": lambda shop, id: shop.get(id, secrets=True),
    "history": lambda shop, id: shop.history(id),
    "activate": lambda shop, id: shop.activate(id, reference="r"),
    "deactivate": lambda shop, id: shop.deactivate(id, reference="r"),
    "update": lambda shop, id: shop.update(id, VoucherChanges(sku="S"), reference="r"),
    "top_up": lambda shop, id: shop.top_up(id, EUR, reference="r"),
    "delete": lambda shop, id: shop.delete(id, "why", reference="r"),
    "capture": lambda shop, id: shop.capture(_reservation(id=id), reference="r"),
    "refund": lambda shop, id: shop.refund(_redemption(id=id), reference="r"),
    "issue": lambda shop, id: shop.issue(_new(id=id), reference="r"),
}


@pytest.mark.parametrize("verb", IDS)
@pytest.mark.parametrize(
    ("id", "rule"),
    [
        ("", "1 to 255 characters"),
        (LONG, "1 to 255 characters"),
        (".", "not '.' and not '..'"),
        ("..", "not '.' and not '..'"),
        ("\ud83c", "valid Unicode"),
    ],
)
def test_an_id_that_cannot_be_part_of_a_path_is_refused(
    refuses: Callable[..., InvalidRequest], verb: str, id: str, rule: str
) -> None:
    error = refuses(lambda shop: IDS[verb](shop, id))
    assert (error.field, error.rule) == ("id", rule)


CODES: dict[str, Callable[[JtlProvider, str], object]] = {
    "find": lambda shop, code: shop.find(code),
    "balance": lambda shop, code: shop.balance(code),
    "reserve": lambda shop, code: shop.reserve(code, EUR, reference="r"),
    "issue": lambda shop, code: shop.issue(_new(code=code), reference="r"),
}


@pytest.mark.parametrize("verb", CODES)
@pytest.mark.parametrize(
    ("code", "rule"),
    [("", "1 to 255 characters"), (LONG, "1 to 255 characters"), ("\udf81" * 9, "valid Unicode")],
)
def test_a_code_that_jtl_cannot_have_is_refused(
    refuses: Callable[..., InvalidRequest], verb: str, code: str, rule: str
) -> None:
    error = refuses(lambda shop: CODES[verb](shop, code))
    assert (error.field, error.rule) == ("code", rule)
    assert code[:9] not in str(error) or not code


@pytest.mark.parametrize("pin", ["", LONG, "\ud83c"])
def test_a_pin_that_jtl_cannot_have_is_refused(refuses: Callable[..., InvalidRequest], pin: str) -> None:
    assert refuses(lambda shop: shop.reserve("C", EUR, pin, reference="r")).field == "pin"
    assert refuses(lambda shop: shop.issue(_new(pin=pin), reference="r")).field == "pin"


@pytest.mark.parametrize("reference", ["", LONG, "\ud83c"])
@pytest.mark.parametrize("verb", ["capture", "top_up", "activate", "deactivate"])
def test_a_reference_that_jtl_cannot_keep_is_refused(
    refuses: Callable[..., InvalidRequest], verb: str, reference: str
) -> None:
    calls: dict[str, Callable[[JtlProvider], object]] = {
        "capture": lambda shop: shop.capture(_reservation(), reference=reference),
        "top_up": lambda shop: shop.top_up("V1", EUR, reference=reference),
        "activate": lambda shop: shop.activate("V1", reference=reference),
        "deactivate": lambda shop: shop.deactivate("V1", reference=reference),
    }
    assert refuses(calls[verb]).field == "reference"


@pytest.mark.parametrize("reason", ["", LONG])
def test_a_deletion_needs_a_reason_of_255_characters_at_most(
    refuses: Callable[..., InvalidRequest], reason: str
) -> None:
    assert refuses(lambda shop: shop.delete("V1", reason, reference="r")).field == "reason"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"batch": "x" * 31}, "batch"),
        ({"batch": ""}, "batch"),
        ({"sku": LONG}, "sku"),
        ({"tax_rate": ""}, "tax_rate"),
        ({"order": LONG}, "order"),
        ({"medium": Medium.UNKNOWN}, "medium"),
        ({"validity": Validity(0, Interval.DAYS)}, "validity"),
        ({"validity": Validity(-1, Interval.DAYS)}, "validity"),
        ({"validity": Validity(1, Interval.UNKNOWN)}, "validity"),
        ({"validity": Validity(True, Interval.DAYS)}, "validity"),
        ({"metadata": {"a": 0.5}}, "metadata"),
        ({"metadata": {"a": [{"b": 0.5}]}}, "metadata"),
        ({"metadata": {"a": LATER}}, "metadata"),
        ({"metadata": {"a": "\ud83c"}}, "metadata"),
        ({"metadata": {1: "a"}}, "metadata"),
        ({"metadata": 0.5}, "metadata"),
        ({"metadata": [0.5]}, "metadata"),
        ({"metadata": "\ud83c"}, "metadata"),
        ({"metadata": {"a": JSON_NULL}}, "metadata"),
        ({"metadata": LATER}, "metadata"),
        ({"metadata": {"a": Decimal("NaN")}}, "metadata"),
    ],
)
def test_what_a_new_voucher_cannot_have_is_refused(
    refuses: Callable[..., InvalidRequest], fields: dict[str, Any], field: str
) -> None:
    assert refuses(lambda shop: shop.issue(_new(**fields), reference="r")).field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "changes"),
        ({"sku": None}, "sku"),
        ({"batch": None}, "batch"),
        ({"sku": ""}, "sku"),
        ({"sku": LONG}, "sku"),
        ({"batch": "x" * 31}, "batch"),
    ],
)
def test_a_change_that_jtl_cannot_make_is_refused(
    refuses: Callable[..., InvalidRequest], changes: dict[str, Any], field: str
) -> None:
    assert refuses(lambda shop: shop.update("V1", VoucherChanges(**changes), reference="r")).field == field


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"native": {"currency": "EUR"}}, "native.currency"),
        ({"native": {"filter[code]": "C"}}, "native.filter[code]"),
        ({"native": {"created_from": "2026-01-01"}}, "native.created_from"),
        ({"native": {"created_to": "2026-01-01T00:00:00"}}, "native.created_to"),
        ({"native": {"valid_until_from": "tomorrow"}}, "native.valid_until_from"),
        ({"native": {"valid_until_to": 0}}, "native.valid_until_to"),
        ({"native": {"type": "plastic"}}, "native.type"),
        ({"native": {"remaining_amount": "10.00"}}, "native.remaining_amount"),
        ({"native": {"taxable": True}}, "native.taxable"),
        ({"native": {"id": ""}}, "native.id"),
        ({"native": {"client_id": 7}}, "native.client_id"),
        ({"native": {"code": "C"}, "code": "C"}, "native.code"),
        ({"native": {"remaining_amount": "true"}, "has_value": True}, "native.remaining_amount"),
        ({"code": ""}, "code"),
        ({"sku": ""}, "sku"),
        ({"batch": ""}, "batch"),
        ({"created_from": datetime(2026, 1, 1)}, "created_from"),  # noqa: DTZ001 - naive is what is tested
        ({"valid_until_to": datetime(2026, 1, 1)}, "valid_until_to"),  # noqa: DTZ001 - naive is what is tested
        ({"limit": 0}, "limit"),
        ({"resume": "not a token"}, "resume"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    refuses: Callable[..., InvalidRequest], query: dict[str, Any], field: str
) -> None:
    assert refuses(lambda shop: shop.vouchers(VoucherQuery(**query))).field == field


UNSUPPORTED: dict[str, Callable[[JtlProvider], object]] = {
    "issue": lambda shop: shop.issue(_new(valid_until=LATER), reference="r"),
    "update": lambda shop: shop.update("V1", VoucherChanges(valid_until=LATER), reference="r"),
    "vouchers": lambda shop: shop.vouchers(VoucherQuery(status=Status.UNKNOWN)),
    "capture": lambda shop: shop.capture(_reservation(), Money("10.52", "EUR"), reference="r"),
    "release": lambda shop: shop.release(_reservation(), reference="r"),
    "redeem": lambda shop: shop.redeem("C", EUR, reference="r"),
}


@pytest.mark.parametrize("verb", UNSUPPORTED)
def test_what_jtl_has_not_is_refused_by_name(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str
) -> None:
    with pytest.raises(UnsupportedOperation) as caught:
        UNSUPPORTED[verb](lone_adapter)
    assert caught.value.operation == verb
    assert len(vendor.calls) == 0


def test_the_whole_reservation_may_be_named_when_it_is_captured(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    answer = {"id": "C1", "type": "charge", "amount": "10.53"}
    vendor.post("https://vouchers.api.jtl-software.com/v1/reservations/R1/charge", json=answer)
    redemption = lone_adapter.capture(_reservation(), Money("10.53", "EUR"), reference="r")
    assert redemption.money == Money("10.53", "EUR")
