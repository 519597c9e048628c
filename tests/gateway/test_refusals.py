"""What the gateway refuses by itself, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voucher_gateway import (
    AmountOutOfRange,
    ConfigurationError,
    Gateway,
    InvalidRequest,
    MissingScope,
    Money,
    NewVoucher,
    Operation,
    Redemption,
    Reservation,
    UnsupportedOperation,
    VoucherChanges,
    VoucherGatewayError,
)
from voucher_gateway.simulator import RunningSimulator

TEN = Money("10", "EUR")
RESERVATION = Reservation(account="shop", id="h", voucher_id="v", money=TEN)
REDEMPTION = Redemption(account="shop", id="r", voucher_id="v", money=TEN)

Naming = dict[str, Any]

READS: dict[str, Callable[[Gateway, str], object]] = {
    "account": lambda gateway, account: gateway.account(account),
    "provider": lambda gateway, account: gateway.provider(account),
    "capabilities": lambda gateway, account: gateway.capabilities(account),
    "get": lambda gateway, account: gateway.get(account, "v"),
    "balance": lambda gateway, account: gateway.balance(account, "CODE-1"),
    "vouchers": lambda gateway, account: gateway.vouchers(account),
    "history": lambda gateway, account: gateway.history(account, "v"),
    "presentation": lambda gateway, account: gateway.presentation(account, "CODE-1"),
}
CHANGES: dict[Operation, Callable[[Gateway, str, Naming], object]] = {
    Operation.ISSUE: lambda gateway, account, named: gateway.issue(account, NewVoucher(initial=TEN), **named),
    Operation.ACTIVATE: lambda gateway, account, named: gateway.activate(account, "v", **named),
    Operation.DEACTIVATE: lambda gateway, account, named: gateway.deactivate(account, "v", **named),
    Operation.UPDATE: lambda gateway, account, named: gateway.update(account, "v", VoucherChanges(sku="S"), **named),
    Operation.TOP_UP: lambda gateway, account, named: gateway.top_up(account, "v", TEN, **named),
    Operation.DELETE: lambda gateway, account, named: gateway.delete(account, "v", "reason", **named),
    Operation.RESERVE: lambda gateway, account, named: gateway.reserve(account, "CODE-1", TEN, **named),
    Operation.CAPTURE: lambda gateway, account, named: gateway.capture(account, RESERVATION, **named),
    Operation.RELEASE: lambda gateway, account, named: gateway.release(account, RESERVATION, **named),
    Operation.REDEEM: lambda gateway, account, named: gateway.redeem(account, "CODE-1", TEN, **named),
    Operation.REFUND: lambda gateway, account, named: gateway.refund(account, REDEMPTION, **named),
}


def test_every_changing_operation_is_tried_here() -> None:
    assert set(CHANGES) == {operation for operation in Operation if operation.changes}


@pytest.mark.parametrize("verb", READS)
def test_a_read_of_an_unknown_account_is_refused(gateway: Gateway, jtl: RunningSimulator, verb: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown account 'shup'; the accounts are: shop"):
        READS[verb](gateway, "shup")
    assert jtl.requests == []


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_at_an_unknown_account_is_refused(
    gateway: Gateway, jtl: RunningSimulator, operation: Operation
) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown account 'shup'; the accounts are: shop"):
        CHANGES[operation](gateway, "shup", {"reference": "r-1"})
    assert jtl.requests == []


def test_a_gateway_without_accounts_says_so() -> None:
    with pytest.raises(ConfigurationError, match="the accounts are: none"):
        Gateway({}).account("shop")


@pytest.mark.parametrize("operation", CHANGES)
def test_a_reference_or_order_that_is_no_name_is_refused(
    gateway: Gateway, jtl: RunningSimulator, operation: Operation
) -> None:
    for field in ("reference", "order"):
        for name in ("", " r-1", "r-1 ", "r\n1", "r\x001", "r\u202e1", "r" * 201):
            with pytest.raises(InvalidRequest) as caught:
                CHANGES[operation](gateway, "shop", {"reference": "r-1", field: name})
            assert caught.value.field == field
    assert jtl.requests == []


@pytest.mark.parametrize("field", ["reference", "order"])
def test_a_reference_or_order_that_is_no_text_is_a_mistake_in_the_program(gateway: Gateway, field: str) -> None:
    with pytest.raises(TypeError, match=f"{field} is a str, not int"):
        CHANGES[Operation.REDEEM](gateway, "shop", {"reference": "r-1", field: 1001})


def test_a_reference_of_200_characters_of_any_script_is_taken(gateway: Gateway) -> None:
    gateway.release("shop", RESERVATION, reference="ä" * 200, order="注文")


@pytest.mark.parametrize("amount", ["0", "-0.01", "-10"])
@pytest.mark.parametrize("verb", ["top_up", "reserve", "redeem", "capture", "refund"])
def test_amounts_of_zero_and_below_are_refused(gateway: Gateway, jtl: RunningSimulator, verb: str, amount: str) -> None:
    money = Money(amount, "EUR")
    calls: dict[str, Callable[[], object]] = {
        "top_up": lambda: gateway.top_up("shop", "v", money, reference="r-1"),
        "reserve": lambda: gateway.reserve("shop", "CODE-1", money, reference="r-1"),
        "redeem": lambda: gateway.redeem("shop", "CODE-1", money, reference="r-1"),
        "capture": lambda: gateway.capture("shop", RESERVATION, money, reference="r-1"),
        "refund": lambda: gateway.refund("shop", REDEMPTION, money, reference="r-1"),
    }
    with pytest.raises(AmountOutOfRange, match="above zero"):
        calls[verb]()
    assert jtl.requests == []


def test_an_amount_that_is_no_money_is_a_mistake_in_the_program(gateway: Gateway) -> None:
    with pytest.raises(TypeError, match="is a Money, not float"):
        gateway.redeem("shop", "CODE-1", 10.53, reference="r-1")  # type: ignore[arg-type]  # what must not work


def test_a_code_that_is_no_text_is_a_mistake_in_the_program(gateway: Gateway) -> None:
    with pytest.raises(TypeError):
        gateway.redeem("shop", 4711, TEN, reference="r-1")  # type: ignore[arg-type]  # what must not work


def test_what_could_be_emulated_is_refused_with_the_emulation_and_its_risk(
    ticketing: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> None:
    gateway = open_gateway(events=account_at(ticketing, currency="EUR"))
    for verb, emulation in {
        Operation.REDEEM: "redeem-by-update",
        Operation.REFUND: "refund-by-update",
        Operation.TOP_UP: "top-up-by-update",
    }.items():
        with pytest.raises(UnsupportedOperation) as caught:
            CHANGES[verb](gateway, "events", {"reference": "r-1"})
        error = caught.value
        assert (error.emulation, error.account, error.operation) == (emulation, "events", verb.value)
        assert f'accept_risks = ["{emulation}"]' in error.message
        risk = gateway.capabilities("events").of(verb).risk
        assert risk is not None
        assert risk in error.message
    assert ticketing.requests == []


@pytest.mark.parametrize("operation", [Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE, Operation.DELETE])
def test_what_nothing_can_emulate_is_refused_with_the_vendors_reason(
    ticketing: RunningSimulator,
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
    operation: Operation,
) -> None:
    gateway = open_gateway(events=account_at(ticketing, currency="EUR"))
    note = gateway.capabilities("events").of(operation).note
    with pytest.raises(UnsupportedOperation) as caught:
        CHANGES[operation](gateway, "events", {"reference": "r-1"})
    assert caught.value.emulation is None
    assert note
    assert note in caught.value.message
    assert ticketing.requests == []


@pytest.mark.parametrize("operation", [Operation.RESERVE, Operation.CAPTURE, Operation.REDEEM, Operation.ACTIVATE])
def test_what_the_login_may_not_do_is_refused_as_a_missing_right_and_not_as_the_vendors_lack(
    jtl: RunningSimulator,
    account_at: Callable[..., dict[str, Any]],
    open_gateway: Callable[..., Gateway],
    operation: Operation,
) -> None:
    gateway = open_gateway(shop=account_at(jtl, scopes=["read", "read-lists"]))
    with pytest.raises(MissingScope, match="scope use") as caught:
        CHANGES[operation](gateway, "shop", {"reference": "r-1"})
    assert (caught.value.account, caught.value.operation) == ("shop", operation.value)
    assert jtl.requests == []


def test_no_refusal_claims_that_the_call_may_have_run(gateway: Gateway) -> None:
    refused: list[VoucherGatewayError] = []
    for call in (
        lambda: gateway.get("shup", "v"),
        lambda: gateway.redeem("shop", "CODE-1", TEN, reference=""),
        lambda: gateway.redeem("shop", "CODE-1", Money("0", "EUR"), reference="r-1"),
    ):
        with pytest.raises(VoucherGatewayError) as caught:
            call()
        refused.append(caught.value)
    assert [error.outcome for error in refused] == ["not_executed"] * 3
    assert all(error.retry_safe for error in refused)


def test_two_accounts_of_one_name_are_refused(gateway: Gateway) -> None:
    account = gateway.accounts[0]
    with pytest.raises(ConfigurationError, match="same name"):
        Gateway([account, account])
