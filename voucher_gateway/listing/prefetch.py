"""Fetches pages ahead, on a few threads."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

R = TypeVar("R")


class InContext(Generic[R]):
    """A function that runs in the context in which this object was made, whichever thread calls it.

    So the pages of a listing are requested for the work that asked for the listing.
    """

    def __init__(self, fetch: Callable[[int], R]) -> None:
        self._fetch = fetch
        self._context = contextvars.copy_context()

    def __call__(self, index: int) -> R:
        """Fetch a page."""
        return self._context.copy().run(self._fetch, index)  # two threads cannot be in one context


class Prefetcher(Generic[R]):
    """A few daemon threads that fetch pages. They do not refer to the listing, so that it can be garbage-collected.

    It is not a ThreadPoolExecutor: at its end, the interpreter would wait for its threads, up to a whole deadline.
    """

    def __init__(self, fetch: Callable[[int], R]) -> None:
        self._fetch = fetch
        self._jobs: queue.SimpleQueue[tuple[int, Future[R]] | None] = queue.SimpleQueue()
        self._threads = 0

    def submit(self, index: int, most: int) -> Future[R]:
        """Fetch a page as soon as one of at most `most` threads is free."""
        future: Future[R] = Future()
        self._jobs.put((index, future))
        if self._threads < most:
            self._threads += 1
            threading.Thread(target=_work, args=(self._fetch, self._jobs), name="listing", daemon=True).start()
        return future

    def stop(self) -> None:
        """Drop the jobs that were not begun, and let the threads end."""
        threads, self._threads = self._threads, 0
        if not threads:
            return  # it was stopped before, and the queue holds an end for each thread
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()
        for _ in range(threads):
            self._jobs.put(None)

    def __del__(self) -> None:
        self.stop()


def _work(fetch: Callable[[int], R], jobs: queue.SimpleQueue[tuple[int, Future[R]] | None]) -> None:
    while _work_once(fetch, jobs):
        pass


def _work_once(fetch: Callable[[int], R], jobs: queue.SimpleQueue[tuple[int, Future[R]] | None]) -> bool:
    """Do one job. It is a function, so that a waiting thread does not keep the last page alive."""
    job = jobs.get()
    if job is None:
        return False
    index, future = job
    try:
        future.set_result(fetch(index))
    except BaseException as error:  # noqa: BLE001 - handed to the thread that reads the listing, which raises it
        future.set_exception(error)
    return True
