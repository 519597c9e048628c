"""A consumer of events handles each one at least once and in order, whatever becomes of its workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.journal.events.test_reader import append
from tests.support.forked_child import WITH_HOOKS, Child
from tests.support.shop import Shop
from voucher_gateway import Event, EventFeed, EventKind, InvalidRequest, OperationInProgress
from voucher_gateway.journal.schema import cursors


def append_many(shop: Shop, *subjects: str) -> None:
    for subject in subjects:
        append(shop.journal, subject)


def subjects_of(feed: EventFeed) -> list[str]:
    with feed:
        return [event.subject for event in feed]


def test_what_was_not_committed_comes_again(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b", "c")
    with either_shop.gateway.event_feed("f") as feed:
        assert [event.subject for event in feed] == ["a", "b", "c"]
    with either_shop.another_gateway().event_feed("f") as feed:
        for event in feed:
            if event.subject == "b":
                break
            feed.commit()
    assert subjects_of(either_shop.gateway.event_feed("f")) == ["b", "c"]


def test_each_consumer_has_its_own_place(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b")
    assert either_shop.gateway.event_feed("one").deliver(lambda event: None) == 2
    assert subjects_of(either_shop.gateway.event_feed("one")) == []
    assert subjects_of(either_shop.gateway.event_feed("two")) == ["a", "b"]


def test_deliver_commits_after_each_call_and_an_error_brings_the_event_again(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b", "c")
    handled: list[str] = []

    def handle(event: Event) -> None:
        handled.append(event.subject)
        if handled == ["a", "b"]:
            raise RuntimeError("the queue is down")

    feed = either_shop.gateway.event_feed("f")
    with pytest.raises(RuntimeError):
        feed.deliver(handle)
    assert feed.deliver(handle) == 2
    assert handled == ["a", "b", "b", "c"]


def test_an_open_feed_gives_an_event_again_whose_handler_failed(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b")
    handled: list[str] = []

    def fail(event: Event) -> None:
        raise RuntimeError

    with either_shop.gateway.event_feed("f") as feed:
        with pytest.raises(RuntimeError):
            feed.deliver(fail)
        assert feed.deliver(lambda event: handled.append(event.subject)) == 2
    assert handled == ["a", "b"]


def test_deliver_ends_after_so_many_events(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b", "c")
    handled: list[str] = []
    with either_shop.gateway.event_feed("f") as feed:
        assert feed.deliver(lambda event: handled.append(event.subject), limit=2) == 2
        assert feed.deliver(lambda event: handled.append(event.subject), limit=0) == 0
        assert feed.deliver(lambda event: handled.append(event.subject)) == 1
    assert handled == ["a", "b", "c"]


def test_deliver_can_wait_for_later_events(either_shop: Shop) -> None:
    later = threading.Timer(0.2, append_many, (either_shop, "late"))
    later.start()
    handled: list[str] = []
    either_shop.gateway.event_feed("f").deliver(lambda event: handled.append(event.subject), limit=1, follow=True)
    later.join()
    assert handled == ["late"]


def test_a_consumer_may_want_some_kinds_only_and_still_moves_on(either_shop: Shop) -> None:
    append_many(either_shop, *(f"a-{number}" for number in range(250)))
    feed = either_shop.gateway.event_feed("f", kinds=[EventKind.OPERATION_SUCCEEDED])
    assert subjects_of(feed) == []
    (place,) = places(either_shop)
    assert place["event_id"] == int(list(either_shop.gateway.events())[-1].cursor.partition("-")[2])
    _, code = either_shop.voucher()
    either_shop.redeem(code, order="1001")
    with feed:
        assert [event.order for event in feed] == ["1001"]


def places(shop: Shop) -> list[Any]:
    with shop.journal.database.read() as connection:
        return list(connection.execute(sa.select(cursors)).mappings())


def test_a_new_consumer_may_begin_now(either_shop: Shop) -> None:
    append_many(either_shop, "old")
    assert subjects_of(either_shop.gateway.event_feed("f", start="now")) == []
    append_many(either_shop, "new")
    assert subjects_of(either_shop.gateway.event_feed("f", start="now")) == ["new"]


def test_two_workers_do_not_read_under_one_name(either_shop: Shop) -> None:
    append_many(either_shop, "a")
    with either_shop.gateway.event_feed("f"):
        for gateway in (either_shop.gateway, either_shop.another_gateway()):
            with pytest.raises(OperationInProgress, match="another worker reads the feed f"):
                gateway.event_feed("f").open()
        assert subjects_of(either_shop.gateway.event_feed("g")) == ["a"]
    assert subjects_of(either_shop.gateway.event_feed("f")) == ["a"]


def test_a_worker_can_wait_for_another(either_shop: Shop) -> None:
    append_many(either_shop, "a")
    first = either_shop.gateway.event_feed("f").open()
    threading.Timer(0.2, first.close).start()
    assert subjects_of(either_shop.another_gateway().event_feed("f", wait=10)) == ["a"]


def test_a_worker_that_lost_its_lock_does_not_move_the_place_of_its_follower(either_shop: Shop) -> None:
    append_many(either_shop, "a", "b")
    with either_shop.gateway.event_feed("f") as stale:
        events = list(stale)
        with either_shop.journal.database.write() as connection:  # what another worker did that had the lock since
            connection.execute(sa.update(cursors).values(event_id=EVENT_ID))
        with pytest.raises(OperationInProgress, match="another worker has read the feed f since"):
            stale.commit(events[0])
    assert places(either_shop)[0]["event_id"] == EVENT_ID


EVENT_ID = 2**40


def test_a_worker_whose_session_ended_cannot_commit_after_another_has_read(
    make_shop: Callable[..., Shop], postgres_url: str
) -> None:
    shop = make_shop(postgres_url)
    append_many(shop, "a", "b")
    with shop.another_gateway().event_feed("f") as stale:
        events = list(stale)
        with shop.journal.database.write() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND granted AND pid != pg_backend_pid()"
                )
            )
        handled: list[str] = []
        shop.another_gateway().event_feed("f", wait=10).deliver(lambda event: handled.append(event.subject))
        assert handled == ["a", "b"]
        with pytest.raises(OperationInProgress, match="another worker has read the feed f since"):
            stale.commit(events[0])
    assert subjects_of(shop.gateway.event_feed("f")) == []


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a b"}, {"name": None}, {"name": b"x"}, {"name": "f", "start": "end"}, {"kinds": ["x"]}],
)
def test_wrong_arguments_are_refused(either_shop: Shop, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        either_shop.gateway.event_feed(**{"name": "f", **wrong})


@pytest.mark.parametrize("limit", [-1, "5", 1.5])
def test_a_wrong_limit_is_refused_and_delivers_nothing(either_shop: Shop, limit: Any) -> None:
    append_many(either_shop, "a", "b")
    handled: list[Event] = []
    with pytest.raises(InvalidRequest, match="limit is 0 or more"):
        either_shop.gateway.event_feed("f").deliver(handled.append, limit=limit)
    with pytest.raises(InvalidRequest, match="limit is 0 or more"):
        list(either_shop.gateway.events(limit=limit))
    assert handled == []


def test_an_event_for_a_coroutine_function_comes_again(either_shop: Shop) -> None:
    """Nothing would await the coroutine: the event would be lost."""

    async def handle(event: Event) -> None:
        raise AssertionError(event)

    append_many(either_shop, "a")
    with pytest.raises(InvalidRequest, match=r"use AsyncGateway\.event_feed"):
        either_shop.gateway.event_feed("f").deliver(handle)
    assert subjects_of(either_shop.gateway.event_feed("f")) == ["a"]


def test_a_feed_that_is_not_open_is_not_read(either_shop: Shop) -> None:
    feed = either_shop.gateway.event_feed("f")
    with pytest.raises(InvalidRequest, match="the feed is not open"):
        list(feed)
    with pytest.raises(InvalidRequest, match="the feed is not open"):
        feed.commit()


def test_a_killed_consumer_is_followed_by_another_that_misses_nothing(either_shop: Shop, tmp_path: Path) -> None:
    names = [f"a-{number:02}" for number in range(40)]
    append_many(either_shop, *names)
    log = tmp_path / "handled"
    log.touch()

    def consume() -> None:
        def handle(event: Event) -> None:
            with log.open("a") as file:
                file.write(f"{event.subject}\n")
            time.sleep(0.005)

        either_shop.another_gateway().event_feed("f", wait=10).deliver(handle)

    for lines in (5, 12, 20):
        child = Child(WITH_HOOKS, consume)
        child.begin()
        while len(log.read_text().splitlines()) < lines:
            time.sleep(0.002)
        os.kill(child.pid, signal.SIGKILL)
        child.wait_until_killed()
    rest: list[str] = []
    either_shop.gateway.event_feed("f", wait=10).deliver(lambda event: rest.append(event.subject))
    handled = [*log.read_text().splitlines(), *rest]
    assert sorted(set(handled)) == names
    assert handled == sorted(handled)  # in order, and what came twice came at once
    assert len(handled) <= len(names) + 3  # one for each kill
