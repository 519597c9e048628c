"""The ordered parallel map."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import cast

import pytest

from voucher_gateway.iteration import batched, ordered_map


def test_results_come_in_the_order_of_the_items_however_late_one_is() -> None:
    taken: list[int] = []
    gate = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        if number == 0:
            gate.wait(10)
        return number

    threading.Timer(0.2, gate.set).start()
    results = ordered_map(work, items(), 4)
    assert taken == []  # lazy
    assert next(results) == 0
    assert len(taken) <= 8
    assert list(results) == list(range(1, 100))


def test_at_most_as_many_calls_run_at_a_time_as_there_are_workers() -> None:
    lock, together = threading.Lock(), threading.Barrier(3)
    running: list[int] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        with lock:
            running.append(number)
            most = max(most, len(running))
        together.wait(10)
        with lock:
            running.remove(number)

    assert len(list(ordered_map(work, range(12), 3))) == 12
    assert most == 3


def test_no_items_give_no_results() -> None:
    assert list(ordered_map(str, [], 2)) == []


def test_an_error_of_a_call_takes_the_place_of_its_result_and_ends_the_rest() -> None:
    called: list[int] = []

    def work(number: int) -> int:
        called.append(number)
        if number == 3:
            raise KeyError(number)
        return number

    results = ordered_map(work, range(1000), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError):
        next(results)
    assert len(called) <= 7
    assert list(results) == []


def test_an_error_of_the_items_is_raised_when_all_running_calls_have_ended() -> None:
    ended: list[int] = []

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more items")

    with pytest.raises(ValueError, match="no more items"):
        list(ordered_map(ended.append, items(), 4))
    assert ended == [1]


def test_an_early_close_cancels_what_has_not_started_and_waits_for_the_rest() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number > 0:
            threading.Event().wait(0.05)
        ended.append(number)
        return number

    results = cast("Generator[int]", ordered_map(work, range(1000), 2))
    assert next(results) == 0
    results.close()
    assert sorted(begun) == sorted(ended)
    assert len(ended) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ordered-map")]


@pytest.mark.parametrize(
    ("count", "size", "lengths"), [(0, 3, []), (2, 3, [2]), (3, 3, [3]), (7, 3, [3, 3, 1]), (2, 1, [1, 1])]
)
def test_batches_hold_every_item_once_in_order(count: int, size: int, lengths: list[int]) -> None:
    batches = list(batched(iter(range(count)), size))
    assert [len(batch) for batch in batches] == lengths
    assert [item for batch in batches for item in batch] == list(range(count))
