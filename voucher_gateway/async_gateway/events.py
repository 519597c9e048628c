"""Events for asyncio: `AsyncGateway.events`, and `AsyncEventFeed`."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Self

from voucher_gateway.async_gateway.methods import Wrapper
from voucher_gateway.async_gateway.threads import CallThreads
from voucher_gateway.gateway.event_verbs import open_reader
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.events.event import Event
from voucher_gateway.journal.events.feed import EventFeed, check_limit
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.events.reader import PAGE, POLL_S, EventReader


async def iterate_events(
    self: Wrapper[Gateway],
    *,
    after: str | None = None,
    kinds: Iterable[EventKind | str] = (),
    order: str | None = None,
    limit: int | None = None,
    follow: bool = False,
) -> AsyncIterator[Event]:
    """Iterate over what happened. While it waits for later events, no thread is busy."""
    kinds, left = tuple([kinds] if isinstance(kinds, str) else kinds), limit
    reader = await self.threads.run(_open_reader, self.blocking, after, kinds, order, limit)
    while True:
        page = PAGE if left is None else min(left, PAGE)
        events = await self.threads.run(reader.read, page)
        for event in events:
            yield event
        left = None if left is None else left - len(events)
        if left == 0 or (len(events) < page and not follow):
            return
        if len(events) < page:
            await asyncio.sleep(POLL_S)


functools.update_wrapper(iterate_events, Gateway.events)


def _open_reader(
    gateway: Gateway, after: str | None, kinds: tuple[EventKind | str, ...], order: str | None, limit: int | None
) -> EventReader:
    gateway.events(limit=limit)  # raises the error of a wrong limit, or of a gateway without a journal
    assert gateway.journal is not None
    return open_reader(gateway.journal, after=after, kinds=kinds, order=order)


class AsyncEventFeed:
    """An `EventFeed` whose methods are awaited. `AsyncGateway.event_feed` returns it.

        async with await gateway.event_feed("warehouse") as feed:
            async for event in feed:
                await handle(event)
                await feed.commit()

    A cancelled task gives the feed back. What it has not committed comes again.
    """

    def __init__(self, feed: EventFeed, threads: CallThreads) -> None:
        self._feed = feed
        self._threads = threads

    def __repr__(self) -> str:
        return f"Async{self._feed!r}"

    @property
    def name(self) -> str:
        """The name of the consumer."""
        return self._feed.name

    async def open(self) -> Self:
        """Take the feed, as `EventFeed.open` does. An ``async with`` block does it at its begin."""
        try:
            await self._threads.run(self._feed.open)
        except asyncio.CancelledError:
            # The call may have taken the feed on its thread, and nothing would give it back.
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Give the feed back, as `EventFeed.close` does. An ``async with`` block does it at its end."""
        await asyncio.shield(self._threads.run(self._feed.close))

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events that are there now, from the first one that this object has not given yet."""
        while events := await self._threads.run(self._feed.read):
            for event in events:
                self._feed.pass_by(event)
                yield event

    async def commit(self, event: Event | None = None) -> None:
        """Record that an event and all before it are handled, as `EventFeed.commit` does."""
        await self._threads.run(self._feed.commit, event)

    async def deliver(self, handler: Callable[[Event], Any], *, limit: int | None = None, follow: bool = False) -> int:
        """Call a function with each event, and commit after each call, as `EventFeed.deliver` does.

        Args:
            handler: the function. It runs on the event loop, and what it returns is awaited if it can be.
            limit: at most this many events.
            follow: whether to wait for later events at the end, without an end.

        Returns:
            how many events were delivered.
        """
        check_limit(limit)
        count = 0
        async with self:
            while count != limit:
                events = await self._threads.run(self._feed.read)
                for event in events[: None if limit is None else limit - count]:
                    result = handler(event)
                    if inspect.isawaitable(result):
                        await result
                    await self.commit(event)
                    count += 1
                if events:
                    continue
                if not follow:
                    break
                await asyncio.sleep(POLL_S)
        return count
