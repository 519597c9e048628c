"""How much sooner two processes move vouchers than one.

Some hundred vouchers go from JTL to the ticketing vendor, and every answer takes 200 ms, as over a slow line. Each
process has 16 workers, and the journal is in SQLite. So one process waits for most of the time, and what is measured is
whether the processes wait for one another: for the claims and the commits in the one journal.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_processes``, with another latency in milliseconds
as an argument. Without latency one process is bound by its core, and two need two cores besides those of the vendors.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.benchmarks.bench_migration import seconds
from tests.benchmarks.ratio import Ratio, print_table

VOUCHERS: Final = 320
LATENCY_MS: Final = 200
TO_ONE: Final = 1 / 1.7


def ratios(latency_ms: float = LATENCY_MS) -> Iterator[Ratio]:
    """Measure."""
    one, two = _seconds(latency_ms, 1), _seconds(latency_ms, 2)
    name = f"moving {VOUCHERS} vouchers at {latency_ms:g} ms with two processes ({two:.1f} s) to one ({one:.1f} s)"
    yield Ratio(name, two / one, TO_ONE)


def _seconds(latency_ms: float, processes: int) -> float:
    with tempfile.TemporaryDirectory(prefix="voucher-gateway-bench-") as folder:
        return seconds(Path(folder), VOUCHERS, latency_ms=latency_ms, processes=processes)


if __name__ == "__main__":
    sys.exit(print_table(ratios(*map(float, sys.argv[1:]))))
