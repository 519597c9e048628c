"""The real uWSGI forks its workers in C once it has loaded the shop: each order is paid once, by the right voucher."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from tests.support.simulators import JOURNAL_KEYS

if TYPE_CHECKING:
    from tests.support.shop import Shop

pytestmark = pytest.mark.slow

UWSGI: Final = shutil.which("uwsgi", path=str(Path(sys.executable).parent))
CUSTOMERS: Final = 8
ORDERS: Final = 25
WORKERS: Final = 4
START_S: Final = 60.0


# uWSGI is built from source, with a C compiler: it is installed only where these tests are wanted.
@pytest.mark.skipif(UWSGI is None, reason="uWSGI is not installed: `make test-servers` installs it")
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--py-call-uwsgi-fork-hooks",),
        ("--py-call-osafterfork",),
        ("--enable-threads",),
        ("--enable-threads", "--py-call-osafterfork"),
        ("--lazy-apps",),
    ],
    ids=lambda options: " ".join(options) or "defaults",
)
def test_every_order_is_paid_once_from_its_customers_own_voucher(
    either_shop: Shop, tmp_path: Path, options: tuple[str, ...]
) -> None:
    shop = either_shop
    vouchers = [shop.voucher("100.00") for _ in range(CUSTOMERS)]
    with _running(shop, tmp_path, options) as base:

        def buy(customer: int) -> list[dict[str, Any]]:
            with requests.Session() as session:
                session.trust_env = False
                return [
                    session.get(
                        base, params={"code": vouchers[customer][1], "reference": f"{customer}-{order}"}, timeout=60
                    ).json()
                    for order in range(ORDERS)
                ]

        with ThreadPoolExecutor(CUSTOMERS) as pool:
            answers = list(pool.map(buy, range(CUSTOMERS)))
    paid_by = [{answer.get("voucher_id", answer.get("error")) for answer in answers[one]} for one in range(CUSTOMERS)]
    assert paid_by == [{id} for id, _ in vouchers]
    assert {shop.remaining(id) for id, _ in vouchers} == {f"{100 - ORDERS}.00"}
    assert shop.charges() == CUSTOMERS * ORDERS
    assert len({answer["process"] for customer in answers for answer in customer}) > 1


@contextmanager
def _running(shop: Shop, folder: Path, options: tuple[str, ...]) -> Iterator[str]:
    """Run uWSGI with the shop; give its URL."""
    assert UWSGI is not None
    port = _free_port()
    announcement = shop.running.announcement
    environment = {
        **os.environ,
        "SHOP_BASE_URL": str(announcement["base_url"]),
        "SHOP_CLIENT_ID": str(announcement["client_id"]),
        "SHOP_CLIENT_SECRET": str(announcement["client_secret"]),
        "SHOP_JOURNAL": shop.url,
        "SHOP_JOURNAL_KEY": JOURNAL_KEYS["1"],
    }
    command = [UWSGI, "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", str(WORKERS), "--need-app"]
    command += ["--wsgi-file", str(Path(__file__).with_name("shop_app.py")), "--virtualenv", sys.prefix]
    log = folder / "uwsgi.log"
    with log.open("wb") as output:
        server = subprocess.Popen([*command, "--die-on-term", *options], stdout=output, stderr=output, env=environment)
    try:
        _wait_until_it_answers(server, port, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while "spawned uWSGI worker" not in log.read_text(errors="replace"):
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < deadline, f"uWSGI did not start within {START_S} s on port {port}"
        time.sleep(0.1)
