"""The CPU of one small read through a provider, compared with urllib3 making the bare request.

Both send the same GET with the same headers over a kept connection to a server in another process, and read the whole
answer. Ours also keeps a deadline, classifies what happened, decodes the JSON strictly and makes a `Voucher` of it.
What is compared is the CPU time of this process, by medians of rounds that take turns.

Run by ``make bench``, or alone by ``python -m tests.benchmarks.bench_read``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Final

import urllib3

from tests.benchmarks.canned import serving
from tests.benchmarks.ratio import Ratio, print_table
from tests.benchmarks.taking_turns import compared
from voucher_gateway.http.transport import USER_AGENT
from voucher_gateway.setting_types import SecretSource
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

            took = compared({"ours": ours, "bare": bare}, calls=READS, rounds=ROUNDS, clock=time.process_time)
    name = f"one read ({took['ours']:.0f} us of CPU) to urllib3's bare request ({took['bare']:.0f} us)"
    yield Ratio(name, took["ours"] / took["bare"], TO_URLLIB3)


if __name__ == "__main__":
    sys.exit(print_table(ratios()))
