"""Value at the JTL simulator: reservations, charges, refunds and recharges."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    StartJtl = Callable[..., RunningSimulator]
    CallJtl = Callable[[RunningSimulator], Caller]

HALF_AN_HOUR = 30 * 60


def _only(jtl: RunningSimulator) -> dict[str, Any]:
    (voucher,) = jtl.ledger()
    return voucher


def test_reserve_and_charge_take_value_once(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue("50.00")
    reservation = caller.reserve(voucher["code"], "10.53")
    assert (reservation.status_code, reservation.json()["amount"]) == (201, "10.53")
    assert reservation.json()["voucher_id"] == voucher["id"]
    assert (caller.remaining(voucher["id"]), _only(jtl)["reserved"]) == ("50.00", "10.53")
    charge = caller.charge(reservation.json()["id"], order="1001").json()
    assert (charge["type"], charge["amount"], charge["order_number"]) == ("charge", "10.53", "1001")
    assert (caller.remaining(voucher["id"]), _only(jtl)["reserved"]) == ("39.47", "0.00")
    assert caller.charge(reservation.json()["id"]).status_code == 422
    assert caller.remaining(voucher["id"]) == "39.47"
    assert [movement["amount"] for movement in _only(jtl)["movements"]] == ["10.53"]


def test_a_reservation_lasts_half_an_hour(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue()
    kept, lost = caller.reserve(voucher["code"], "1.00").json(), None
    jtl.clock.advance(HALF_AN_HOUR - 5)
    assert caller.charge(kept["id"]).status_code == 201
    lost = caller.reserve(voucher["code"], "1.00").json()
    jtl.clock.advance(HALF_AN_HOUR)
    assert caller.charge(lost["id"]).status_code == 404
    assert caller.remaining(voucher["id"]) == "49.00"
    assert _only(jtl)["reserved"] == "0.00"


def test_a_second_reservation_replaces_the_first(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue("50.00")
    first, second = (caller.reserve(voucher["code"], "50.00").json() for _ in range(2))
    assert caller.charge(first["id"]).status_code == 404
    assert caller.charge(second["id"]).status_code == 201
    assert caller.remaining(voucher["id"]) == "0.00"


def test_reservations_of_other_vouchers_are_left_alone(caller: Caller) -> None:
    first, second = caller.issue(), caller.issue()
    reservation = caller.reserve(first["code"], "1.00").json()
    caller.reserve(second["code"], "1.00")
    assert caller.charge(reservation["id"]).status_code == 201


def test_reservations_end_with_their_voucher(caller: Caller) -> None:
    voucher = caller.issue()
    reservation = caller.reserve(voucher["code"], "1.00").json()
    caller.call("PATCH", f"/vouchers/{voucher['id']}/status", {"status": "inactive"})
    assert caller.call("DELETE", f"/vouchers/{voucher['id']}", {"comment": "c"}).status_code == 204
    assert caller.charge(reservation["id"]).status_code == 404


def test_a_refused_reservation_replaces_nothing(caller: Caller) -> None:
    voucher = caller.issue("5.00")
    reservation = caller.reserve(voucher["code"], "1.00").json()
    assert caller.reserve(voucher["code"], "5.01").status_code == 422
    assert caller.charge(reservation["id"]).status_code == 201


def test_somebody_else_can_replace_a_reservation_just_before_the_charge(caller: Caller, jtl: RunningSimulator) -> None:
    voucher = caller.issue()
    reservation = caller.reserve(voucher["code"], "1.00").json()
    jtl.inject("replace-reservation", "POST /v1/reservations/*/charge")
    assert caller.charge(reservation["id"]).status_code == 404
    assert _only(jtl)["reserved"] == "0.01"
    caller.call("PATCH", f"/vouchers/{voucher['id']}/status", {"status": "inactive"})
    jtl.inject("replace-reservation", "POST /v1/reservations")
    assert caller.reserve(voucher["code"], "1.00").status_code == 422
    assert _only(jtl)["reserved"] == "0.01"
    caller.call("PATCH", f"/vouchers/{voucher['id']}/status", {"status": "active"})
    jtl.inject("replace-reservation", "POST /v1/reservations")
    assert caller.charge(caller.reserve(voucher["code"], "1.00").json()["id"]).status_code == 201


def _conditions(caller: Caller, jtl: RunningSimulator) -> dict[str, int | str]:
    """Runs into every business rule of a reservation and returns the codes."""
    active = caller.issue("5.00", code="active", pin="1234")
    caller.issue("5.00", code="inactive", status="inactive")
    caller.issue("5.00", code="expired", validity_value=1, validity_interval="days")
    jtl.clock.advance(86_400)
    replies = {
        "wrong-pin": caller.reserve(active["code"], "1.00", pin="4321"),
        "missing-pin": caller.reserve(active["code"], "1.00"),
        "insufficient": caller.reserve(active["code"], "5.01", pin="1234"),
        "currency": caller.reserve(active["code"], "1.00", "USD", pin="1234"),
        "inactive": caller.reserve("inactive", "1.00"),
        "expired": caller.reserve("expired", "1.00"),
    }
    assert {reply.status_code for reply in replies.values()} == {422}
    assert all(reply.json().keys() == {"status", "code", "message"} for reply in replies.values())
    return {name: reply.json()["code"] for name, reply in replies.items()}


def test_business_rules_have_codes_that_nobody_can_learn(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    runs = []
    for _ in range(2):
        jtl = start_jtl(seed=1)
        runs.append(_conditions(call_jtl(jtl), jtl))
    assert runs[0].pop("missing-pin") == runs[0]["wrong-pin"]
    assert len(set(runs[0].values())) == 5
    assert not set(runs[0].values()) & set(runs[1].values())


def test_an_unknown_code_is_404_with_the_documented_code(caller: Caller) -> None:
    caller.issue(code="Code")
    for code in ("code", "Code ", "none"):
        reply = caller.reserve(code, "1.00")
        assert (reply.status_code, reply.json()["code"]) == (404, "VOUCHER.NOT_FOUND")


def test_a_pin_may_be_left_out_where_the_vendor_allows_it(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    caller = call_jtl(start_jtl(pin_required=False))
    voucher = caller.issue(pin="1234")
    assert caller.reserve(voucher["code"], "1.00").status_code == 201
    assert caller.reserve(voucher["code"], "1.00", pin="").status_code == 422


def test_what_is_reserved_may_be_subtracted_from_what_is_shown(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    jtl = start_jtl(reserved_is_subtracted=True)
    caller = call_jtl(jtl)
    voucher = caller.issue("50.00")
    caller.reserve(voucher["code"], "20.00")
    assert (caller.remaining(voucher["id"]), _only(jtl)["remaining"]) == ("30.00", "50.00")
    assert caller.reserve(voucher["code"], "50.00").status_code == 201
    jtl.clock.advance(HALF_AN_HOUR)
    assert caller.remaining(voucher["id"]) == "50.00"


@pytest.mark.parametrize("how", ["deactivated", "expired"])
def test_a_voucher_that_cannot_be_spent_any_more_is_not_charged(
    caller: Caller, jtl: RunningSimulator, how: str
) -> None:
    voucher = caller.issue(validity_value=1, validity_interval="days")
    jtl.clock.advance(86_400 - 60)
    reservation = caller.reserve(voucher["code"], "1.00").json()
    if how == "expired":
        jtl.clock.advance(61)
    else:
        caller.call("PATCH", f"/vouchers/{voucher['id']}/status", {"status": "inactive"})
    assert caller.charge(reservation["id"]).status_code == 422
    assert caller.remaining(voucher["id"]) == "50.00"


def _charged(caller: Caller, amount: str = "10.00") -> tuple[dict[str, str], str]:
    voucher = caller.issue("50.00")
    charge = caller.charge(caller.reserve(voucher["code"], amount).json()["id"], order="1001").json()
    return voucher, f"/charges/{charge['id']}/refund"


def test_refunds_never_exceed_their_charge(caller: Caller, jtl: RunningSimulator) -> None:
    voucher, path = _charged(caller)
    part = caller.call("POST", path, {"amount": "4.00", "currency": "EUR"})
    assert (part.status_code, part.json()["type"], part.json()["amount"]) == (201, "refund", "4.00")
    assert "order_number" not in part.json()
    assert caller.call("POST", path, {"amount": "6.01", "currency": "EUR"}).status_code == 422
    assert caller.call("POST", path, {"amount": "6.00", "currency": "EUR"}).status_code == 201
    assert caller.call("POST", path, {"amount": "0.01", "currency": "EUR"}).status_code == 422
    assert caller.remaining(voucher["id"]) == "50.00"
    assert [movement["kind"] for movement in _only(jtl)["movements"]] == ["charge", "refund", "refund"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": "0.00", "currency": "EUR"}, "CHARGE.REFUND.AMOUNT.MIN:0.01"),
        ({"currency": "EUR"}, "CHARGE.REFUND.AMOUNT.REQUIRED"),
        ({"amount": "1.00"}, "CHARGE.REFUND.CURRENCY.REQUIRED"),
    ],
)
def test_a_refund_obeys_its_field_rules(caller: Caller, body: dict[str, str], code: str) -> None:
    _, path = _charged(caller)
    assert [error["code"] for error in caller.call("POST", path, body).json()["errors"]] == [code]


def test_a_refund_needs_the_currency_and_a_charge(caller: Caller) -> None:
    voucher, path = _charged(caller)
    assert caller.call("POST", path, {"amount": "1.00", "currency": "USD"}).status_code == 422
    refund = caller.call("POST", path, {"amount": "1.00", "currency": "EUR"}).json()
    again = caller.call("POST", f"/charges/{refund['id']}/refund", {"amount": "1.00", "currency": "EUR"})
    assert again.status_code == 422
    none = caller.call("POST", "/charges/none/refund", {"amount": "1.00", "currency": "EUR"})
    assert (none.status_code, none.json()["code"] != "VOUCHER.NOT_FOUND") == (404, True)
    assert caller.remaining(voucher["id"]) == "41.00"


def test_a_refund_may_repeat_the_order_number_of_its_charge(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    caller = call_jtl(start_jtl(refunds_show_order=True))
    voucher, path = _charged(caller)
    assert caller.call("POST", path, {"amount": "1.00", "currency": "EUR"}).json()["order_number"] == "1001"
    found = caller.call("GET", f"/vouchers/{voucher['id']}/charges?filter[order_number]=1001").json()["data"]
    assert [movement["type"] for movement in found] == ["refund", "charge"]


def _recharge(caller: Caller, **body: object) -> Any:
    return caller.call("POST", "/vouchers/recharge", {"amount": "1.50", "currency": "EUR", "order_number": "7", **body})


def test_a_recharge_adds_value_by_code_or_id(caller: Caller) -> None:
    voucher = caller.issue("50.00", id="recharge")
    by_code, by_id = _recharge(caller, code=voucher["code"]), _recharge(caller, id="recharge")
    assert (by_code.status_code, by_code.json()["type"], by_code.json()["order_number"]) == (201, "recharge", "7")
    assert (by_id.status_code, caller.remaining("recharge")) == (201, "53.00")
    assert caller.call("GET", "/vouchers/recharge").json()["amount"] == "50.00"
    assert _recharge(caller, id="recharge", code=voucher["code"]).status_code == 201


def test_a_recharge_that_cannot_be_is_refused(caller: Caller) -> None:
    voucher, other = caller.issue("999999.00"), caller.issue()
    assert _recharge(caller, code="none").json()["code"] == "VOUCHER.NOT_FOUND"
    assert _recharge(caller, id="none").json()["code"] == "VOUCHER.NOT_FOUND"
    assert _recharge(caller, id=voucher["id"], code=other["code"]).status_code == 404
    assert [error["rule"] for error in _recharge(caller).json()["errors"]] == ["required_without:id"]
    assert [error["rule"] for error in _recharge(caller, id=voucher["id"], order_number="").json()["errors"]] == [
        "required"
    ]
    assert "errors" not in _recharge(caller, id=voucher["id"], currency="USD").json()
    assert "errors" not in _recharge(caller, id=voucher["id"]).json()
    assert caller.remaining(voucher["id"]) == "999999.00"


def test_a_refund_cannot_lift_a_voucher_over_what_it_can_hold(caller: Caller) -> None:
    voucher, path = _charged(caller)
    assert _recharge(caller, id=voucher["id"], amount="999950.00").status_code == 201
    assert caller.call("POST", path, {"amount": "10.00", "currency": "EUR"}).status_code == 422
    assert caller.call("POST", path, {"amount": "9.99", "currency": "EUR"}).status_code == 201
    assert caller.remaining(voucher["id"]) == "999999.99"


@pytest.mark.parametrize("body", [{}, {"order_number": ""}, {"order_number": None}, {"order_number": 1001}])
def test_a_charge_needs_an_order_number(caller: Caller, body: dict[str, object]) -> None:
    voucher = caller.issue()
    held = caller.reserve(voucher["code"], "1.00").json()
    assert caller.call("POST", f"/reservations/{held['id']}/charge", body).status_code == 422
    assert caller.charge(held["id"]).status_code == 201


def test_a_wrong_echo_shows_one_cent_more_in_the_reply_and_none_in_the_ledger(
    caller: Caller, jtl: RunningSimulator
) -> None:
    voucher = caller.issue("50.00")
    jtl.inject("wrong-echo", "POST /v1/reservations", times=1)
    reply = caller.reserve(voucher["code"], "10.00").json()
    assert (reply["amount"], _only(jtl)["reserved"]) == ("10.01", "10.00")
    jtl.inject("wrong-echo", "POST /v1/vouchers", times=1)
    assert caller.issue("999999.99")["amount"] == "999999.98"


def test_callers_at_the_same_time_never_take_more_than_there_is(
    caller: Caller, jtl: RunningSimulator, call_jtl: CallJtl
) -> None:
    voucher = caller.issue("10.00")
    charged: list[str] = []

    def spend(own: Caller) -> None:
        for _ in range(15):
            reservation = own.reserve(voucher["code"], "0.30")
            if reservation.status_code == 201 and own.charge(reservation.json()["id"]).status_code == 201:
                charged.append("0.30")

    threads = [threading.Thread(target=spend, args=(call_jtl(jtl),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = sum(map(Decimal, charged))
    assert 0 < spent <= 10
    assert Decimal(caller.remaining(voucher["id"])) == 10 - spent
    assert len(_only(jtl)["movements"]) == len(charged)


def test_the_sum_of_all_movements_explains_every_balance(start_jtl: StartJtl) -> None:
    signs = {"charge": -1, "refund": 1, "recharge": 1}
    ledger: list[dict[str, Any]] = start_jtl(vouchers=500, seed=3).ledger()
    for voucher in ledger:
        moved = sum(signs[each["kind"]] * Decimal(each["amount"]) for each in voucher["movements"])
        assert Decimal(voucher["remaining"]) == Decimal(voucher["initial"]) + moved >= 0
