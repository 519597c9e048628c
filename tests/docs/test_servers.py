"""The recipes of docs/servers.md with gunicorn and uvicorn: no call is lost or made twice, however workers end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from tests.support.page_servers import PageServer, command_of_page, pay_many, running_server
from tests.support.shop import Shop

pytestmark = pytest.mark.long

GUNICORN: Final = command_of_page("gunicorn")
UVICORN: Final = command_of_page("uvicorn")
COMMANDS: Final = {
    "gunicorn": GUNICORN,
    "gunicorn, not preloaded": [word for word in GUNICORN if word != "--preload"],
    "gunicorn, without threads": [*GUNICORN, "--threads", "1", "--workers", "4"],
    "uvicorn": UVICORN,
}


@pytest.fixture
def server(shop: Shop, tmp_path: Path, request: Any) -> Iterator[PageServer]:
    command = COMMANDS[request.param]
    with running_server(shop, tmp_path, command, as_json=command is UVICORN) as server:
        yield server


@pytest.mark.parametrize("server", COMMANDS, indirect=True)
def test_every_order_is_paid_once_whatever_becomes_of_its_worker(server: PageServer, shop: Shop) -> None:
    pay_many(server, customers=4, orders=3)

    id, code = shop.voucher("50.00")
    before = shop.charges()
    with server.call_in_flight("killed", code, delay_s=2) as answer:
        server.kill_workers()
        with pytest.raises(requests.RequestException):
            answer()
    assert server.pay_until_taken("killed", code)["taken"] == "1.00 EUR"
    assert (shop.charges() - before, shop.remaining(id)) == (1, "49.00")

    with server.call_in_flight("reloaded", code, delay_s=2) as answer:
        os.kill(server.process.pid, signal.SIGHUP)
        assert answer()["taken"] == "1.00 EUR"
    assert server.pay_until_taken("after the reload", code)["taken"] == "1.00 EUR"

    with server.call_in_flight("stopped", code, delay_s=2) as answer:
        server.process.terminate()
        assert answer()["taken"] == "1.00 EUR"
    assert server.process.wait(30) in (0, -signal.SIGTERM)
    assert (shop.charges() - before, shop.remaining(id)) == (4, "46.00")


def test_gunicorn_kills_a_worker_without_threads_and_the_repeated_call_takes_nothing_twice(
    shop: Shop, tmp_path: Path
) -> None:
    id, code = shop.voucher("50.00")
    command = [*GUNICORN, "--threads", "1", "--timeout", "2", "--worker-class", "sync"]
    with running_server(shop, tmp_path, command) as server:
        with server.call_in_flight("1001", code, delay_s=5) as answer, pytest.raises(requests.RequestException):
            answer()
        assert "WORKER TIMEOUT" in server.log.read_text()
        assert server.pay_until_taken("1001", code)["taken"] == "1.00 EUR"
    assert (shop.charges(), shop.remaining(id)) == (1, "49.00")


def test_gunicorn_leaves_a_worker_with_threads_alone_while_a_call_takes_long(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher("50.00")
    with running_server(shop, tmp_path, [*GUNICORN, "--timeout", "2"]) as server:
        with server.call_in_flight("1001", code, delay_s=5) as answer:
            assert answer()["taken"] == "1.00 EUR"
        assert "WORKER TIMEOUT" not in server.log.read_text()


def test_uvicorn_cancels_a_request_that_takes_too_long_to_stop_and_its_call_ends_all_the_same(
    shop: Shop, tmp_path: Path
) -> None:
    id, code = shop.voucher("50.00")
    command = [*UVICORN, "--workers", "1", "--timeout-graceful-shutdown", "1"]
    with running_server(shop, tmp_path, command, as_json=True) as server:
        with server.call_in_flight("1001", code, delay_s=4) as answer:
            server.process.terminate()
            with pytest.raises(requests.RequestException):
                answer()
        server.process.wait(30)
        assert "a call ended after its task was cancelled: succeeded" in server.log.read_text()
    (record,) = [record for record in shop.gateway.operations() if record.key.verb == "redeem"]
    assert (record.state, shop.remaining(id)) == ("succeeded", "49.00")
