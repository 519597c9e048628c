"""What a type checker tells the users of the door. Never run: `tests/test_public_names.py` and ``make lint`` check it.

Every call is as a shop would write it. What must not type-check has an ignore, and strict mypy objects to an ignore
that is not needed.
"""

from __future__ import annotations

from typing import Any, Literal, assert_never, assert_type

from voucher_gateway import (
    KEEP,
    Account,
    AllocationOrder,
    Balance,
    Capabilities,
    Code,
    ConcurrentModification,
    Deletion,
    FindResult,
    Gateway,
    History,
    Listing,
    Money,
    NewVoucher,
    NotExecuted,
    Operation,
    OperationSupport,
    OutcomeUnknown,
    Pin,
    RateLimited,
    Redemption,
    Refund,
    Release,
    Reservation,
    Ticket,
    TopUp,
    Voucher,
    VoucherChanges,
    VoucherGatewayError,
    VoucherProvider,
    VoucherQuery,
)


def accounts(gateway: Gateway) -> None:
    assert_type(Gateway.from_config("voucher-gateway.toml"), Gateway)
    assert_type(Gateway.from_config({"accounts": {}}), Gateway)
    assert_type(gateway.accounts, tuple[Account, ...])
    assert_type(gateway.provider("shop"), VoucherProvider)
    assert_type(gateway.capabilities("shop"), Capabilities)
    assert_type(gateway.capabilities("shop").of(Operation.REDEEM), OperationSupport)
    with gateway as entered:
        assert_type(entered, Gateway)


def payments(gateway: Gateway, total: Money) -> None:
    payment = gateway.payment("1001", total=total, allocation="fewest-vouchers")
    gateway.payment("1001", total=total, allocation=AllocationOrder.AS_ENTERED)
    gateway.payment("1001", total=total, allocation="cheapest")  # type: ignore[arg-type]
    payment.refund(total, reference="r", strategy="other-first")
    payment.refund(total, reference="r", strategy="fair")  # type: ignore[arg-type]


def reading(gateway: Gateway, code: Code) -> None:
    lookup = gateway.find(code, "0815", broadcast=True)
    assert_type(lookup, FindResult)
    assert_type(lookup.voucher, Voucher | None)
    match lookup.state:
        case "found" | "not_found" | "incomplete":
            pass
        case other:
            assert_never(other)
    assert_type(gateway.get("shop", "v", secrets=True), Voucher)
    assert_type(gateway.get("shop", "v").remaining, Money | None)
    assert_type(gateway.balance("shop", code, Pin("0815")), Balance)
    assert_type(gateway.balance("shop", "JTL-0001").remaining, Money)
    assert_type(gateway.vouchers("shop", VoucherQuery(has_value=True)), Listing[Voucher])
    for voucher in gateway.vouchers("shop"):
        assert_type(voucher, Voucher)
    assert_type(gateway.history("shop", "v"), History)
    assert_type(gateway.presentation("shop", "CODE-1").seller.tax_number, str | None)


def issuing(gateway: Gateway) -> None:
    new = NewVoucher(initial=Money("50", "EUR"), code="JTL-0001", pin=None, active=True)
    assert_type(gateway.issue("shop", new, reference="r", order="1001"), Voucher)
    assert_type(gateway.activate("shop", "v", reference="r"), Voucher)
    assert_type(gateway.deactivate("shop", "v", reference="r"), Voucher)
    assert_type(gateway.update("shop", "v", VoucherChanges(sku="S", valid_until=KEEP), reference="r"), Voucher)
    assert_type(gateway.top_up("shop", "v", Money("5", "EUR"), reference="r"), TopUp)
    assert_type(gateway.delete("shop", "v", "printed twice", reference="r"), Deletion)


def spending(gateway: Gateway, code: Code, money: Money) -> None:
    reservation = gateway.reserve("shop", code, money, reference="r", order="1001")
    assert_type(reservation, Reservation)
    assert_type(gateway.capture("shop", reservation, reference="r"), Redemption)
    assert_type(gateway.capture("shop", reservation, money, reference="r"), Redemption)
    assert_type(gateway.release("shop", reservation, reference="r"), Release)
    redemption = gateway.redeem("shop", "JTL-0001", money, Pin("0815"), reference="r")
    assert_type(redemption, Redemption)
    assert_type(redemption.money, Money)
    assert_type(redemption.remaining, Money | None)
    assert_type(gateway.refund("shop", redemption, money, reference="r"), Refund)


def errors(gateway: Gateway, code: Code) -> None:
    try:
        gateway.redeem("shop", code, Money("10.53", "EUR"), reference="r")
    except OutcomeUnknown as unknown:
        assert_type(unknown.ticket, Ticket)
        assert_type(unknown.ticket.to_json(), str)
    except ConcurrentModification as changed:
        assert_type(changed.evidence, dict[str, str])
    except RateLimited as limited:
        assert_type(limited.retry_after, float | None)
    except NotExecuted as harmless:
        assert_type(harmless.retry_safe, bool)
    except VoucherGatewayError as error:
        assert_type(error.outcome, Literal["succeeded", "declined", "not_executed", "unknown", "pending"])


def mistakes(gateway: Gateway, code: Code, money: Money, redemption: Redemption, untyped: Any) -> None:
    gateway.redeem("shop", code, money)  # type: ignore[call-arg]  # a reference is needed
    gateway.redeem("shop", code, 10.53, reference="r")  # type: ignore[arg-type]  # an amount is Money
    gateway.redeem(code, "shop", money, reference="r")  # type: ignore[arg-type]  # the account comes first
    gateway.capture("shop", redemption, reference="r")  # type: ignore[arg-type]  # a reservation is captured
    gateway.refund("shop", "r-1", reference="r")  # type: ignore[arg-type]  # a redemption is refunded
    Money(10.53, "EUR")  # type: ignore[arg-type]  # a float is not exact
    money + 1  # type: ignore[operator]  # what is one?
    money.amount = untyped  # type: ignore[misc]  # values are frozen
    NewVoucher(money)  # type: ignore[call-arg]  # by keyword only
