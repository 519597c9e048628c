"""Measures the code that is first on its path, in a separate process: this code or that of an earlier commit.

It is told what to do, reads numbers of calls from its input, makes the calls, and writes the seconds of CPU that they
took. It uses only what both commits have: the public door, and `seconds` of their own `bench_migration`.

    python cpu_worker.py redeem JSON      the journalled redemption; JSON is what the simulator announces
    python cpu_worker.py requests JSON    the two requests of a redemption, by the library requests
    python cpu_worker.py migrate          moved vouchers
"""

from __future__ import annotations

import importlib
import itertools
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CENT = "0.01"
VOUCHERS = 60


def cycle_of_codes(announcement: dict[str, str]) -> Iterator[str]:
    """Create vouchers at the simulator, and return their codes, again and again: a voucher has few redemptions."""
    import requests

    headers = {"Authorization": f"Bearer {announcement['token']}"}
    body = {"amount": "500.00", "currency": "EUR", "status": "active", "type": "digital"}
    url = f"{announcement['base_url']}/vouchers"
    return itertools.cycle(
        [requests.post(url, json=body, headers=headers, timeout=30).json()["code"] for _ in range(VOUCHERS)]
    )


def redeem_measure(folder: Path, announcement: dict[str, str]) -> Callable[[int], float]:
    """Return what redeems, with a journal in SQLite, and returns the CPU time in seconds."""
    from voucher_gateway import Gateway, Money

    account = {
        "provider": "jtl",
        "base_url": announcement["base_url"],
        "client_id": announcement["client_id"],
        "client_secret": announcement["client_secret"],
    }
    key = "a-key-for-the-benchmark-of-cpu-time"
    config = {
        "journal": f"sqlite:///{folder / 'journal.db'}",
        "journal_keys": {"1": key},
        "accounts": {"shop": account},
    }
    gateway = Gateway.from_config(config)
    codes, amount = cycle_of_codes(announcement), Money(CENT, "EUR")

    def measure(calls: int) -> float:
        begin = time.process_time()
        for _ in range(calls):
            gateway.redeem("shop", next(codes), amount, reference=secrets.token_hex(8))
        return time.process_time() - begin

    return measure


def requests_measure(announcement: dict[str, str]) -> Callable[[int], float]:
    """Return what sends the requests of a redemption without any of our code, and returns the CPU time in seconds."""
    import requests

    codes, session = cycle_of_codes(announcement), requests.Session()
    session.headers["Authorization"] = f"Bearer {announcement['token']}"
    url = f"{announcement['base_url']}/reservations"

    def redeem() -> None:
        reply = session.post(url, json={"code": next(codes), "amount": CENT, "currency": "EUR"}, timeout=30)
        reply.raise_for_status()
        path = f"{url}/{reply.json()['id']}/charge"
        reply = session.post(path, json={"order_number": secrets.token_hex(8)}, timeout=30)
        reply.raise_for_status()
        reply.json()

    def measure(calls: int) -> float:
        begin = time.process_time()
        for _ in range(calls):
            redeem()
        return time.process_time() - begin

    return measure


def migrate_measure(folder: Path) -> Callable[[int], float]:
    """Return what moves vouchers between vendors without latency, and returns the CPU time in seconds."""
    benchmark: Any = importlib.import_module("tests.benchmarks.bench_migration")
    benchmark.time = SimpleNamespace(perf_counter=time.process_time)

    def measure(vouchers: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            seconds: float = benchmark.seconds(Path(own), vouchers, latency_ms=0)
        return seconds

    return measure


def main() -> None:
    """Measure as often as asked."""
    kind, *given = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        if kind == "redeem":
            measure = redeem_measure(Path(folder), json.loads(given[0]))
        elif kind == "requests":
            measure = requests_measure(json.loads(given[0]))
        else:
            measure = migrate_measure(Path(folder))
        for line in sys.stdin:
            print(measure(int(line)), flush=True)  # noqa: T201 - the answer for the parent process


if __name__ == "__main__":
    main()
