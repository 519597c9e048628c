"""Answers to changes: what they must say before the adapter believes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    Code,
    Deletion,
    Money,
    NewVoucher,
    OutcomeUnknown,
    Pin,
    Redemption,
    Refund,
    Reservation,
    Status,
    TopUp,
    VoucherChanges,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider

if TYPE_CHECKING:
    import responses

MONEY = Money("10.53", "EUR")
YEN = Money(500, "JPY")
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
TIMES = {"created_at": "2026-05-01T10:00:00+02:00", "updated_at": "2026-05-01T10:00:00+02:00"}
VOUCHER = {"id": "V1", "amount": "10.53", "currency": "EUR", "status": "active", **TIMES}
CREATED = {**VOUCHER, "code": "C-1", "pin": "0042"}
MOVED = {"id": "M1", "voucher_id": "V1", "client_id": "a-client", "amount": "10.53", **TIMES}
RESERVED = {
    "id": "R1",
    "voucher_id": "V1",
    "voucher_taxable": False,
    "voucher_tax_rate": None,
    "client_id": "a-client",
    "amount": "10.53",
    "valid_until": "2026-05-01T10:30:00+02:00",
    **TIMES,
}
RESERVATION = Reservation(account="shop", id="R1", voucher_id="V1", money=MONEY, valid_until=AT)
REDEMPTION = Redemption(account="shop", id="M0", voucher_id="V1", money=MONEY)
NEW = NewVoucher(initial=MONEY, id="V1", code="C-1", pin="0042")


@attrs.frozen
class Change:
    """One changing call, where it goes and what the vendor says when it did it."""

    call: Callable[[JtlProvider], object]
    method: str
    path: str
    answer: dict[str, Any]


CHANGES = {
    "issue": Change(lambda shop: shop.issue(NEW, reference="r"), "POST", "/vouchers", CREATED),
    "activate": Change(lambda shop: shop.activate("V1", reference="r"), "PATCH", "/vouchers/V1/status", VOUCHER),
    "deactivate": Change(lambda shop: shop.deactivate("V1", reference="r"), "PATCH", "/vouchers/V1/status", VOUCHER),
    "update": Change(
        lambda shop: shop.update("V1", VoucherChanges(sku="S"), reference="r"), "PATCH", "/vouchers/V1", VOUCHER
    ),
    "top_up": Change(
        lambda shop: shop.top_up("V1", MONEY, reference="r"),
        "POST",
        "/vouchers/recharge",
        {**MOVED, "type": "recharge", "order_number": "r"},
    ),
    "reserve": Change(lambda shop: shop.reserve("C-1", MONEY, reference="r"), "POST", "/reservations", RESERVED),
    "capture": Change(
        lambda shop: shop.capture(RESERVATION, reference="r"),
        "POST",
        "/reservations/R1/charge",
        {**MOVED, "type": "charge", "order_number": "r"},
    ),
    "refund": Change(
        lambda shop: shop.refund(REDEMPTION, reference="r"),
        "POST",
        "/charges/M0/refund",
        {**MOVED, "type": "refund", "order_number": None},
    ),
}
MONEY_MOVES = ("issue", "top_up", "reserve", "capture", "refund")


def _make(vendor: responses.RequestsMock, adapter: JtlProvider, verb: str, **changed: Any) -> object:
    """What the call gives when the vendor's answer is changed so; ... leaves a field out."""
    change = CHANGES[verb]
    answer = {name: value for name, value in {**change.answer, **changed}.items() if value is not ...}
    vendor.upsert(change.method, f"{PRODUCTION}{change.path}", json=answer)
    return change.call(adapter)


