"""The idle connections of a pool: as many as it may have, the last one first, and none in a forked child."""

from __future__ import annotations

import queue

import pytest

from voucher_gateway.http.deadlines import ForkSafePoolQueue


def test_the_connection_that_was_put_last_is_taken_first() -> None:
    idle = ForkSafePoolQueue(3)
    for connection in (None, "first", "second"):
        idle.put(connection)
    assert [idle.get(), idle.get(), idle.get()] == ["second", "first", None]
    with pytest.raises(queue.Empty):
        idle.get()


def test_there_are_no_more_than_the_pool_may_have() -> None:
    idle = ForkSafePoolQueue(1)
    idle.put("first")
    with pytest.raises(queue.Full):
        idle.put("second", block=False)
    assert idle.qsize() == 1


def test_a_child_forgets_them() -> None:
    idle = ForkSafePoolQueue(1)
    idle.put("the parent's")
    idle.clear_after_fork()
    assert idle.qsize() == 0
