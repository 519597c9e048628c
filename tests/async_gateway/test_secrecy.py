"""No frame of an asynchronous call holds a code, a PIN or a secret that a caller gave as plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import (
    AsyncGateway,
    CheckLimits,
    ConfigurationError,
    Gateway,
    Money,
    NewVoucher,
    VoucherGatewayError,
)
from voucher_gateway.testing.harness.canary import Canary

if TYPE_CHECKING:
    from tests.support.shop import Shop

ONE = Money("1.00", "EUR")


def test_no_error_of_an_asynchronous_call_holds_a_code_or_a_pin(shop: Shop, canary: Canary) -> None:
    code, pin = canary.plant("JTL-C4N4RY-UNKNOWN"), canary.plant("c4n4ry-pin-481516")
    limits = CheckLimits(caller_guesses=1, unusable_time_s=0)
    blocking = Gateway(shop.gateway.accounts, journal=shop.journal, check_limits=limits)

    async def call_all() -> None:
        gateway = AsyncGateway(blocking)
        payment = await gateway.payment("1001", total=ONE)
        unsold = NewVoucher(initial=Money("1000000.00", "EUR"), code=code, pin=pin)
        calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: gateway.balance("shop", code, pin),
            lambda: gateway.reserve("shop", code, ONE, pin, reference="a"),
            lambda: gateway.redeem("shop", code, ONE, pin, reference="a"),
            lambda: gateway.presentation("shop", code),
            lambda: gateway.issue("shop", unsold, reference="a"),
            lambda: payment.add(code, pin, account="shop"),
            lambda: payment.add(code, pin, account="shop", caller="203.0.113.7"),
            lambda: gateway.check(code, pin, account="shop", caller="203.0.113.7"),
            lambda: gateway.redeem("shop", code, ONE, pin, reference=f"1001 {code}"),
            lambda: gateway.issue("shop", unsold, reference="a", order=pin),
            lambda: gateway.sale(code, "shop", unsold),
            *(
                partial(call, timeout=timeout)
                for timeout in (0, 10**400, "8")
                for call in (
                    partial(gateway.find, code, pin),
                    partial(gateway.explain, code, pin),
                    partial(gateway.redeem, "shop", code, ONE, pin, reference="a"),
                    partial(payment.add, code, pin),
                )
            ),
        ]
        for call in calls:
            with pytest.raises(VoucherGatewayError) as raised:
                await call()
            canary.saw(raised.value)
        await gateway.threads.close()

    asyncio.run(call_all())


def test_a_configuration_that_is_refused_shows_no_secret(canary: Canary) -> None:
    shop = {"provider": "jtl", "client_secret": canary.plant("c4n4ry-secret-1"), "base_url": "not a URL"}
    with pytest.raises(ConfigurationError) as refused:
        AsyncGateway.from_config({"accounts": {"shop": shop}})
    canary.saw(refused.value)
