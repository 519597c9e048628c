"""Names are looked up for as long as no fork is under way: the C library's locks are not renewed in a child."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.forked_child import run_in_child
from tests.support.threads import run_numbered_threads
from voucher_gateway.http import resolver

ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]


class SystemResolver:
    """Stands for the C library's resolver: each look-up holds a lock, and a child gets no new one.

    The lock is held by chance only for microseconds, so this one holds it for longer.
    """

    def __init__(self, takes_s: float) -> None:
        self.is_busy = threading.Event()
        self.lock = threading.Lock()
        self._takes_s = takes_s

    def getaddrinfo(self, *_: object) -> Any:
        with self.lock:
            if not self.is_busy.is_set():
                self.is_busy.set()
                time.sleep(self._takes_s)
            return ANSWER


@contextmanager
def busy(system: SystemResolver, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a thread look a name up."""
    monkeypatch.setattr(socket, "getaddrinfo", system.getaddrinfo)
    thread = threading.Thread(target=resolver.look_up, args=("vendor.test", 80))
    thread.start()
    try:
        assert system.is_busy.wait(10)
        yield
    finally:
        thread.join()


def look_up_in_threads() -> list[object]:
    return run_numbered_threads(2, lambda _: resolver.look_up("vendor.test", 80))


def test_a_child_that_is_forked_during_a_look_up_can_look_names_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_WAIT_S", 30)
    with busy(SystemResolver(takes_s=0.3), monkeypatch):
        for _ in range(2):
            assert run_in_child(look_up_in_threads, within_s=10) == "[['192.0.2.1'], ['192.0.2.1']]"
    assert resolver.look_up("vendor.test", 80) == ["192.0.2.1"]


def test_threads_that_look_names_up_all_the_time_do_not_keep_a_fork_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_WAIT_S", 30)
    over = threading.Event()

    def answer_soon(*_: object) -> Any:
        time.sleep(0.01)
        return ANSWER

    def look_up_until_over() -> None:
        while not over.is_set():
            resolver.look_up("vendor.test", 80)

    monkeypatch.setattr(socket, "getaddrinfo", answer_soon)
    threads = [threading.Thread(target=look_up_until_over) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        began = time.monotonic()
        assert run_in_child(lambda: resolver.look_up("vendor.test", 80)) == "['192.0.2.1']"
        assert time.monotonic() - began < 20
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_fork_does_not_wait_long_for_a_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_WAIT_S", 0.05)
    system = SystemResolver(takes_s=3)
    with busy(system, monkeypatch):
        assert run_in_child(lambda: "forked") == "'forked'"
        assert system.lock.locked()  # the look-up still waits for its answer
    assert resolver.look_up("vendor.test", 80) == ["192.0.2.1"]


def test_a_look_up_that_fails_keeps_no_fork_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "LOOK_UP_WAIT_S", 30)

    def fail(*_: object) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror):
        resolver.look_up("vendor.test", 80)
    began = time.monotonic()
    assert run_in_child(lambda: "forked") == "'forked'"
    assert time.monotonic() - began < 20
