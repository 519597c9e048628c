"""Fetching ahead on a few threads."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

R = TypeVar("R")


class Prefetcher(Generic[R]):
    """A few daemon threads that fetch pages; they know nothing of the listing, so that it can be collected.

    Not a ThreadPoolExecutor: the interpreter waits at its end for the threads of one, up to a vendor's whole deadline.
    """

    def __init__(self, fetch: Callable[[int], R]) -> None:
        self._fetch = fetch
        self._jobs: queue.SimpleQueue[tuple[int, Future[R]] | None] = queue.SimpleQueue()
        self._threads = 0

    def submit(self, index: int, most: int) -> Future[R]:
        """Fetch a page as soon as one of at most `most` threads is free."""
        coming: Future[R] = Future()
        self._jobs.put((index, coming))
        if self._threads < most:
            self._threads += 1
            threading.Thread(target=_work, args=(self._fetch, self._jobs), name="listing", daemon=True).start()
        return coming

    def stop(self) -> None:
        """Drop what was not begun and let the threads end."""
        threads, self._threads = self._threads, 0
        if not threads:
            return  # stopped before: the queue holds the ends that the threads are waiting for
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
    """Do one job, in a frame of its own: a thread that waits must not keep the last page alive."""
    job = jobs.get()
    if job is None:
        return False
    index, coming = job
    try:
        coming.set_result(fetch(index))
    except BaseException as error:  # noqa: BLE001 - handed to the thread that reads the listing, which raises it
        coming.set_exception(error)
    return True
