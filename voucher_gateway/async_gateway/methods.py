"""Makes the asynchronous method of a method that blocks, with the same arguments."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from voucher_gateway.async_gateway.threads import CallThreads

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)
S = TypeVar("S", bound="Wrapper[Any]")
W = TypeVar("W")

_END: Final = object()


class Wrapper(Protocol[B_co]):
    """An object whose methods run those of another object on threads."""

    @property
    def blocking(self) -> B_co:
        """The object whose methods block."""
        ...

    @property
    def threads(self) -> CallThreads:
        """Where they run."""
        ...


def run_on_thread(
    method: Callable[Concatenate[B, P], T],
) -> Callable[Concatenate[Wrapper[B], P], Coroutine[Any, Any, T]]:
    """Return the asynchronous method that runs a method of the wrapped object on a thread.

    Args:
        method: a function of the class of the wrapped object. The result has its name, arguments and documentation.
    """

    @functools.wraps(method)
    async def run(self: Wrapper[B], /, *arguments: P.args, **keywords: P.kwargs) -> T:
        call = self.threads.run(method, self.blocking, *arguments, **keywords)
        del arguments, keywords  # they may hold a code, and an error keeps this frame
        return await call

    return run


def run_and_wrap(
    method: Callable[Concatenate[B, P], T], wrap: Callable[[T, CallThreads], W]
) -> Callable[Concatenate[Wrapper[B], P], Coroutine[Any, Any, W]]:
    """Return the asynchronous method that runs a method on a thread, and wraps what it returns.

    Args:
        method: a function of the class of the wrapped object.
        wrap: makes the asynchronous object of the result.
    """

    @functools.wraps(method)
    async def run(self: Wrapper[B], /, *arguments: P.args, **keywords: P.kwargs) -> W:
        call = self.threads.run(method, self.blocking, *arguments, **keywords)
        del arguments, keywords
        return wrap(await call, self.threads)

    return run


def run_for_self(method: Callable[Concatenate[B, P], B]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, S]]:
    """Return the asynchronous method that runs a method on a thread, and returns the wrapper.

    Args:
        method: a function of the class of the wrapped object, which returns that object.
    """

    @functools.wraps(method)
    async def run(self: S, /, *arguments: P.args, **keywords: P.kwargs) -> S:
        await self.threads.run(method, self.blocking, *arguments, **keywords)
        return self

    return run


def iterate_on_thread(
    method: Callable[Concatenate[B, P], Iterator[T]],
) -> Callable[Concatenate[Wrapper[B], P], AsyncIterator[T]]:
    """Return the method that reads each entry of an iterator on a thread.

    Args:
        method: a function of the class of the wrapped object. If its iterator has a ``close``, that is called at the
            end, also where the reader stops early.
    """

    @functools.wraps(method)
    async def iterate(self: Wrapper[B], /, *arguments: P.args, **keywords: P.kwargs) -> AsyncIterator[T]:
        call = self.threads.run(method, self.blocking, *arguments, **keywords)
        del arguments, keywords
        steps = _Steps(await call)
        try:
            while (entry := await self.threads.run(steps.next)) is not _END:
                yield entry  # it is not the end
        except asyncio.CancelledError:
            self.threads.start(steps.close)  # when the step ends that runs: the task does not wait for it
            raise
        except BaseException:
            await self.threads.run(steps.close)
            raise
        await self.threads.run(steps.close)

    return iterate


class _Steps:
    """The steps of an iterator, one at a time: a generator that runs on one thread cannot be closed by another."""

    def __init__(self, entries: Iterator[Any]) -> None:
        self._entries = entries
        self._lock = threading.Lock()

    def next(self) -> Any:
        """Return the next entry, or `_END`."""
        with self._lock:
            return next(self._entries, _END)

    def close(self) -> None:
        """Close the iterator, if it can be closed."""
        close = getattr(self._entries, "close", None)
        if close is not None:
            with self._lock:
                close()
