"""The recipes of docs/servers.md, run by real servers over loopback."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import requests

from tests.support.shop import Shop

PAGE: Final = (Path(__file__).parents[2] / "docs" / "servers.md").read_text("utf-8")
CHARGE: Final = "POST /v1/reservations/*/charge"
START_S: Final = 60.0


def command_of_page(program: str) -> list[str]:
    """Return the command line of the page that begins with a program."""
    (line,) = re.findall(rf"^```text\n({program} .*)\n```$", PAGE, re.MULTILINE)
    return shlex.split(line)


def write_recipes(folder: Path, shop: Shop) -> None:
    """Write the programs of the page, and a configuration with the account of a shop."""
    for name, text in re.findall(r"^```py\n# (\w+\.py)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(text)
    login = shop.running.announcement
    keys = "\n".join(f"{key} = {json.dumps(login[key])}" for key in ("base_url", "client_id", "client_secret"))
    (folder / "voucher-gateway.toml").write_text(
        f'journal = {json.dumps(shop.url)}\n[journal_keys]\n1 = "a-key-for-the-tests-of-journals"\n'
        f'[accounts.shop]\nprovider = "jtl"\ncode_pattern = "."\n{keys}\nread_timeout_s = 20\ntotal_timeout_s = 20\n'
    )


@attrs.frozen
class PageServer:
    """A running server.

    Attributes:
        process: its first process.
        url: where it answers.
        log: what it prints.
        shop: the shop behind it.
        as_json: whether it takes JSON, and not a form.
    """

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    shop: Shop
    as_json: bool

    def pay(self, order: str, code: str) -> dict[str, Any]:
        """Take one euro off a voucher for an order, and return the answer.

        Raises:
            requests.RequestException: if the server gives none.
        """
        fields = {"order": order, "code": code}
        with requests.Session() as session:
            session.trust_env = False
            data, body = (None, fields) if self.as_json else (fields, None)
            reply = session.post(self.url, data=data, json=body, timeout=30)
            reply.raise_for_status()
            answer: dict[str, Any] = reply.json()
        return answer

    def pay_until_taken(self, order: str, code: str) -> dict[str, Any]:
        """Make the same call again and again, as a customer does, until it has succeeded."""
        deadline = time.monotonic() + 40
        while True:
            try:
                answer = self.pay(order, code)
            except requests.RequestException as error:
                answer = {"error": type(error).__name__}
            if "taken" in answer:
                return answer
            assert time.monotonic() < deadline, f"{answer}\n{self.log.read_text(errors='replace')[-3000:]}"
            time.sleep(0.1)

    def workers(self) -> list[int]:
        """Return the process ids of the children of the first process."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def kill_workers(self) -> None:
        """Kill all workers with SIGKILL. The server starts new ones."""
        workers = self.workers()
        assert workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

    @contextmanager
    def call_in_flight(self, order: str, code: str, *, delay_s: float) -> Iterator[Callable[[], dict[str, Any]]]:
        """Make a call, wait until the vendor has its charge and delays the reply; give what waits for the answer."""
        before = self.shop.charges()
        self.shop.running.inject("slow", CHARGE, delay_s=delay_s)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.pay, order, code)
            deadline = time.monotonic() + 20
            while self.shop.charges() == before:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield answer.result


@contextmanager
def running_server(shop: Shop, folder: Path, command: list[str], *, as_json: bool = False) -> Iterator[PageServer]:
    """Run a server of the page with a shop.

    Args:
        shop: its vendor and its journal.
        folder: for its files.
        command: the command line. The address is added.
        as_json: whether it takes JSON, and not a form.
    """
    write_recipes(folder, shop)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    address = {
        "gunicorn": ["--bind", f"127.0.0.1:{port}"],
        "uvicorn": ["--port", str(port)],
        "uwsgi": ["--http-socket", f"127.0.0.1:{port}", "--virtualenv", sys.prefix, "--need-app"],
    }[command[0]]
    program = [shutil.which("uwsgi", path=str(Path(sys.executable).parent)) or "uwsgi"]
    if command[0] != "uwsgi":
        program = [sys.executable, "-m", command[0]]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*program, *command[1:], *address],
            cwd=folder,
            env={**os.environ, "VOUCHER_GATEWAY_CONFIG": "voucher-gateway.toml"},
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield PageServer(process, f"http://127.0.0.1:{port}/", log, shop, as_json)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            time.sleep(0.05)
        else:
            return


def pay_many(server: PageServer, *, customers: int, orders: int) -> None:
    """Let customers pay orders at the same time, each with an own voucher; check that each order is paid once."""
    vouchers = [server.shop.voucher("50.00") for _ in range(customers)]
    before = server.shop.charges()

    def buy(customer: int) -> set[str]:
        code = vouchers[customer][1]
        return {server.pay_until_taken(f"{customer}-{order}", code)["voucher"] for order in range(orders)}

    with ThreadPoolExecutor(customers) as pool:
        assert list(pool.map(buy, range(customers))) == [{id} for id, _ in vouchers]
    assert {server.shop.remaining(id) for id, _ in vouchers} == {f"{50 - orders}.00"}
    assert server.shop.charges() - before == customers * orders
