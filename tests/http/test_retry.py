"""Which calls are made again, when, and how often."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.waits import FIRST_WAIT_S
from voucher_gateway.http import retry
from voucher_gateway.http.retry import LONGEST_WAIT_S, backoff_seconds, retry_after_s
from voucher_gateway.provider_api import (
    Intent,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    RateLimited,
    Request,
    Response,
)

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Server, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})

GOOD: Answer = (200, '{"ok": true}')


def first(*answers: Answer) -> Callable[[Asked], Answer]:
    """Answers with these first, and then well."""
    left = iter(answers)
    return lambda _: next(left, GOOD)


@pytest.fixture(scope="module", autouse=True)
def real_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "FIRST_WAIT_S", FIRST_WAIT_S)
        yield


@pytest.fixture
def opening_soon(serve: Serve) -> Iterator[tuple[str, list[Server]]]:
    """A port that refuses at first, and soon has a server."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    opened: list[Server] = []

    def open_up() -> None:
        bound.listen()
        opened.append(serve(on=bound))

    timer = threading.Timer(0.1, open_up)
    timer.start()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}", opened
    timer.join()


def test_a_change_is_made_again_when_the_connection_was_refused(
    opening_soon: tuple[str, list[Server]], client_of: ClientOf, intent: Intent
) -> None:
    url, opened = opening_soon
    client = client_of(url, tries=5, total_timeout_s=3)
    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert [asked.body for asked in opened[0].heard] == [b'{"amount":"10.53"}']


def test_a_read_is_made_again_when_the_connection_was_refused(
    opening_soon: tuple[str, list[Server]], client_of: ClientOf
) -> None:
    url, _ = opening_soon
    assert client_of(url, tries=5, total_timeout_s=3).read(LOOK, Response.json) == {"ok": True}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": formatdate(0, usegmt=True)}])
def test_a_change_is_made_again_when_the_vendor_was_busy(
    headers: dict[str, str], serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve(each=first((429, "{}", headers), (429, "{}", headers)))
    assert client_of(server, tries=3, total_timeout_s=3).change(CHARGE, intent, Response.json) == {"ok": True}
    assert [(asked.target, asked.body) for asked in server.heard] == [("/charges", b'{"amount":"10.53"}')] * 3


def test_the_vendors_seconds_are_waited_for(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server = serve(each=first((429, "{}", {"Retry-After": "1"})))
    began = time.monotonic()
    client_of(server, tries=2, total_timeout_s=30).change(CHARGE, intent, Response.json)
    assert 1 <= time.monotonic() - began < 15


def test_the_vendors_date_is_waited_for(serve: Serve, client_of: ClientOf) -> None:
    until = int(time.time()) + 1
    server = serve(each=first((503, "{}", {"Retry-After": formatdate(until, usegmt=True)})))
    client_of(server, tries=2, total_timeout_s=30).read(LOOK, Response.json)
    assert until <= time.time() < until + 15


def test_a_change_does_not_wait_beyond_its_deadline(
    serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    server = serve(each=lambda _: (429, "{}", {"Retry-After": "60"}))
    with pytest.raises(RateLimited) as refused:
        client_of(server, tries=3).change(CHARGE, intent, Response.json)
    assert refused.value.retry_after == 60
    assert len(server.heard) == 1
    assert stopwatch() < 15


def test_a_read_does_not_wait_beyond_its_deadline(
    serve: Serve, client_of: ClientOf, stopwatch: Callable[[], float]
) -> None:
    server = serve(each=lambda _: (503, "{}", {"Retry-After": "60", "X-Request-Id": "r-1"}))
    with pytest.raises(RateLimited) as refused:
        client_of(server, tries=3).read(LOOK, Response.json)
    assert (refused.value.retry_after, refused.value.http_status, refused.value.request_id) == (60, 503, "r-1")
    assert len(server.heard) == 1
    assert stopwatch() < 15


def test_a_change_is_not_made_again_because_a_server_error_asks_for_it(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve(each=lambda _: (503, "{}", {"Retry-After": "0"}))
    with pytest.raises(OutcomeUnknown):
        client_of(server, tries=3).change(CHARGE, intent, Response.json)
    assert len(server.heard) == 1


def test_a_change_that_became_unknown_on_a_repeat_is_not_made_again(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        visit.answer(429, headers={"Retry-After": "0"})
        visit.asked()

    server = serve(play)
    with pytest.raises(OutcomeUnknown):
        client_of(server, tries=5).change(CHARGE, intent, Response.json)
    assert len(server.heard) == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_read_is_made_again_after(status: int, serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=first((status, "<html>", {"Retry-After": "0"})))
    assert client_of(server, tries=2).read(LOOK, Response.json) == {"ok": True}
    assert len(server.heard) == 2


def test_a_read_is_made_again_after_the_connection_broke(serve: Serve, client_of: ClientOf) -> None:
    broken = iter([True])

    def play(visit: Visit) -> None:
        while visit.asked():
            if next(broken, False):
                return
            visit.answer()

    server = serve(play)
    assert client_of(server, tries=2, total_timeout_s=3).read(LOOK, Response.json) == {"ok": True}
    assert len(server.visits) == 2


def test_a_read_is_tried_as_often_as_configured_and_waits_longer_from_try_to_try(
    serve: Serve, client_of: ClientOf
) -> None:
    at: list[float] = []

    def fail(_: Asked) -> Answer:
        at.append(time.monotonic())
        return 500, "{}"

    with pytest.raises(ProviderUnavailable) as failed:
        client_of(serve(each=fail), tries=3, total_timeout_s=5).read(LOOK, Response.json)
    assert failed.value.http_status == 500
    first, second, third = at
    assert second - first >= 0.1
    assert third - second >= 0.2


@given(st.integers(min_value=1, max_value=1000))
def test_waits_grow_up_to_a_limit_and_are_drawn_again(tries: int) -> None:
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))
    drawn = {backoff_seconds(tries) for _ in range(10)}
    assert len(drawn) > 1
    assert all(longest / 2 <= wait <= longest for wait in drawn)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [-+GMT0-9]{0,6}"))
def test_a_retry_after_of_any_text_is_a_wait_or_none(header: str) -> None:
    wait = retry_after_s(header)
    assert wait is None or wait >= 0


@given(st.integers(min_value=0, max_value=10**12))
def test_a_retry_after_of_digits_is_a_number_of_seconds(seconds: int) -> None:
    assert retry_after_s(str(seconds)) == seconds


@pytest.mark.parametrize("header", [None, "", "soon", "-1", "1.5", "9" * 5000, "1e3"])
def test_a_retry_after_that_cannot_be_read_is_none(header: str | None) -> None:
    assert retry_after_s(header) is None
