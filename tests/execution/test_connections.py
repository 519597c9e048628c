"""What is left on a connection by one customer's call never decides about another customer's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import Money, VoucherGatewayError

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10", "EUR")

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "early hints": ("interim", {"status": 103, "delay_s": 0.2}),
    "processing": ("interim", {"status": 102, "delay_s": 0.2}),
    "a 204 with a body": ("no-content-with-body", {"delay_s": 0.05}),
    "an answer that comes twice": ("answer-twice", {}),
}


@pytest.mark.parametrize("path", ["/v1/reservations", "/v1/reservations/*/charge"])
@pytest.mark.parametrize("name", FAULTS)
def test_another_customers_voucher_never_pays(name: str, path: str, shop: Shop) -> None:
    fault, options = FAULTS[name]
    (first_id, first_code), (second_id, second_code) = shop.voucher(), shop.voucher()
    shop.running.inject(fault, f"POST {path}", **options)
    with suppress(VoucherGatewayError):
        shop.gateway.redeem("shop", first_code, TEN, reference="first")
    redemption = shop.gateway.redeem("shop", second_code, TEN, reference="second")
    assert redemption.voucher_id == second_id
    assert (redemption.money, shop.remaining(second_id)) == (TEN, "40.00")
    shop.gateway.redeem("shop", first_code, TEN, reference="first")
    assert shop.remaining(first_id) == "40.00"
