"""A vendor that does not answer blocks the first calls only. What must be completed or resolved is sent anyway."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.http.breaker import CallLimits, CircuitState
from voucher_gateway.http.client import HttpClient
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.provider_api import (
    Intent,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    Request,
    VoucherGatewayError,
)
from voucher_gateway.request_hooks import use_resolution

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Server, Visit

LOOK_UP = Request(method="GET", path=Path.of("/jars"))
CHANGE = Request(method="POST", path=Path.of("/changes"), json={"amount": "10.53"})


def intent(verb: str) -> Intent:
    return Intent(account="shop", provider="acme", verb=verb, host="127.0.0.1", login=None, reference="1001-a")


def read(client: HttpClient) -> int:
    return client.read(LOOK_UP, lambda reply: reply.status)


@pytest.fixture
def silent(serve: Serve) -> Server:
    def play(visit: Visit) -> None:
        visit.asked()
        visit.server_is_closing(20)

    return serve(play)


def silenced(client_of: ClientOf, server: Server, **settings: float) -> HttpClient:
    """Return a client whose circuit a silent server has opened."""
    values = {"read_timeout_s": 0.05, "total_timeout_s": 0.05, "breaker_timeouts": 2, "breaker_pause_s": 60, **settings}
    client = client_of(server, **values)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            read(client)
    assert client.limits.state is CircuitState.OPEN
    return client


def test_after_some_time_outs_calls_fail_at_once_and_say_why(silent: Server, client_of: ClientOf) -> None:
    client = silenced(client_of, silent)
    sent = len(silent.heard)
    with pytest.raises(ProviderUnavailable) as refused:
        read(client)
    assert refused.value.message == (
        "nothing was sent: the vendor did not answer 2 requests in a row (breaker_timeouts);"
        " the next one is tried in 60 s"
    )
    assert (refused.value.account, refused.value.outcome) == ("shop", "not_executed")
    assert len(silent.heard) == sent


def test_the_second_wave_of_threads_does_not_wait(silent: Server, client_of: ClientOf) -> None:
    client = client_of(
        silent, read_timeout_s=0.3, total_timeout_s=0.3, tries=3, breaker_timeouts=10, breaker_pause_s=60
    )

    def call(_: int) -> float:
        start = time.monotonic()
        with suppress(ProviderUnavailable):
            read(client)
        return time.monotonic() - start

    with ThreadPoolExecutor(20) as pool:
        first, second = list(pool.map(call, range(20))), list(pool.map(call, range(20)))
    assert min(first) > 0.2
    assert max(second) < 0.2


@pytest.mark.parametrize("verb", ["reserve", "redeem", "issue", "top_up"])
def test_nothing_new_begins_while_the_circuit_is_open(verb: str, silent: Server, client_of: ClientOf) -> None:
    client = silenced(client_of, silent)
    sent = len(silent.heard)
    with pytest.raises(ProviderUnavailable, match="nothing was sent"):
        client.change(CHANGE, intent(verb), lambda reply: reply.status)
    assert len(silent.heard) == sent


@pytest.mark.parametrize("verb", ["capture", "release", "refund", "deactivate"])
def test_what_was_begun_is_completed_all_the_same(verb: str, silent: Server, client_of: ClientOf) -> None:
    client = silenced(client_of, silent)
    with pytest.raises(OutcomeUnknown):
        client.change(CHANGE, intent(verb), lambda reply: reply.status)
    assert silent.heard[-1].method == "POST"


def test_a_resolution_is_sent_all_the_same(silent: Server, client_of: ClientOf) -> None:
    client = silenced(client_of, silent)
    with use_resolution(), pytest.raises(ProviderUnavailable, match="no complete answer"):
        read(client)


def test_one_call_tries_after_the_pause_and_closes_the_circuit(serve: Serve, client_of: ClientOf) -> None:
    is_silent = threading.Event()
    is_silent.set()

    def answer(_: object) -> tuple[int, str]:
        if is_silent.is_set():
            time.sleep(0.3)
        return 200, "{}"

    client = silenced(client_of, serve(each=answer), breaker_pause_s=0.2)
    is_silent.clear()
    time.sleep(0.25)
    states = [client.limits.state]
    assert read(client) == 200
    states.append(client.limits.state)
    assert states == [CircuitState.HALF_OPEN, CircuitState.CLOSED]


def test_only_one_thread_tries_after_the_pause() -> None:
    limits = CallLimits("shop", timeouts=1, pause_s=0.01, calls=0)
    limits.note_failure(TransportFailure.TIMED_OUT)
    time.sleep(0.02)
    with limits.limit_call(None):
        with pytest.raises(ProviderUnavailable), limits.limit_call(None):
            pass
        limits.note_failure(TransportFailure.TIMED_OUT)
    assert limits.state is CircuitState.OPEN


def test_an_error_that_comes_at_once_opens_nothing(serve: Serve, client_of: ClientOf) -> None:
    client = client_of(serve(each=lambda _: (503, "")), tries=1, breaker_timeouts=1)
    for _ in range(5):
        with pytest.raises(VoucherGatewayError):
            read(client)
    assert client.limits.state is CircuitState.CLOSED


@pytest.mark.parametrize("has_answer", [True, False])
def test_a_look_up_of_the_name_that_takes_too_long_is_a_time_out(
    silent: Server, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, has_answer: bool
) -> None:
    answer = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    def answer_late(*_: object) -> object:
        time.sleep(0.1)
        if not has_answer:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return answer

    client = client_of(silent, connect_timeout_s=0.05, tries=1, breaker_timeouts=2, breaker_pause_s=60)
    monkeypatch.setattr(socket, "getaddrinfo", answer_late)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable, match="no connection within"):
            read(client)
    assert client.limits.state is CircuitState.OPEN


def test_an_answer_between_two_time_outs_begins_the_count_again() -> None:
    limits = CallLimits("shop", timeouts=2, pause_s=60, calls=0)
    for _ in range(3):
        limits.note_failure(TransportFailure.TIMED_OUT)
        limits.note_reply()
    assert limits.state is CircuitState.CLOSED


def test_zero_switches_the_circuit_off(silent: Server, client_of: ClientOf) -> None:
    client = client_of(silent, read_timeout_s=0.02, total_timeout_s=0.02, breaker_timeouts=0)
    for _ in range(5):
        with pytest.raises(ProviderUnavailable, match=r"no complete answer|could not|time allowed"):
            read(client)


def test_more_calls_than_the_limit_fail_after_a_second(serve: Serve, client_of: ClientOf) -> None:
    entered, leave = threading.Event(), threading.Event()

    def answer(_: object) -> tuple[int, str]:
        entered.set()
        leave.wait(10)
        return 200, "{}"

    client = client_of(serve(each=answer), calls_at_once=1)
    worker = threading.Thread(target=read, args=(client,))
    worker.start()
    entered.wait(10)
    with pytest.raises(ProviderUnavailable, match=r"nothing was sent: 1 calls to the account shop are under way"):
        read(client)
    leave.set()
    worker.join()
    assert read(client) == 200


def test_the_log_says_when_a_circuit_opens_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    limits = CallLimits("shop", timeouts=2, pause_s=10, calls=0)
    for _ in range(3):
        limits.note_failure(TransportFailure.TIMED_OUT)
    limits.note_reply()
    assert [record.getMessage() for record in caplog.records] == [
        "shop: 2 time-outs in a row: requests fail at once for 10 s",
        "shop: the vendor answers again",
    ]
