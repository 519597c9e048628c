"""An error names the call that was made, and the step of it where another operation stands for it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.simulators import make_provider
from voucher_gateway import (
    AccountPaused,
    Gateway,
    Money,
    NewVoucher,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.gateway.account import Account

if TYPE_CHECKING:
    from tests.support.shop import Shop
    from voucher_gateway.simulator import RunningSimulator

TEN = Money("10.00", "EUR")


def redeem_with_error(gateway: Gateway, code: str, account: str = "shop") -> VoucherGatewayError:
    with pytest.raises(VoucherGatewayError) as raised:
        gateway.redeem(account, code, TEN, reference="1001-a")
    return raised.value


def test_a_paused_account_refuses_the_call_and_not_its_step(shop: Shop) -> None:
    shop.gateway.pause_account("shop")
    error = redeem_with_error(shop.gateway, "JTL-1")
    assert isinstance(error, AccountPaused)
    assert (error.account, error.operation, error.step) == ("shop", "redeem", "reserve")
    assert str(error).startswith("shop redeem (step reserve): nothing was sent: the account shop is paused")
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(same), same.step) == (str(error), "reserve")


@pytest.mark.parametrize("has_journal", [True, False])
@pytest.mark.parametrize(
    ("fault", "path", "steps"),
    [
        # With a journal, a reservation in doubt has taken nothing, and the error is one of the whole call.
        ("error-before", "POST */reservations", (None, "reserve")),
        ("not-json", "POST */reservations", (None, "reserve")),
        ("commit-then-drop", "POST */charge", ("capture", "capture")),
        ("unauthorized", "POST */reservations", ("reserve", "reserve")),
    ],
)
def test_a_failed_step_is_an_error_of_the_call(
    shop: Shop, has_journal: bool, fault: str, path: str, steps: tuple[str | None, str]
) -> None:
    _, code = shop.voucher()
    gateway = shop.gateway if has_journal else Gateway(shop.gateway.accounts)
    shop.running.inject(fault, path, times=0)
    error = redeem_with_error(gateway, code)
    step = steps[0] if has_journal else steps[1]
    assert (error.operation, error.step) == ("redeem", step)
    assert str(error).startswith("shop redeem: " if step is None else f"shop redeem (step {step}): ")


def test_an_open_circuit_refuses_the_call(shop: Shop) -> None:
    _, code = shop.voucher()
    gateway = shop.another_gateway(breaker_timeouts=1, read_timeout_s=0.1, total_timeout_s=0.2)
    gateway.balance("shop", code)
    shop.running.inject("hang", "* *", times=0)
    redeem_with_error(gateway, code)
    error = redeem_with_error(gateway, code)
    assert str(error).startswith("shop redeem (step reserve): nothing was sent: the vendor did not answer 1 request")


def test_a_read_names_the_call(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.gateway.pause_account("shop")
    with pytest.raises(AccountPaused) as refused:
        shop.gateway.balance("shop", code)
    assert str(refused.value).startswith("shop balance (step find): nothing was sent: ")


def test_a_native_operation_has_no_step(shop: Shop) -> None:
    with pytest.raises(VoucherNotFound) as refused:
        shop.gateway.reserve("shop", "JTL-UNKNOWN", TEN, reference="1001-a")
    assert (refused.value.operation, refused.value.step) == ("reserve", None)
    assert str(refused.value).startswith("shop reserve: ")


@pytest.fixture
def events(start_vendor: Callable[..., RunningSimulator]) -> Any:
    """A gateway whose account `events` can do everything by emulations, and its vendor."""
    running = start_vendor("ticketing")
    risks = ["redeem-by-update", "refund-by-update", "top-up-by-update", "deactivate-by-expiry"]
    provider = make_provider(running.announcement, "events", tries=1)
    with Gateway([Account(name="events", provider=provider, accept_risks=risks)]) as gateway:
        yield gateway, running


def test_every_emulation_names_the_call(events: tuple[Gateway, RunningSimulator]) -> None:
    gateway, running = events
    voucher = gateway.issue("events", NewVoucher(initial=TEN, code="EVENT-1"), reference="1")
    redemption = gateway.redeem("events", "EVENT-1", Money(4, "EUR"), reference="3")
    running.inject("error-before", "* *", times=0)
    one = Money(1, "EUR")
    calls: dict[str, Callable[[], object]] = {
        "redeem": lambda: gateway.redeem("events", "EVENT-1", one, reference="4"),
        "refund": lambda: gateway.refund("events", redemption, one, reference="4"),
        "top_up": lambda: gateway.top_up("events", voucher.id, one, reference="4"),
        "deactivate": lambda: gateway.deactivate("events", voucher.id, reference="4"),
    }
    texts = {}
    for verb, call in calls.items():
        with pytest.raises(VoucherGatewayError) as raised:
            call()
        texts[verb] = str(raised.value).partition(":")[0].partition(" (")[0]
    assert texts == {verb: f"events {verb}" for verb in calls}
