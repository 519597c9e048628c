"""A reference or an order that contains the code or the PIN of its call is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.leaks import note_call, note_database
from voucher_gateway import Gateway, InvalidRequest, Money, NewVoucher, VoucherNotFound
from voucher_gateway.testing.harness.canary import Canary

if TYPE_CHECKING:
    from tests.support.shop import Shop

ONE = Money("1.00", "EUR")
CODE, PIN = "JTL-SPRING-C4N4RY", "c4n4ry-4711"

Call = Callable[[Gateway, str, str | None], object]

CALLS: dict[str, Call] = {
    "reserve": lambda gateway, reference, order: gateway.reserve(
        "shop", CODE, ONE, PIN, reference=reference, order=order
    ),
    "redeem": lambda gateway, reference, order: gateway.redeem(
        "shop", CODE, ONE, PIN, reference=reference, order=order
    ),
    "issue": lambda gateway, reference, order: gateway.issue(
        "shop", NewVoucher(initial=ONE, code=CODE, pin=PIN), reference=reference, order=order
    ),
    "sale": lambda gateway, reference, order: gateway.sale(
        reference, "shop", NewVoucher(initial=ONE, code=CODE, pin=PIN), order=order
    ),
}
NAMES = {
    "the code": CODE,
    "the code in another case": CODE.lower(),
    "the code without dashes": CODE.replace("-", ""),
    "the code in a longer name": f"1001/{CODE}/1",
    "the PIN": PIN,
    "the PIN in a longer name": f"1001 {PIN.upper()}",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("verb", CALLS)
def test_a_name_with_the_code_or_the_pin_is_refused(shop: Shop, canary: Canary, verb: str, name: str) -> None:
    field = "name" if verb == "sale" else "reference"
    for secret in (CODE, CODE.lower(), CODE.replace("-", ""), PIN, PIN.upper()):
        canary.plant(secret)
    names: list[tuple[str, str, str | None]] = [(field, NAMES[name], "1001"), ("order", "1001-a", NAMES[name])]
    for field, reference, order in names:
        error = note_call(canary, lambda: CALLS[verb](shop.gateway, reference, order))  # noqa: B023
        assert isinstance(error, InvalidRequest)
        word = "PIN" if "PIN" in name else "code"
        assert (error.field, error.message) == (
            field,
            f"{field} must not contain the voucher's {word}: it is stored and logged in plain text",
        )
    note_database(canary, shop.journal.database)
    assert shop.running.requests == []
    assert list(shop.gateway.operations()) == []


def redeem(gateway: Gateway, code: str, **names: Any) -> None:
    with pytest.raises(VoucherNotFound):
        gateway.redeem("shop", code, ONE, **names)


@pytest.mark.parametrize(
    ("code", "reference", "order"),
    [
        ("1001", "1001-card-1", "1001"),
        ("12345", "12345", "12345"),
        ("AB-12-C", "AB-12-C", "AB12C"),
        ("600123", "1-a", "20260012345"),
        ("JTL-SPRING-0042", "JTL-SPRING-0043", "SPRING-0042"),
    ],
)
def test_a_name_that_is_like_a_code_by_chance_is_accepted(shop: Shop, code: str, reference: str, order: str) -> None:
    redeem(shop.gateway, code, reference=reference, order=order)


def test_a_call_without_a_code_takes_any_name(shop: Shop) -> None:
    id, code = shop.voucher()
    shop.gateway.top_up("shop", id, ONE, reference=code, order=code)
