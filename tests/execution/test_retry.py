"""A request that surely was not executed is sent again within one call, and the journal goes along."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.shop import Shop
from voucher_gateway import Money


@pytest.mark.parametrize(
    ("fault", "options"), [("expire-token", {}), ("unauthorized", {}), ("rate-limit", {"retry_after_s": 0})]
)
def test_a_reservation_that_must_be_sent_twice_is_held_once(
    fault: str, options: dict[str, Any], either_shop: Shop
) -> None:
    voucher_id, code = either_shop.voucher()
    gateway = either_shop.another_gateway(tries=2)
    either_shop.running.inject(fault, "POST /v1/reservations", **options)
    hold = gateway.reserve("shop", code, Money("10.00", "EUR"), reference="1001-a", order="1001")
    assert either_shop.changes().count("POST /v1/reservations") == 2
    gateway.capture("shop", hold, reference="1001-a", order="1001")
    assert either_shop.remaining(voucher_id) == "40.00"
