"""The recipe of docs/servers.md with the real uWSGI: no call is lost or made twice, however its workers end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.support.page_servers import command_of_page, pay_many, running_server

if TYPE_CHECKING:
    from tests.support.shop import Shop

UWSGI: Final = command_of_page("uwsgi")

pytestmark = [
    pytest.mark.slow,
    # uWSGI is built from source, with a C compiler: it is installed only where these tests are wanted.
    pytest.mark.skipif(
        shutil.which("uwsgi", path=str(Path(sys.executable).parent)) is None,
        reason="uWSGI is not installed: `make test-servers` installs it",
    ),
]


@pytest.mark.parametrize("options", [(), ("--lazy-apps",), ("--py-call-osafterfork",)], ids=" ".join)
def test_every_order_is_paid_once_whatever_becomes_of_its_worker(
    shop: Shop, tmp_path: Path, options: tuple[str, ...]
) -> None:
    with running_server(shop, tmp_path, [*UWSGI, *options]) as server:
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
        assert (shop.charges() - before, shop.remaining(id)) == (3, "47.00")


def test_harakiri_kills_a_worker_and_the_repeated_calls_take_nothing_twice(shop: Shop, tmp_path: Path) -> None:
    command = [word if word != "60" or UWSGI[place - 1] != "--harakiri" else "6" for place, word in enumerate(UWSGI)]
    id, code = shop.voucher("50.00")
    with running_server(shop, tmp_path, command) as server:
        with server.call_in_flight("1001", code, delay_s=15) as answer, pytest.raises(requests.RequestException):
            answer()
        assert "HARAKIRI" in server.log.read_text(errors="replace")
        assert server.pay_until_taken("1001", code)["taken"] == "1.00 EUR"
    assert (shop.charges(), shop.remaining(id)) == (1, "49.00")