def test_results_say_what_the_vendor_did(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    same: dict[str, Any] = {"account": "shop", "id": "M1", "voucher_id": "V1", "money": MONEY, "reference": "r"}
    same["login"] = "a-client"
    assert _make(vendor, lone_adapter, "top_up") == TopUp(**same, created_at=AT)
    assert _make(vendor, lone_adapter, "capture") == Redemption(**same, reservation_id="R1", created_at=AT)
    assert _make(vendor, lone_adapter, "refund") == Refund(**same, redemption_id="M0", created_at=AT)
    half_an_hour_later = AT.replace(minute=30)
    assert _make(vendor, lone_adapter, "reserve") == Reservation(
        **{**same, "id": "R1"}, taxable=False, valid_until=half_an_hour_later, created_at=AT
    )


@pytest.mark.parametrize(
    ("taxable", "tax_rate"), [(True, "19"), (True, "7,0"), (True, None), (False, None), (False, "19"), (..., ...)]
)
def test_a_capture_tells_the_tax_that_the_reservation_told(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, taxable: Any, tax_rate: Any
) -> None:
    held = _make(vendor, lone_adapter, "reserve", voucher_taxable=taxable, voucher_tax_rate=tax_rate)
    assert isinstance(held, Reservation)
    told = (None if taxable is ... else taxable, None if tax_rate is ... else tax_rate)
    assert (held.taxable, held.tax_rate) == told
    change = CHANGES["capture"]
    vendor.post(f"{PRODUCTION}{change.path}", json=change.answer)
    done = lone_adapter.capture(held, reference="r")
    assert (done.taxable, done.tax_rate) == told


@pytest.mark.parametrize("wrong", [{"voucher_taxable": "yes"}, {"voucher_tax_rate": 19}])
def test_a_tax_that_is_not_as_documented_makes_no_reservation(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, wrong: dict[str, Any]
) -> None:
    with pytest.raises(OutcomeUnknown, match=next(iter(wrong))):
        _make(vendor, lone_adapter, "reserve", **wrong)


def test_a_new_voucher_comes_with_code_and_pin(vendor: responses.RequestsMock, lone_adapter: JtlProvider) -> None:
    vendor.post(f"{PRODUCTION}/vouchers", json={**CREATED, "status": "inactive"}, status=201)
    voucher = lone_adapter.issue(NewVoucher(initial=MONEY, active=True), reference="r")
    assert (voucher.id, voucher.code, voucher.pin) == ("V1", Code("C-1"), Pin("0042"))
    # The vendor decides about the status in the end, and its answer is what counts.
    assert (voucher.status, voucher.initial, voucher.remaining) == (Status.INACTIVE, MONEY, None)


@pytest.mark.parametrize("verb", MONEY_MOVES)
@pytest.mark.parametrize(
    "amount", ["10.54", "0.00", "1053.00", "10.530", "-10.53", "10,53", 10.53, 1053, None, ..., ""]
)
def test_an_answer_about_another_amount_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str, amount: Any
) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        _make(vendor, lone_adapter, verb, amount=amount)
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.amount, ticket.currency) == (verb, "10.53", "EUR")
    assert "cannot be trusted" in ticket.reason


def test_an_amount_that_its_currency_does_not_have_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.post(f"{PRODUCTION}/reservations", json={**RESERVED, "amount": "500.50"})
    with pytest.raises(OutcomeUnknown, match="decimals of JPY"):
        lone_adapter.reserve("C-1", YEN, reference="r")


def test_a_voucher_in_another_currency_than_asked_for_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    with pytest.raises(OutcomeUnknown, match=r"10\.53 USD instead of 10\.53 EUR"):
        _make(vendor, lone_adapter, "issue", currency="USD")


@pytest.mark.parametrize("field", ["id", "code"])
def test_a_voucher_with_another_id_or_code_than_asked_for_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, field: str
) -> None:
    with pytest.raises(OutcomeUnknown, match=f"another {field} than the request"):
        _make(vendor, lone_adapter, "issue", **{field: "other"})


@pytest.mark.parametrize("verb", ["top_up", "capture", "refund"])
def test_a_movement_of_another_kind_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str
) -> None:
    kinds = {"top_up": "recharge", "capture": "charge", "refund": "refund"}
    for kind in {*kinds.values(), "cancel"} - {kinds[verb]}:
        with pytest.raises(OutcomeUnknown, match=f"is not a {kinds[verb]}"):
            _make(vendor, lone_adapter, verb, type=kind)


@pytest.mark.parametrize("verb", ["top_up", "capture", "refund"])
def test_a_movement_of_another_voucher_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str
) -> None:
    with pytest.raises(OutcomeUnknown, match="another voucher"):
        _make(vendor, lone_adapter, verb, voucher_id="V2")


@pytest.mark.parametrize("verb", ["top_up", "capture", "refund"])
@pytest.mark.parametrize("missing", [None, ...])
def test_a_movement_without_what_is_not_needed_is_believed(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str, missing: Any
) -> None:
    optional = ("voucher_id", "client_id", "order_number", "created_at", "updated_at")
    result = _make(vendor, lone_adapter, verb, **dict.fromkeys(optional, missing))
    assert isinstance(result, TopUp | Redemption | Refund)
    assert (result.voucher_id, result.money, result.created_at) == ("V1", MONEY, None)


@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.parametrize("changed", [{"id": ...}, {"id": None}, {"id": 7}, {"created_at": "yesterday"}])
def test_an_answer_outside_of_the_contract_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, verb: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        _make(vendor, lone_adapter, verb, **changed)
    assert (caught.value.operation, caught.value.http_status) == (verb, 200)
    assert next(iter(changed)) in str(caught.value)


def test_a_deletion_is_believed_without_a_body_or_with_a_json_text(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    for answer in ({"status": 204}, {"status": 200}, {"status": 200, "json": "No Content"}):
        vendor.delete(f"{PRODUCTION}/vouchers/V1", **answer)
        assert lone_adapter.delete("V1", "why", reference="r") == Deletion(account="shop", voucher_id="V1")


def test_a_web_page_in_answer_to_a_deletion_leaves_the_outcome_unknown(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.delete(f"{PRODUCTION}/vouchers/V1", body="<html>please log in</html>")
    with pytest.raises(OutcomeUnknown):
        lone_adapter.delete("V1", "why", reference="r")
