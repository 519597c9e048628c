"""Vouchers at the JTL simulator: creation and its field rules, status, labels, deletion, secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    StartJtl = Callable[..., RunningSimulator]
    CallJtl = Callable[[RunningSimulator], Caller]

START = datetime(2028, 2, 29, 12, 0, 0, tzinfo=UTC)
LEAST = {"amount": "10.53", "currency": "EUR"}


def test_a_new_voucher_is_inactive_and_has_an_id_a_code_and_the_default_validity(caller: Caller) -> None:
    voucher = caller.call("POST", "/vouchers", LEAST).json()
    assert voucher["status"] == "inactive"
    assert voucher["valid_until"] is None
    assert (voucher["validity_value"], voucher["validity_interval"]) == (3, "years")
    assert len(voucher["id"]) == 16
    assert len(voucher["code"]) == 12
    assert (voucher.get("pin"), voucher["type"], voucher["taxable"]) == (None, "digital", False)
    assert voucher["created_at"].endswith("+00:00")


def test_an_active_voucher_can_be_created_unless_it_is_printed(caller: Caller) -> None:
    digital = caller.call("POST", "/vouchers", {**LEAST, "status": "active"}).json()
    printed = caller.call("POST", "/vouchers", {**LEAST, "status": "active", "type": "print"}).json()
    assert (digital["status"], printed["status"]) == ("active", "inactive")
    assert digital["valid_until"] is not None


def test_what_is_given_is_kept(caller: Caller) -> None:
    given: dict[str, Any] = {
        **LEAST,
        "id": "5/é 🎁?#%2F",
        "code": "recharge",
        "pin": " 0012 ",
        "sku": "s" * 255,
        "batch": "b" * 30,
        "validity_value": 2,
        "validity_interval": "weeks",
        "status": "inactive",
        "type": "print",
        "taxable": True,
        "tax_rate": "19",
        "order_number": "o" * 1000,
        "data": '{"foo": "bar"}',
    }
    voucher = caller.call("POST", "/vouchers", given).json()
    assert {name: voucher[name] for name in given} == given
    assert caller.call("GET", f"/vouchers/{quote(given['id'], safe='')}").json()["sku"] == "s" * 255


@pytest.mark.parametrize("odd", ["a" * 255, "ü" * 255, "🎁", " ", "\x00", "..", "recharge", "a\r\nb"])
def test_ids_and_codes_are_any_text_of_up_to_255_characters(caller: Caller, odd: str) -> None:
    caller.issue(id=f"{odd}"[:255], code=odd)
    found = caller.call("GET", "/vouchers", params={"filter[code]": odd}).json()["data"]
    assert [voucher["id"] for voucher in found] == [odd]


CREATE = "VOUCHER.CREATE."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": None}, "AMOUNT.REQUIRED"),
        ({"amount": ""}, "AMOUNT.REQUIRED"),
        ({"amount": 10.53}, "AMOUNT.STRING"),
        ({"amount": "ten"}, "AMOUNT.NUMERIC"),
        ({"amount": "1e2"}, "AMOUNT.NUMERIC"),
        ({"amount": "NaN"}, "AMOUNT.NUMERIC"),
        ({"amount": "1 0.00"}, "AMOUNT.NUMERIC"),
        ({"amount": "١٠.٥٣"}, "AMOUNT.NUMERIC"),
        ({"amount": "10.53\n"}, "AMOUNT.NUMERIC"),
        ({"amount": "-1.00"}, "AMOUNT.MIN:0"),
        ({"amount": "10"}, "AMOUNT.REGEX"),
        ({"amount": "10.5"}, "AMOUNT.REGEX"),
        ({"amount": "10.530"}, "AMOUNT.REGEX"),
        ({"amount": "1000000.00"}, "AMOUNT.MAX:9"),
        ({"currency": None}, "CURRENCY.REQUIRED"),
        ({"currency": 978}, "CURRENCY.STRING"),
        ({"currency": "eur"}, "CURRENCY.VALID_CURRENCY"),
        ({"currency": "XQZ"}, "CURRENCY.VALID_CURRENCY"),
        ({"currency": "EURO"}, "CURRENCY.VALID_CURRENCY"),
        ({"id": 5}, "CUSTOM_ID.STRING"),
        ({"id": None}, "CUSTOM_ID.STRING"),
        ({"id": "x" * 256}, "CUSTOM_ID.MAX:255"),
        ({"id": "taken"}, "CUSTOM_ID.UNIQUE"),
        ({"code": []}, "CODE.STRING"),
        ({"code": "x" * 256}, "CODE.MAX:255"),
        ({"code": "taken"}, "CODE.UNIQUE"),
        ({"pin": 1234}, "PIN.STRING"),
        ({"pin": "x" * 256}, "PIN.MAX:255"),
        ({"sku": True}, "SKU.STRING"),
        ({"sku": "x" * 256}, "SKU.MAX:255"),
        ({"batch": {}}, "BATCH.STRING"),
        ({"batch": "x" * 31}, "BATCH.MAX:30"),
        ({"validity_value": "24"}, "VALIDITY_VALUE.INTEGER"),
        ({"validity_value": 1.5}, "VALIDITY_VALUE.INTEGER"),
        ({"validity_value": True}, "VALIDITY_VALUE.INTEGER"),
        ({"validity_value": 0}, "VALIDITY_VALUE.MIN:1"),
        ({"validity_value": 10**30}, "VALIDITY_VALUE.MAX:100000"),
        ({"validity_interval": "month"}, "VALIDITY_INTERVAL.IN"),
        ({"status": "used"}, "STATUS.IN"),
        ({"type": "Digital"}, "TYPE.IN"),
        ({"taxable": "true"}, "TAXABLE.BOOLEAN"),
        ({"taxable": 1}, "TAXABLE.BOOLEAN"),
        ({"taxable": True}, "TAX_RATE.REQUIRED_IF:TAXABLE,TRUE"),
        ({"tax_rate": 19}, "TAX_RATE.STRING"),
        ({"order_number": 66}, "ORDER_NUMBER.STRING"),
        ({"data": {"foo": "bar"}}, "DATA.STRING"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(caller: Caller, change: dict[str, object], code: str) -> None:
    caller.issue(id="taken", code="taken")
    response = caller.call("POST", "/vouchers", {**LEAST, **change})
    assert response.status_code == 422
    assert response.json()["code"] == "VOUCHER.CREATE.UNPROCESSABLE_ENTITY"
    (error,) = response.json()["errors"]
    assert error["code"] == CREATE + code
    assert error["property"] in change or "taxable" in change
    assert error["rule"].upper() == code.partition(".")[2]


def test_all_wrong_fields_are_named_at_once(caller: Caller) -> None:
    response = caller.call("POST", "/vouchers", {"amount": 1, "batch": "x" * 31})
    assert {error["property"] for error in response.json()["errors"]} == {"amount", "currency", "batch"}


@pytest.mark.parametrize("amount", ["0.00", "0.01", "99999.99", "999999.99", "00010.50"])
def test_amounts_from_nothing_to_six_digits_are_taken(caller: Caller, amount: str) -> None:
    voucher = caller.issue(amount)
    assert voucher["amount"] == (amount.lstrip("0") if amount.startswith("00") else amount)
    assert caller.remaining(voucher["id"]) == voucher["amount"]


def test_read_only_and_unknown_fields_are_ignored(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue(
        client_id="me", valid_until="2030-01-01T00:00:00+00:00", remaining_amount="9.99", colour="red"
    )
    assert voucher["client_id"] == jtl.announcement["client_id"]
    assert caller.remaining(voucher["id"]) == "50.00"


def test_a_strict_simulator_refuses_unknown_fields_and_parameters(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    caller = call_jtl(start_jtl(strict=True))
    response = caller.call("POST", "/vouchers", {**LEAST, "colour": "red", "client_id": "me"})
    assert [error["property"] for error in response.json()["errors"]] == ["colour"]
    response = caller.call("GET", "/vouchers?filter[codes]=x")
    assert [error["property"] for error in response.json()["errors"]] == ["filter[codes]"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 422),
        ("", b"{}", 422),
        ("application/json", b"", 422),
        ("application/json", b"{", 422),
        ("application/json", b"[]", 422),
        ("application/json", b'"text"', 422),
        ("application/json", b'{"amount": NaN}', 422),
        ("application/json", b'{"amount": "1.00", "amount": "2.00", "currency": "EUR"}', 422),
        ("application/json", b"[" * 200_000, 422),
        ("application/json", b'{"amount": "\xff"}', 422),
        ("application/json; charset=utf-8", b'{"amount": "1.00", "currency": "EUR"}', 201),
    ],
)
def test_a_body_must_be_a_json_object(caller: Caller, content_type: str, body: bytes, status: int) -> None:
    response = caller.call("POST", "/vouchers", data=body, headers={"Content-Type": content_type})
    assert response.status_code == status
    if status != 201:
        assert (response.json()["status"], response.json()["errors"]) == (422, [])
        assert response.json()["code"] == "VOUCHER.CREATE.UNPROCESSABLE_ENTITY"


@pytest.mark.parametrize(
    ("value", "interval", "end"),
    [
        (1, "days", "2028-03-01T12:00:0"),
        (2, "weeks", "2028-03-14T12:00:0"),
        (12, "months", "2029-02-28T12:00:0"),
        (1, "years", "2029-02-28T12:00:0"),
        (4, "years", "2032-02-29T12:00:0"),
        (100_000, "years", "9999-12-31T23:59:59"),
        (100_000, "days", "2301-12-15T12:00:0"),
    ],
)
def test_validity_follows_the_calendar(
    start_jtl: StartJtl, call_jtl: CallJtl, value: int, interval: str, end: str
) -> None:
    caller = call_jtl(start_jtl(start=START))
    voucher = caller.issue(validity_value=value, validity_interval=interval)
    assert voucher["valid_until"].startswith(end)


def test_activation_starts_the_validity_again_and_deactivation_ends_it(caller: Caller, jtl: RunningSimulator) -> None:
    path = f"/vouchers/{caller.issue(status='inactive')['id']}/status"
    first = caller.call("PATCH", path, {"status": "active", "comment": "paid"}).json()
    jtl.clock.advance(86_400)
    assert caller.call("PATCH", path, {"status": "inactive"}).json()["valid_until"] is None
    second = caller.call("PATCH", path, {"status": "active"}).json()
    jtl.clock.advance(86_400)
    third = caller.call("PATCH", path, {"status": "active"}).json()
    assert first["valid_until"] < second["valid_until"] < third["valid_until"]
    assert first["updated_at"] < second["updated_at"]


@pytest.mark.parametrize("body", [{}, {"status": "used"}, {"status": 1}, {"status": "active", "comment": 5}])
def test_a_status_that_is_none_is_refused(caller: Caller, body: dict[str, object]) -> None:
    voucher = caller.issue(status="inactive")
    assert caller.call("PATCH", f"/vouchers/{voucher['id']}/status", body).status_code == 422
    assert caller.call("GET", f"/vouchers/{voucher['id']}").json()["status"] == "inactive"


def test_sku_and_batch_can_be_changed_and_nothing_else(caller: Caller) -> None:
    voucher = caller.issue(sku="old", batch="old")
    changed = caller.call("PATCH", f"/vouchers/{voucher['id']}", {"sku": "new", "amount": "99.00"}).json()
    assert (changed["sku"], changed["batch"], changed["amount"]) == ("new", "old", "50.00")
    assert caller.call("PATCH", f"/vouchers/{voucher['id']}", {"batch": "x" * 31}).status_code == 422


def test_labels_of_active_vouchers_may_be_fixed(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    caller = call_jtl(start_jtl(update_inactive_only=True))
    active, inactive = caller.issue(), caller.issue(status="inactive")
    assert caller.call("PATCH", f"/vouchers/{active['id']}", {"sku": "new"}).status_code == 422
    assert caller.call("PATCH", f"/vouchers/{inactive['id']}", {"sku": "new"}).status_code == 200


def test_a_voucher_that_was_never_charged_and_is_inactive_can_be_deleted(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue(status="inactive", id="gone", code="gone")
    assert caller.call("DELETE", "/vouchers/gone", {}).status_code == 422
    assert caller.call("DELETE", "/vouchers/gone", {"comment": "x" * 256}).status_code == 422
    response = caller.call("DELETE", "/vouchers/gone", {"comment": "a mistake"})
    assert (response.status_code, response.content) == (204, b"")
    assert caller.call("DELETE", "/vouchers/gone", {"comment": "again"}).status_code == 404
    assert jtl.ledger() == []
    assert caller.issue(id="gone", code="gone")["id"] == voucher["id"]


def test_an_active_or_charged_voucher_cannot_be_deleted(caller: Caller) -> None:
    active = caller.issue()
    assert caller.call("DELETE", f"/vouchers/{active['id']}", {"comment": "c"}).status_code == 422
    caller.charge(caller.reserve(active["code"], "1.00").json()["id"])
    caller.call("PATCH", f"/vouchers/{active['id']}/status", {"status": "inactive"})
    assert caller.call("GET", f"/vouchers/{active['id']}").json()["deletable"] is False
    assert caller.call("DELETE", f"/vouchers/{active['id']}", {"comment": "c"}).status_code == 422


def test_secrets_show_in_creation_and_complete_only_and_the_balance_elsewhere(caller: Caller) -> None:
    created = caller.issue(pin="1234")
    path = f"/vouchers/{created['id']}"
    shown: dict[str, dict[str, Any]] = {
        "create": created,
        "complete": caller.call("GET", f"{path}/complete").json(),
        "get": caller.call("GET", path).json(),
        "list": caller.call("GET", "/vouchers").json()["data"][0],
        "update": caller.call("PATCH", path, {}).json(),
        "status": caller.call("PATCH", f"{path}/status", {"status": "active"}).json(),
    }
    assert {name for name, voucher in shown.items() if voucher.keys() & {"code", "pin"}} == {"create", "complete"}
    balance = {"remaining_amount", "deletable"}
    assert {name for name, voucher in shown.items() if voucher.keys() >= balance} == {"get", "list"}
    assert {name for name, voucher in shown.items() if voucher.keys() & balance} == {"get", "list"}


def test_fields_without_a_value_are_left_out_or_null(caller: Caller, start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    unset = {"sku", "batch", "pin", "tax_rate", "order_number", "data"}
    voucher = caller.issue(status="inactive")
    assert voucher["valid_until"] is None
    assert not voucher.keys() & unset
    voucher = call_jtl(start_jtl(omit_unset=False)).issue(status="inactive")
    assert {name for name, value in voucher.items() if value is None} == unset | {"valid_until"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/vouchers/none", None),
        ("GET", "/vouchers/none/complete", None),
        ("GET", "/vouchers/none/charges", None),
        ("GET", "/vouchers/none/charges/none", None),
        ("PATCH", "/vouchers/none", {}),
        ("PATCH", "/vouchers/none/status", {"status": "active"}),
        ("DELETE", "/vouchers/none", {"comment": "c"}),
        ("GET", "/vouchers/recharge", None),
    ],
)
def test_a_voucher_that_is_not_there_is_404_with_the_documented_code(
    caller: Caller, method: str, path: str, body: object
) -> None:
    response = caller.call(method, path, body)
    assert response.status_code == 404
    assert response.json() == {"status": 404, "code": "VOUCHER.NOT_FOUND", "message": "There is no such voucher."}


def test_other_paths_are_404_and_other_methods_405_in_the_vendors_shape(caller: Caller) -> None:
    assert caller.call("GET", "/nothing").json()["status"] == 404
    response = caller.call("PUT", "/vouchers/x", {})
    assert (response.json()["status"], response.headers["Allow"]) == (405, "GET, PATCH, DELETE")
