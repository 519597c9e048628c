"""The CPU of one small read through a provider, compared with urllib3 making the bare request.

Both send the same GET with the same headers over a kept connection to a server in another process, and read the whole
answer. Ours also keeps a deadline, classifies what happened, decodes the JSON strictly and makes a `Voucher` of it.
What is compared is the CPU time of this process, by medians of rounds that take turns.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_read``.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import urllib3

from tests.benchmarks.canned import serving
from tests.benchmarks.ratio import Ratio, print_table
from voucher_gateway.http.transport import USER_AGENT
from voucher_gateway.settings import SecretSource
from voucher_gateway_jtl import JtlProvider, JtlSettings

ROUNDS: Final = 31
READS: Final = 100
TO_URLLIB3: Final = 2.0

# What our transport sends, the token included.
HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": USER_AGENT,
    "Authorization": "Bearer a-token",
}


def ratios() -> Iterator[Ratio]:
    """Measure."""
    with serving() as base_url:
        settings = JtlSettings(base_url=base_url, client_id="a-client", client_secret=SecretSource.of("a-secret"))
        with JtlProvider("shop", settings) as provider, urllib3.PoolManager() as pool:

            def ours() -> None:
                assert provider.get("one").remaining is not None

            def bare() -> None:
                reply = pool.request("GET", f"{base_url}/vouchers/one", headers=HEADERS, retries=False)
                assert reply.status == 200
                assert reply.data

            took = _compared({"ours": ours, "bare": bare})
    name = f"one read ({took['ours']:.0f} us of CPU) to urllib3's bare request ({took['bare']:.0f} us)"
    yield Ratio(name, took["ours"] / took["bare"], TO_URLLIB3)


def _compared(ways: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the median microseconds of CPU of one call of each way."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        _seconds(way)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(_seconds(way))
    return {name: statistics.median(taken) / READS * 1e6 for name, taken in times.items()}


def _seconds(way: Callable[[], None]) -> float:
    gc.collect()
    start = time.process_time()
    for _ in range(READS):
        way()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
