"""How near a listing comes to what latency alone would take, and whether its memory stays flat.

Time: 200 pages of 100 vouchers, 30 ms each, with 16 workers, from a server in another process. No client can be
faster than 200 / 16, rounded up, times 30 ms; what is compared with it is the wall-clock time of the whole listing,
from the first request to the last `Voucher`, and of many rounds the fastest: what else the machine does can only add
to it. The first page is read alone, which takes 30 ms of what is allowed; the access token and the connections are
there from the round before.

Memory: the peak of all that Python allocates while 2,000 pages are listed, less the same for 10 pages, may be what a
set of one 64-bit hash a voucher takes, by which entries that come twice are told, and a fifth of that for the pages
that wait, which are more in a long listing. One that kept its vouchers would need over twenty times as much.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_listing``.
"""

from __future__ import annotations

import gc
import math
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Final

from tests.benchmarks.canned import ON_A_PAGE, serving
from tests.benchmarks.ratio import Ratio, print_table
from voucher_gateway.setting_types import SecretSource
from voucher_gateway_jtl import JtlProvider, JtlSettings

ROUNDS: Final = 15
WORKERS: Final = 16
PAGES: Final = 200
LATENCY_MS: Final = 30
LIMIT_S: Final = math.ceil(PAGES / WORKERS) * LATENCY_MS / 1000
TO_LIMIT: Final = 1.25

FEW_PAGES: Final = 10
MANY_PAGES: Final = 2000
TO_HASHES: Final = 1.2


def ratios() -> Iterator[Ratio]:
    """Measure."""
    took = _seconds()
    name = f"listing {PAGES} pages ({took * 1000:.0f} ms) to the limit of latency ({LIMIT_S * 1000:.0f} ms)"
    yield Ratio(name, took / LIMIT_S, TO_LIMIT)
    more = (MANY_PAGES - FEW_PAGES) * ON_A_PAGE
    grew = _peak_of_listing(MANY_PAGES) - _peak_of_listing(FEW_PAGES)
    hashes = _peak(lambda: set(_hashes(more)))
    name = f"memory from {FEW_PAGES} to {MANY_PAGES:,} pages ({grew / more:.0f} bytes a voucher) to hashes alone"
    yield Ratio(f"{name} ({hashes / more:.0f})", grew / hashes, TO_HASHES)


def _seconds() -> float:
    """Return the time of the fastest listing."""
    times = []
    with serving(latency_ms=LATENCY_MS, pages=PAGES) as base_url, _provider(base_url) as provider:
        _listed(provider, PAGES)
        for _ in range(ROUNDS):
            gc.collect()
            start = time.perf_counter()
            _listed(provider, PAGES)
            times.append(time.perf_counter() - start)
    return min(times)


def _peak_of_listing(pages: int) -> int:
    """Return the most bytes that were in use while so many pages were listed."""
    with serving(pages=pages) as base_url, _provider(base_url) as provider:
        return _peak(lambda: _listed(provider, pages))


def _peak(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _hashes(count: int) -> Iterator[int]:
    return (number | 1 << 63 for number in range(count))


def _provider(base_url: str) -> JtlProvider:
    secret = SecretSource.of("a-secret")
    return JtlProvider(
        "shop", JtlSettings(base_url=base_url, client_id="a-client", client_secret=secret, workers=WORKERS)
    )


def _listed(provider: JtlProvider, pages: int) -> None:
    with provider.vouchers() as listing:
        count = sum(1 for _ in listing)
        assert count == pages * ON_A_PAGE
        assert listing.report.consistent


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
