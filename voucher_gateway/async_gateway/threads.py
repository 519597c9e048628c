"""The threads on which an `AsyncGateway` runs its calls."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final, ParamSpec, TypeVar

from voucher_gateway.errors import InvalidRequest, ProviderUnavailable, VoucherGatewayError
from voucher_gateway.limits.call_deadline import seconds_left, use_call_deadline
from voucher_gateway.process import fork_safety
from voucher_gateway.process.loggers import get_logger

P = ParamSpec("P")
T = TypeVar("T")

log: Final = get_logger("voucher_gateway.calls")


class CallThreads:
    """Threads that run calls for event loops. Calls beyond their number wait, and their tasks with them.

    The default threads of an event loop are shared with everything else of a program. A vendor that does not answer
    would block all of them.

    Args:
        count: how many calls can run at the same time.

    Raises:
        InvalidRequest: if `count` is below one.
    """

    def __init__(self, count: int) -> None:
        if not _is_positive(count):
            raise InvalidRequest(
                "threads must be above zero, as a whole number", field="threads", rule="at least 1, as a whole number"
            )
        self._count = count
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new threads: a child has none of its parent."""
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="voucher-gateway")

    async def run(self, function: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs) -> T:
        """Call a function on a thread, with the context of the task, and return its result.

        If the task is cancelled while the call waits for a thread, the call is not made. If it is cancelled later, the
        call ends on its thread and its result or error is dropped. The keyword `timeout` of the function counts from
        here on, and the call is not made if no thread is free by then.

        Raises:
            ProviderUnavailable: if no thread was free before the call's deadline, or the gateway was closed.
        """
        fork_safety.renew_if_forked()
        timeout: Any = keywords.get("timeout")
        call = functools.partial(function, *arguments, **keywords)
        del arguments, keywords  # they may hold a code, and an error keeps this frame
        with ExitStack() as stack:
            try:
                stack.enter_context(use_call_deadline(timeout))
                future = self._submit(call)
            finally:
                del call
            if future is None:
                raise ProviderUnavailable("nothing was sent: the AsyncGateway is closed, or the program ends")
            try:
                return await _wait_for_result(future)
            except asyncio.CancelledError:
                if not future.cancel():
                    future.add_done_callback(_log_dropped)
                raise

    def start(self, function: Callable[[], object]) -> None:
        """Call a function on a thread, when one is free. Nothing waits for it. After `close` it is not called."""
        self._submit(function)

    def _submit(self, function: Callable[[], T]) -> Future[T] | None:
        """Call a function on a thread with the context of the caller; None after `close`, or when the program ends."""
        try:
            return self._pool.submit(contextvars.copy_context().run, function)
        except RuntimeError:
            return None

    async def close(self) -> None:
        """Wait until the calls that run have ended, and end the threads."""
        fork_safety.renew_if_forked()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, functools.partial(self._pool.shutdown, wait=True))


def _is_positive(count: object) -> bool:
    return isinstance(count, int) and count > 0


async def _wait_for_result(future: Future[T]) -> T:
    """Return the result of a call; a call that no thread has begun at the deadline of this context is not made."""
    result, seconds = asyncio.wrap_future(future), seconds_left()
    if seconds is not None:
        try:
            await asyncio.wait({result}, timeout=seconds)
        except asyncio.CancelledError:
            result.cancel()  # otherwise asyncio reports that its error was never read
            raise
        if not result.done() and future.cancel():
            raise ProviderUnavailable("nothing was sent: the time-out of the call was over before a thread was free")
    return await result


def _log_dropped(future: Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    outcome = error.outcome if isinstance(error, VoucherGatewayError) else None
    text = "succeeded" if error is None else f"{outcome or 'failed'} ({type(error).__name__})"
    log.warning("a call ended after its task was cancelled: %s; the same reference returns its outcome", text)
