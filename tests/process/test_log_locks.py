"""A forked child can log, whatever the threads of its parent were writing."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.forked_child import run_in_child
from voucher_gateway.process import log_locks

LOG = logging.getLogger("tests.log_locks")


class SlowFile(io.RawIOBase):
    """A file whose first write takes a while, as on a busy disk."""

    def __init__(self, takes_s: float) -> None:
        self.is_writing = threading.Event()
        self.text = b""
        self._takes_s = takes_s

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.is_writing.is_set():
            self.is_writing.set()
            time.sleep(self._takes_s)
        self.text += bytes(data)
        return len(data)


class HandlerWithItsOwnLock(logging.StreamHandler[Any]):
    """A handler whose lock `logging` does not know, so that a child keeps the state that it had in the parent."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = threading.RLock()


@pytest.fixture
def attach() -> Iterator[Callable[[logging.Handler], None]]:
    """Attach handlers to the logger of these tests."""
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    yield LOG.addHandler
    LOG.handlers.clear()
    LOG.propagate = True
    LOG.setLevel(logging.NOTSET)


@contextmanager
def in_a_thread(work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def log_and_answer() -> str:
    with in_a_thread(lambda: LOG.info("of the child")):
        pass
    return "logged"


@pytest.mark.parametrize("kind", [logging.StreamHandler, HandlerWithItsOwnLock])
def test_a_child_that_is_forked_while_a_thread_writes_a_line_can_log(
    kind: type[logging.StreamHandler[Any]], attach: Callable[[logging.Handler], None]
) -> None:
    file = SlowFile(takes_s=0.3)
    attach(kind(io.TextIOWrapper(io.BufferedWriter(file), encoding="ascii")))
    with in_a_thread(lambda: LOG.info("of a thread")):
        assert file.is_writing.wait(10)
        assert run_in_child(log_and_answer, within_s=10) == "'logged'"
    LOG.info("of the parent, which goes on")
    assert file.text == b"of a thread\nof the parent, which goes on\n"


def test_a_thread_that_writes_a_line_with_two_handlers_does_not_keep_a_fork_waiting(
    attach: Callable[[logging.Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_locks, "LOG_WAIT_S", 60)
    first, second = logging.StreamHandler(io.StringIO()), logging.StreamHandler(io.StringIO())
    attach(first)
    attach(second)
    is_writing = threading.Event()

    def write() -> None:
        with second.lock:  # type: ignore[union-attr]  # it has one
            is_writing.set()
            time.sleep(0.2)  # the fork holds the lock of the first now, or would
            with first.lock:  # type: ignore[union-attr]
                pass

    began = time.monotonic()
    with in_a_thread(write):
        assert is_writing.wait(10)
        assert run_in_child(log_and_answer) == "'logged'"
    assert time.monotonic() - began < 30


def test_a_thread_that_configures_logging_does_not_keep_a_fork_waiting(
    attach: Callable[[logging.Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_locks, "LOG_WAIT_S", 60)
    handler = logging.StreamHandler(io.StringIO())
    attach(handler)
    is_configuring = threading.Event()

    def configure() -> None:
        with logging._lock:  # type: ignore[attr-defined]  # as `logging.config` does
            is_configuring.set()
            time.sleep(0.2)
            handler.acquire()
            handler.release()

    began = time.monotonic()
    with in_a_thread(configure):
        assert is_configuring.wait(10)
        assert run_in_child(log_and_answer) == "'logged'"
    assert time.monotonic() - began < 30


def test_a_fork_does_not_wait_for_ever_for_a_line_and_the_others_can_log(
    attach: Callable[[logging.Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_locks, "LOG_WAIT_S", 0.1)
    stuck, text = logging.StreamHandler(io.StringIO()), io.StringIO()
    attach(logging.StreamHandler(text))
    attach(stuck)
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        with stuck.lock:  # type: ignore[union-attr]
            holds.set()
            over.wait(60)

    with in_a_thread(hold):
        assert holds.wait(10)
        try:
            assert run_in_child(log_and_answer) == "'logged'"
            LOG.removeHandler(stuck)
            with in_a_thread(lambda: LOG.info("of another thread")):
                pass
        finally:
            over.set()
    assert text.getvalue() == "of another thread\n"


def test_a_process_that_forks_while_it_writes_a_line_goes_on(attach: Callable[[logging.Handler], None]) -> None:
    answers = []

    class Forking(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            answers.append(run_in_child(lambda: "in a line"))

    attach(Forking())
    LOG.info("a line")
    with in_a_thread(lambda: LOG.info("of another thread")):
        pass
    assert answers == ["'in a line'", "'in a line'"]
