"""`AsyncGateway`: the verbs are awaited, and a cancelled task loses no outcome."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway import (
    AsyncGateway,
    AsyncPayment,
    AsyncSale,
    Gateway,
    InsufficientValue,
    InvalidRequest,
    Money,
    NewVoucher,
    OperationState,
    OutcomeUnknown,
    Payment,
    ProviderUnavailable,
    Sale,
    VoucherQuery,
)
from voucher_gateway.async_gateway.methods import iterate_on_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
# What blocks only to read the configuration or the journal's own rows.
WITHOUT_WAITING = {
    "account",
    "account_names",
    "accounts",
    "capabilities",
    "check_limits",
    "close",
    "from_config",
    "from_env",
    "has_account",
    "journal",
    "loaded_accounts",
    "other_means",
    "provider",
}


@pytest.fixture
def code(shop: Shop) -> str:
    return shop.voucher()[1]


def run(shop: Shop, use: Callable[[AsyncGateway], Coroutine[Any, Any, None]], *, threads: int = 4) -> None:
    async def main() -> None:
        async with AsyncGateway(shop.another_gateway(), threads=threads) as gateway:
            await use(gateway)

    asyncio.run(main())


def test_a_verb_is_awaited_with_the_same_arguments(shop: Shop, code: str) -> None:
    async def use(gateway: AsyncGateway) -> None:
        redemption = await gateway.redeem("shop", code, TEN, reference="1001-a", order="1001")
        assert redemption.money == TEN
        assert (await gateway.redeem("shop", code, TEN, reference="1001-a", order="1001")).replayed
        assert (await gateway.balance("shop", code)).remaining == Money("40.00", "EUR")

    run(shop, use)


def test_an_error_is_that_of_the_verb(shop: Shop, code: str) -> None:
    async def use(gateway: AsyncGateway) -> None:
        with pytest.raises(InsufficientValue):
            await gateway.redeem("shop", code, Money("60.00", "EUR"), reference="1001-a")

    run(shop, use)


def test_the_event_loop_goes_on_while_the_vendor_is_slow(shop: Shop, code: str) -> None:
    shop.running.inject("slow", "* *", times=1, delay_s=0.3)

    async def use(gateway: AsyncGateway) -> None:
        call = asyncio.create_task(gateway.balance("shop", code))
        ticks = 0
        while not call.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 5
        assert (await call).voucher_id

    run(shop, use)


def test_calls_beyond_the_threads_wait_for_one(shop: Shop, code: str) -> None:
    at_once, most, guard = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal at_once, most
        with guard:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.02)
        with guard:
            at_once -= 1

    async def use(gateway: AsyncGateway) -> None:
        await asyncio.gather(*[gateway.threads.run(call) for _ in range(9)])

    run(shop, use, threads=3)
    assert most == 3


def test_a_time_out_of_the_caller_is_an_unknown_outcome_that_the_reference_tells(shop: Shop, code: str) -> None:
    shop.running.inject("slow", "POST /v1/reservations/*/charge", times=1, delay_s=0.4)

    async def use(gateway: AsyncGateway) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await gateway.redeem("shop", code, TEN, reference="1001-a")
        redemption = await gateway.redeem("shop", code, TEN, reference="1001-a", wait=10)
        assert redemption.money == TEN

    run(shop, use)
    assert shop.gateway.balance("shop", code).remaining == Money("40.00", "EUR")
    assert [record.state for record in shop.gateway.operations()] == [OperationState.SUCCEEDED]


def test_the_outcome_of_a_cancelled_call_is_logged(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.running.inject("slow", "* *", times=1, delay_s=0.3)

    async def use(gateway: AsyncGateway) -> None:
        call = asyncio.create_task(gateway.redeem("shop", code, Money("60.00", "EUR"), reference="1001-a"))
        await asyncio.sleep(0.1)
        call.cancel()

    run(shop, use)
    assert "a call ended after its task was cancelled: declined (InsufficientValue)" in caplog.text


def test_a_call_that_waits_for_a_thread_is_not_made_when_its_task_is_cancelled(shop: Shop, code: str) -> None:
    shop.running.inject("slow", "* *", times=1, delay_s=0.3)

    async def use(gateway: AsyncGateway) -> None:
        first = asyncio.create_task(gateway.balance("shop", code))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(gateway.redeem("shop", code, TEN, reference="1001-a"))
        await asyncio.sleep(0.05)
        second.cancel()
        await first

    run(shop, use, threads=1)
    assert shop.gateway.operation("shop", "redeem", "1001-a") is None


def test_vouchers_are_iterated_page_by_page(shop: Shop, code: str) -> None:
    shop.voucher()

    async def use(gateway: AsyncGateway) -> None:
        ids = [voucher.id async for voucher in gateway.vouchers("shop", VoucherQuery())]
        assert len(set(ids)) == 2
        async for voucher in gateway.vouchers("shop"):
            assert voucher.id in ids
            break

    run(shop, use)


def test_closing_waits_for_the_calls_that_run(shop: Shop, code: str) -> None:
    shop.running.inject("slow", "* *", times=1, delay_s=0.3)

    async def use(gateway: AsyncGateway) -> None:
        asyncio.get_running_loop().create_task(gateway.redeem("shop", code, TEN, reference="1001-a"))
        await asyncio.sleep(0.1)

    run(shop, use)
    record = shop.gateway.operation("shop", "redeem", "1001-a")
    assert record is not None
    assert record.state is OperationState.SUCCEEDED


def test_a_forked_child_has_threads_of_its_own(shop: Shop, code: str) -> None:
    gateway = AsyncGateway(shop.another_gateway())
    asyncio.run(gateway.balance("shop", code))
    child = os.fork()
    if not child:
        os._exit(asyncio.run(gateway.balance("shop", code)).remaining != Money("50.00", "EUR"))
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(gateway.close())


def test_fewer_than_one_thread_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="threads must be above zero"):
        AsyncGateway(shop.gateway, threads=0)


@pytest.mark.parametrize("threads", ["4", 1.5])
def test_a_number_of_threads_is_a_whole_number(shop: Shop, threads: Any) -> None:
    with pytest.raises(InvalidRequest, match="threads must be above zero, as a whole number"):
        AsyncGateway(shop.gateway, threads=threads)


def test_a_call_after_the_end_sends_nothing(shop: Shop, code: str) -> None:
    async def main() -> None:
        gateway = AsyncGateway(shop.another_gateway())
        await gateway.close()
        with pytest.raises(ProviderUnavailable, match="nothing was sent: the AsyncGateway is closed"):
            await gateway.redeem("shop", code, TEN, reference="1001-a")

    asyncio.run(main())
    assert shop.charges() == 0


def test_a_time_out_ends_an_iteration_whose_next_step_runs(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def operations(self: Gateway) -> Any:
        try:
            begun.set()
            go_on.wait(10)
            yield "an operation"
        finally:
            closed.set()

    monkeypatch.setattr(AsyncGateway, "operations", iterate_on_thread(operations))

    async def use(gateway: AsyncGateway) -> None:
        async def read() -> None:
            async for _ in gateway.operations():
                raise AssertionError("it comes after the time-out")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.05)
        assert begun.is_set(), "the step runs"
        go_on.set()

    run(shop, use)
    assert closed.is_set(), "the generator is closed at the end of its step"


def test_an_order_is_paid_by_awaited_methods(shop: Shop, code: str) -> None:
    async def use(gateway: AsyncGateway) -> None:
        payment = await gateway.payment("1001", total=Money("60.00", "EUR"))
        leg = await payment.add(code, account="shop")
        assert (leg.amount, payment.due) == (Money("50.00", "EUR"), TEN)
        await payment.authorize()
        await payment.capture()
        again = await gateway.find_payment("1001")
        assert again is not None
        assert (again.state, again.captured) == (payment.state, Money("50.00", "EUR"))
        assert [record.order async for record in gateway.payments()] == ["1001"]
        assert await gateway.find_payment("1002") is None

    run(shop, use)


def test_a_voucher_is_sold_by_awaited_methods(shop: Shop) -> None:
    async def use(gateway: AsyncGateway) -> None:
        sale = await gateway.sale("1002-1", "shop", NewVoucher(initial=TEN))
        assert await (await sale.fulfil()).read_code() == await sale.read_code()
        assert (await sale.delivered()).delivered_at is not None
        assert [record.name async for record in gateway.sales()] == ["1002-1"]
        assert (await sale.revoke("charged back")).spent == Money.zero("EUR")

    run(shop, use)


@pytest.mark.parametrize(
    ("awaited", "blocking", "others"),
    [
        (AsyncGateway, Gateway, WITHOUT_WAITING),
        (AsyncPayment, Payment, {"refundable", "refunds"}),
        (AsyncSale, Sale, {"code", "pin"}),
    ],
)
def test_every_method_is_awaited_with_the_same_signature(awaited: type, blocking: type, others: set[str]) -> None:
    for name in sorted({name for name in dir(blocking) if not name.startswith("_")} - others):
        assert hasattr(awaited, name), f"{awaited.__name__} has no {name}"
        method, original = getattr(awaited, name), getattr(blocking, name)
        if isinstance(original, property):
            assert isinstance(method, property), name
            continue
        assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method), name
        assert inspect.signature(method) == inspect.signature(original), name
        assert method.__doc__ == original.__doc__, name


def test_a_time_out_counts_while_the_call_waits_for_a_thread_and_the_call_is_not_made(shop: Shop, code: str) -> None:
    shop.running.inject("slow", "* *", times=0, delay_s=0.5)

    async def use(gateway: AsyncGateway) -> None:
        busy = asyncio.create_task(gateway.balance("shop", code))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable, match="before a thread was free"):
            await gateway.redeem("shop", code, TEN, reference="1001-a", timeout=0.1)
        assert time.monotonic() - began < 0.4
        assert (await busy).remaining
        assert await gateway.operation("shop", "redeem", "1001-a") is None

    run(shop, use, threads=1)
    assert not shop.charges()


def test_a_time_out_of_a_call_on_a_thread_is_that_of_the_verb(shop: Shop, code: str) -> None:
    shop.running.inject("commit-then-hang", "POST */charge")

    async def use(gateway: AsyncGateway) -> None:
        with pytest.raises(OutcomeUnknown):
            await gateway.redeem("shop", code, TEN, reference="1001-a", timeout=0.3)
        shop.running.clear_faults()
        assert (await gateway.redeem("shop", code, TEN, reference="1001-a", timeout=5)).money == TEN
        payment = await gateway.payment("1002", total=TEN, timeout=5)
        await payment.add(code, account="shop", timeout=5)
        await payment.authorize(timeout=5)
        await payment.capture(timeout=5)
        sale = await gateway.sale("1003-1", "shop", NewVoucher(initial=TEN))
        assert (await sale.fulfil(timeout=5)) is sale

    run(shop, use)
    assert shop.charges() == 2
