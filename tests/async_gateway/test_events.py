"""Events for asyncio: they are awaited, and a cancelled task gives its feed back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.journal.events.test_reader import append
from tests.support.shop import Shop
from voucher_gateway import AsyncGateway, Event, OperationInProgress


def run(shop: Shop, use: Callable[[AsyncGateway], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with AsyncGateway(shop.another_gateway(), threads=2) as gateway:
            await use(gateway)

    asyncio.run(main())


def append_many(shop: Shop, *subjects: str) -> None:
    for subject in subjects:
        append(shop.journal, subject)


def test_events_are_read_by_async_for(shop: Shop) -> None:
    append_many(shop, *map(str, range(250)))

    async def use(gateway: AsyncGateway) -> None:
        everything = [event async for event in gateway.events()]
        assert [event.subject for event in everything] == [str(number) for number in range(250)]
        rest = [event.subject async for event in gateway.events(after=everything[1].cursor, limit=2)]
        assert rest == ["2", "3"]
        assert [event async for event in gateway.events(order="1001")] == []
        assert [event async for event in gateway.events(limit=0)] == []

    run(shop, use)


def test_a_follower_occupies_no_thread_while_it_waits_and_can_be_cancelled(shop: Shop) -> None:
    append_many(shop, "first")
    _, code = shop.voucher()

    async def use(gateway: AsyncGateway) -> None:
        seen: list[str] = []

        async def follow() -> None:
            async for event in gateway.events(follow=True, kinds="account.paused"):
                seen.append(event.subject)  # noqa: PERF401 - it has no end

        followers = [asyncio.create_task(follow()) for _ in range(5)]  # more than there are threads
        while len(seen) < 5:
            await asyncio.sleep(0.01)
        await gateway.balance("shop", code)
        append_many(shop, "second")
        while len(seen) < 10:
            await asyncio.sleep(0.01)
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        assert seen == ["first"] * 5 + ["second"] * 5

    run(shop, use)


def test_a_feed_is_committed_and_goes_on(shop: Shop) -> None:
    append_many(shop, "a", "b", "c")

    async def use(gateway: AsyncGateway) -> None:
        async with await gateway.event_feed("f") as feed:
            async for event in feed:
                await feed.commit()
                if event.subject == "b":
                    break
        handled: list[str] = []

        async def handle(event: Event) -> None:
            await asyncio.sleep(0)
            handled.append(event.subject)

        feed = await gateway.event_feed("f")
        assert await feed.deliver(handle) == 1
        append_many(shop, "d")
        assert await feed.deliver(lambda event: handled.append(event.subject)) == 1
        assert handled == ["c", "d"]

    run(shop, use)


def test_an_event_whose_handler_failed_comes_again(shop: Shop) -> None:
    append_many(shop, "a")

    async def fail(event: Event) -> None:
        raise RuntimeError("the queue is down")

    async def use(gateway: AsyncGateway) -> None:
        feed = await gateway.event_feed("f")
        with pytest.raises(RuntimeError):
            await feed.deliver(fail)
        assert await feed.deliver(lambda event: None) == 1

    run(shop, use)


def test_one_task_at_a_time_has_a_feed_and_a_cancelled_one_gives_it_back(shop: Shop) -> None:
    append_many(shop, "a")

    async def use(gateway: AsyncGateway) -> None:
        feed = await gateway.event_feed("f")
        waiting = asyncio.create_task(feed.deliver(lambda event: None, follow=True))
        await asyncio.sleep(0.2)
        other = await gateway.event_feed("f")
        with pytest.raises(OperationInProgress):
            await other.open()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await other.open()
        await other.close()

    run(shop, use)


def test_a_task_that_is_cancelled_while_it_waits_for_the_feed_does_not_keep_it(shop: Shop) -> None:
    async def use(gateway: AsyncGateway) -> None:
        first = await (await gateway.event_feed("f")).open()
        second = await gateway.event_feed("f", wait=10)
        waiting = asyncio.create_task(second.open())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.sleep(0.1)
        begin = time.monotonic()
        await first.close()
        await asyncio.gather(waiting, return_exceptions=True)
        third = await gateway.event_feed("f", wait=1)
        await third.open()
        await third.close()
        assert time.monotonic() - begin < 5

    run(shop, use)
